// The control row's choices: the order in which tokens are written, the step budget, and the seed.

import { h } from "./dom.js";
import { startKnobs, strategyOf } from "./fields.js";
import { numberBox } from "./number_box.js";
import { countMasks } from "./template.js";
import { phrase, t, told } from "./language.js";
/** @import { Setup, Strategy } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

const ORDER_PANEL_WIDTH = 720; // pixels
const ORDER_MARGIN = 8;
const SEED_FIELD = { name: "seed", label: phrase("Seed"), help: "", kind: /** @type {const} */ ("int"), default: 0, low: 0, high: 2 ** 32 - 1 };

/**
 * Returns the strategies by group, in the order of `setup.groups`; a group that is not listed there comes last.
 * @param {Setup} setup @returns {[group: string, strategies: Strategy[]][]}
 */
export function orderGroups(setup) {
  const names = [...new Set([...setup.groups, ...setup.strategies.map(({ group }) => group)])];
  return names.map((name) => /** @type {[string, Strategy[]]} */ ([name, setup.strategies.filter(({ group }) => group === name)])).filter(([, found]) => found.length);
}

/** Returns whether a strategy has every word of a filter somewhere in its texts. @param {Strategy} strategy @param {string} filter */
export function orderMatches({ title, name, group, summary, papers }, filter) {
  const text = [title, name, name.replaceAll("_", " "), group, summary, ...[title, group, summary].map(told), ...papers].join(" ").toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/**
 * Draws the button with the order, and the panel that it opens: a filter, the list, and what the highlighted one does.
 * @param {HTMLElement} root @param {Setup} setup @param {Store} store
 */
export function createOrderPicker(root, setup, store) {
  /** @type {Map<string, Record<string, any>>} */
  const knobsOf = new Map(); // of orders that were chosen before
  let highlighted = "";
  const name = h("span", { className: "pg-order-name" });
  const button = h("button", { type: "button", className: "pg-order-button", "aria-haspopup": "dialog", "aria-expanded": "false", dataset: { part: "order" } },
    h("span", { className: "pg-order-word" }, t("Order: ")), name, h("span", { "aria-hidden": "true" }, " ▾"));
  const filter = h("input", {
    type: "text", className: "pg-order-filter", placeholder: t("Filter by name, effect or paper"), autocomplete: "off", spellcheck: false,
    role: "combobox", "aria-label": t("Filter the orders"), "aria-expanded": "true", "aria-controls": "pg-order-list", "aria-autocomplete": "list", autofocus: true,
    oninput: () => sift(), onkeydown: (/** @type {KeyboardEvent} */ event) => press(event),
  });
  const none = h("p", { className: "pg-quiet", role: "status" });
  /** @type {Map<string, HTMLElement>} */
  const options = new Map();
  const list = h("div", { className: "pg-order-list", id: "pg-order-list", role: "listbox", "aria-label": t("Orders"), tabIndex: -1 },
    ...orderGroups(setup).map(([group, strategies], index) => h("div", { role: "group", className: "pg-order-group", "aria-labelledby": `pg-order-group-${index}` },
      h("div", { className: "pg-order-heading", id: `pg-order-group-${index}` }, told(group)), ...strategies.map(optionOf))));
  const about = h("div", { className: "pg-order-about" });
  const panel = h("div", { className: "pg-order-panel", popover: "auto", role: "dialog", "aria-label": t("The order in which tokens are written"), tabIndex: -1 },
    h("div", { className: "pg-order-left" }, filter, none, list), about);
  button.popoverTargetElement = panel;
  root.append(button, panel);

  /** @param {Strategy} strategy */
  function optionOf(strategy) {
    const option = h("div", {
      role: "option", className: "pg-order-option", id: `pg-order-${strategy.name}`, dataset: { value: strategy.name }, "aria-selected": "false",
      onpointermove: () => highlight(strategy.name, false), onclick: () => choose(strategy.name),
    }, h("span", {}, told(strategy.title)), h("span", { className: "pg-quiet" }, ` · ${strategy.name}`));
    options.set(strategy.name, option);
    return option;
  }

  const matching = () => [...options].filter(([, option]) => !option.hidden).map(([value]) => value);

  /** @param {string} value @param {boolean} [scroll] */
  function highlight(value, scroll = true) {
    if (scroll) options.get(value)?.scrollIntoView({ block: "nearest" });
    if (value === highlighted) return;
    options.get(highlighted)?.classList.remove("pg-active");
    highlighted = value;
    options.get(value)?.classList.add("pg-active");
    if (value) filter.setAttribute("aria-activedescendant", `pg-order-${value}`);
    else filter.removeAttribute("aria-activedescendant");
    const strategy = setup.strategies.find((each) => each.name === value);
    about.replaceChildren(...(strategy ? aboutOrder(strategy) : []));
  }

  function sift() {
    for (const strategy of setup.strategies) {
      const option = options.get(strategy.name);
      if (option) option.hidden = !orderMatches(strategy, filter.value);
    }
    for (const group of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll(".pg-order-group"))) {
      group.hidden = !group.querySelector(".pg-order-option:not([hidden])");
    }
    const left = matching();
    none.textContent = left.length ? "" : t("No order matches.");
    highlight(left.includes(highlighted) ? highlighted : left[0] ?? "");
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    const left = matching();
    const at = left.indexOf(highlighted);
    /** @type {Record<string, number | undefined>} */
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 5, PageUp: at - 5, ...(filter.value === "" && { Home: 0, End: left.length - 1 }) };
    const to = moves[event.key];
    if (to !== undefined) {
      event.preventDefault();
      if (left.length) highlight(left[Math.max(0, Math.min(left.length - 1, to))]);
    } else if (event.key === "Enter" && !event.isComposing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      if (highlighted) choose(highlighted);
    }
  }

  /** @param {string} value */
  function choose(value) {
    const { draft } = store.state;
    if (value !== draft.strategy) {
      knobsOf.set(draft.strategy, draft.knobs);
      store.change({ draft: { ...draft, strategy: value, knobs: knobsOf.get(value) ?? startKnobs(setup, value) } });
    }
    panel.hidePopover();
    button.focus();
  }

  function place() {
    const at = button.getBoundingClientRect();
    const width = Math.min(ORDER_PANEL_WIDTH, document.documentElement.clientWidth - 2 * ORDER_MARGIN);
    const below = window.innerHeight - at.bottom;
    const up = below < 360 && at.top > below;
    const room = (up ? at.top : below) - 1.5 * ORDER_MARGIN;
    const left = Math.max(ORDER_MARGIN, Math.min(at.left, document.documentElement.clientWidth - width - ORDER_MARGIN));
    const edges = { left: `${left}px`, width: `${width}px`, top: up ? "auto" : `${at.bottom + 4}px`, bottom: up ? `${window.innerHeight - at.top + 4}px` : "auto" };
    for (const [side, value] of Object.entries({ ...edges, "max-height": `${Math.max(220, Math.min(room, 560))}px` })) panel.style.setProperty(side, value);
  }

  panel.addEventListener("beforetoggle", (event) => {
    const opening = /** @type {ToggleEvent} */ (event).newState === "open";
    button.setAttribute("aria-expanded", String(opening));
    if (!opening) return;
    place();
    filter.value = "";
    sift();
    highlight(store.state.draft.strategy, false);
  });
  panel.addEventListener("toggle", (event) => {
    const open = /** @type {ToggleEvent} */ (event).newState === "open";
    const track = open ? window.addEventListener : window.removeEventListener;
    track("resize", place);
    track("scroll", place, true);
    if (open) highlight(highlighted); // into sight
  });
  panel.addEventListener("focusout", (event) => { // Tab, from the last link or where there is none
    const to = /** @type {Node | null} */ (event.relatedTarget);
    if (to && !panel.contains(to) && !(to === button && pressing)) panel.hidePopover();
  });
  let pressing = false; // the button is being clicked, which closes the panel by itself
  button.addEventListener("pointerdown", () => { pressing = true; });
  button.addEventListener("click", () => { pressing = false; });
  panel.addEventListener("keydown", () => { pressing = false; });
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    panel.hidePopover();
    button.focus();
  });

  /** @type {string | null} */
  let seen = null;
  function paint() {
    const { draft } = store.state;
    if (seen === draft.strategy) return;
    seen = draft.strategy;
    const strategy = strategyOf(setup, draft);
    name.textContent = told(strategy?.title ?? draft.strategy);
    button.title = strategy ? `${told(strategy.summary)} (${strategy.name})` : "";
    for (const [value, option] of options) option.setAttribute("aria-selected", String(value === draft.strategy));
  }

  paint();
  return { paint };
}

