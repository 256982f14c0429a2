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

/** Offers a file for download. @param {Blob | string} content @param {string} name @param {string} type */
export function offer(content, name, type = "") {
  const blob = typeof content === "string" ? new Blob([content], { type }) : content;
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
