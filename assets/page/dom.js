// Builds elements. Text is set as text, never as HTML, because what users type and models write is data.

/**
 * Returns an element. Properties that begin with "on" are listeners, `dataset` and `style` are objects, names with a
 * hyphen and `role` are attributes, and the others are set on the element; null and false are left out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, any>} properties @param {...(Node | string | null | false | undefined)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(made.dataset, value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) made.style.setProperty(key, each);
    else if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, value === true ? "" : String(value));
    else /** @type {any} */ (made)[name] = value;
  }
  made.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== false && child !== undefined)));
  return made;
}

/**
 * Makes a row of buttons one tab stop; the left and right arrow keys move inside it. Returns what to call when buttons
 * were disabled or hidden.
 * @param {HTMLElement} row @param {(HTMLButtonElement | HTMLSelectElement)[]} buttons
 */
export function roving(row, buttons) {
  let current = 0; // the one used last
  const open = (/** @type {HTMLButtonElement | HTMLSelectElement} */ button) => !button.disabled && !button.hidden && button.getClientRects().length > 0;
  const settle = () => {
    const stop = !buttons[current] || open(buttons[current]) ? current : Math.max(0, buttons.findIndex(open));
    buttons.forEach((button, at) => {
      const index = at === stop ? 0 : -1;
      if (button.tabIndex !== index) button.tabIndex = index;
    });
  };
  row.addEventListener("focusin", (event) => {
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    if (at >= 0) current = at;
    settle();
  });
  row.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    if (!move || at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    for (let next = at + move; buttons[next]; next += move) {
      if (!open(buttons[next])) continue;
      buttons[next].focus();
      break;
    }
  });
  settle();
  return settle;
}

/** Offers a file for download. @param {Blob | string} content @param {string} name @param {string} type */
export function offer(content, name, type = "") {
  const blob = typeof content === "string" ? new Blob([content], { type }) : content;
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