/** What a strategy does, what the budget means for it, and its papers. @param {Strategy} strategy */
function aboutOrder(strategy) {
  const links = strategy.papers.flatMap((paper, index) => [
    index ? ", " : "", h("a", { href: `https://arxiv.org/abs/${paper}`, target: "_blank", rel: "noopener" }, `arXiv:${paper}`),
  ]);
  const settable = strategy.knobs.map((knob) => told(knob.label).toLowerCase()).join(t(", "));
  return [
    h("h2", {}, told(strategy.title)),
    h("p", {}, told(strategy.summary)),
    h("p", {}, h("b", {}, t("The step budget is ")), t("{budget}.", { budget: told(strategy.budget) })),
    settable && h("p", {}, h("b", {}, t("To be set: ")), settable),
    links.length > 0 && h("p", {}, h("b", {}, strategy.papers.length > 1 ? t("Papers: ") : t("Paper: ")), ...links),
  ].filter((each) => each instanceof Node);
}

/**
 * Draws the step budget: a slider, a box, and a button for as many steps as there are masks.
 * @param {HTMLElement} root @param {Setup} setup @param {Store} store
 */
export function createSteps(root, setup, store) {
  const id = "pg-steps";
  /** @type {import("./types.d.ts").Field} */
  const field = { name: "steps", label: phrase("Steps"), help: "", kind: "int", default: null, low: 1, high: setup.limits.steps };
  /** @param {number | null} steps */
  const put = (steps) => store.change({ draft: { ...store.state.draft, steps } });
  const box = numberBox(field, id, put);
  const label = h("label", { for: id, className: "pg-steps-label" });
  const each = h("button", {
    type: "button", className: "pg-steps-each", "aria-pressed": "false", title: t("As many steps as there are masks: one token each"),
    onclick: () => put(store.state.draft.steps === null ? countMasks(store.state.draft.text) ?? setup.limits.steps : null),
  }, t("= masks"));
  root.classList.add("pg-steps");
  root.append(h("div", { className: "pg-steps-row" }, label, box.slider, box.number, each), box.problem);

  /** @type {{ text: string, steps: number | null, strategy: string } | null} */
  let seen = null;
  function paint() {
    const { text, steps, strategy } = store.state.draft;
    if (seen && seen.text === text && seen.steps === steps && seen.strategy === strategy) return;
    const switched = seen !== null && (seen.steps === null) !== (steps === null);
    seen = { text, steps, strategy };
    const masks = countMasks(text);
    const auto = steps === null;
    const [own, note] = masks === null ? [t("Steps"), t(": as many as masks")] : [t("Steps: {count}", { count: masks }), t(" (one token each)")];
    label.replaceChildren(auto ? own : t("Steps"), h("span", { className: "pg-steps-note" }, auto ? note : ""));
    label.title = t("The step budget is ") + t("{budget}.", { budget: told(strategyOf(setup, store.state.draft)?.budget ?? phrase("a number of steps")) });
    each.setAttribute("aria-pressed", String(auto));
    if (box.slider) box.slider.max = String(Math.min(setup.limits.steps, Math.max(2 * (masks ?? 16), steps ?? 0, 8)));
    if (!auto) box.paint(steps, switched && document.activeElement === each);
    else if (masks !== null) box.paint(masks, switched && document.activeElement === each);
    else box.clear();
    box.number.classList.toggle("pg-automatic", auto);
  }

  paint();
  return { paint };
}

/**
 * Draws the seed and the die that draws a new one.
 * @param {HTMLElement} root @param {Store} store
 */
export function createSeed(root, store) {
  const id = "pg-seed";
  /** @param {number} seed */
  const put = (seed) => store.change({ draft: { ...store.state.draft, seed } });
  const box = numberBox(SEED_FIELD, id, put);
  box.number.dataset.part = "seed";
  const die = h("button", { type: "button", className: "pg-die", "aria-label": t("New seed"), title: t("New seed: another draw"), onclick: () => {
    const old = store.state.draft.seed;
    const fresh = Math.floor(Math.random() * 9999);
    const seed = fresh === old ? 9999 : fresh;
    put(seed);
    box.paint(seed, true);
  } }, h("span", { className: "pg-die-face", "aria-hidden": "true" }));
  root.classList.add("pg-seed");
  root.append(h("div", { className: "pg-seed-row" }, h("label", { for: id }, t("Seed")), box.number, die), box.problem);
  const paint = () => box.paint(store.state.draft.seed ?? 0);
  paint();
  return { paint };
}
