// Comparisons that one click sets up, the request that a draft stands for, and the figure of a budget sweep.

import { h } from "./dom.js";
import { lowered } from "./fields.js";
import { svgShape } from "./shapes.js";
import { countMasks, formatTemplate, parseTemplate } from "./template.js";
import { t, told } from "./language.js";

/** @import { Asked, Draft, Field, Run, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */
/** @import { Gap, Segment } from "./template.js" */

/** Masks that a gap is taken to have while its length is left to the model, as on the command line. */
export const AUTO_MASKS = 32;

/**
 * @typedef {object} Comparison runs that one click asks for
 * @property {string} id
 * @property {string} title
 * @property {string} help one line
 * @property {string} reason why the draft does not allow it; "" if it does
 * @property {(key: () => string) => Asked[]} asked `key` returns a new key for each run
 */

/** @param {string} text @returns {Gap[]} none if the text cannot be read */
function presetGaps(text) {
  const segments = parseTemplate(text);
  return "error" in segments ? [] : segments.flatMap((segment) => ("gap" in segment ? [segment.gap] : []));
}

/** Returns the step budget of a draft that leaves it open: one for each mask. @param {Setup} setup @param {string} text */
function presetBudget(setup, text) {
  const masks = countMasks(text) ?? presetGaps(text).reduce((sum, gap) => sum + (gap.length ?? AUTO_MASKS), 0);
  return Math.max(1, Math.min(setup.limits.steps, masks || AUTO_MASKS));
}

/**
 * Returns the request that goes to the server.
 * @param {Setup} setup @param {Draft} draft @returns {Record<string, any>}
 */
export function requestOf(setup, draft) {
  const fields = setup.fields.map((field) => [field.name, presetValue(field, draft[field.name])]);
  return {
    ...Object.fromEntries(fields),
    text: draft.text,
    strategy: draft.strategy,
    knobs: { ...draft.knobs },
    steps: draft.steps ?? presetBudget(setup, draft.text),
    start: draft.start ?? null,
  };
}

/** @param {Field} field @param {any} value */
function presetValue(field, value) {
  if (value === undefined || value === null) value = field.default;
  if (field.kind !== "words") return value;
  return Array.isArray(value) ? [...value] : String(value ?? "").split(/[\s,]+/).filter(Boolean);
}

/** Returns the template without the text after its last gap; null if there is none. @param {string} text */
function withoutSuffix(text) {
  const segments = parseTemplate(text);
  if ("error" in segments) return null;
  const last = segments.at(-1);
  if (segments.length < 2 || !last || "gap" in last || !last.text.trim()) return null;
  return formatTemplate(/** @type {Segment[]} */ (segments.slice(0, -1)));
}

/**
 * Returns the comparisons, the same for every draft; one that a draft does not allow says why.
 * @param {Setup} setup @param {Draft} draft @param {{ hasParent: boolean }} options @returns {Comparison[]}
 */
export function comparisons(setup, draft, { hasParent }) {
  const gaps = presetGaps(draft.text);
  const masks = countMasks(draft.text);
  const known = new Set(setup.strategies.map((strategy) => strategy.name));
  const title = (/** @type {string} */ name) => setup.strategies.find((strategy) => strategy.name === name)?.title ?? name;
  const inWords = (/** @type {string} */ name) => lowered(told(title(name)));
  const least = setup.strategies.find((strategy) => strategy.name === draft.strategy)?.least ?? 1;
  const part = (/** @type {number} */ divisor) => Math.max(least, Math.ceil((masks ?? 1) / divisor));
  const budgets = [...new Set([part(1), part(2), part(4), part(masks ?? 1)])];
  const other = draft.strategy === "left_to_right" ? "low_confidence" : "left_to_right";
  const cut = withoutSuffix(draft.text);
  const unreadable = !gaps.length ? t("the text has no gap that can be read") : "";
  const fewer = (/** @type {number} */ least) =>
    masks === null ? t("set the number of masks first") : masks < least ? t("needs {count} masks or more", { count: least }) : "";
  const tight = (/** @type {boolean} */ fits) => (fits ? "" : t("this order needs {count} steps or more, too many for so few masks", { count: least }));
  const missing = (/** @type {string[]} */ ...names) => (names.every((name) => known.has(name)) ? "" : t("the strategy is not in this version"));

  /** @param {Partial<Draft>} values @param {Asked["by"]} [by] */
  const one = (values, by = "diffusion") => (/** @type {() => string} */ key) => {
    const changed = { ...draft, ...values };
    return { key: key(), request: requestOf(setup, changed), model: draft.model, by, branch: null };
  };
  /** @param {string} id @param {string} name @param {string} help @param {string} reason @param {((key: () => string) => Asked)[]} runs */
  const make = (id, name, help, reason, runs) =>
    ({ id, title: name, help, reason: unreadable || reason, asked: (/** @type {() => string} */ key) => runs.map((run) => run(key)) });

  return [
    make("orders", t("Two orders"), t("{order} beside {other}, all else the same.", { order: told(title(draft.strategy)), other: inWords(other) }),
      missing(other) || (masks === null ? "" : fewer(2)), [one({}), one({ strategy: other, knobs: {} })]),
    make("budgets", t("Two budgets"), t("A step for each mask beside a quarter of the steps, which writes several tokens at once."),
      fewer(4) || tight(part(4) < part(1)), [part(1), part(4)].map((steps) => one({ steps }))),
    make("second", t("Second thoughts"), t("Surest first, which never takes a token back, beside an order that masks some again in twice the steps."),
      missing("low_confidence", "remdm") || fewer(2),
      [one({ strategy: "low_confidence", knobs: {}, steps: masks }), one({ strategy: "remdm", knobs: {}, steps: Math.min(setup.limits.steps, 2 * (masks ?? 1)) })]),
    make("suffix", t("With and without the suffix"), t("The same gap, once with the text after it and once without."),
      suffixReason(draft, cut), [one({}), one({ text: cut ?? draft.text })]),
    make("parent", t("Diffusion and its parent"), t("The same gap by the left-to-right model that this one was made from: one try, and the best of sixteen."),
      parentReason(draft, gaps, cut, hasParent), [one({}), one({}, "parent"), one({}, "best of 16")]),
    make("sweep", t("Budget sweep"), masks === null ? t("The same text in fewer and fewer steps.") : t("The same text in {budgets}: what fewer passes cost.", { budgets: presetList(budgets) }),
      fewer(4) || tight(budgets.length > 2), budgets.map((steps) => one({ steps }))),
  ];
}

/** @param {number[]} budgets */
const presetList = (budgets) => t("{budgets} and {last} steps", { budgets: budgets.slice(0, -1).join(t(", ")), last: budgets.at(-1) ?? 1 });

/** @param {Draft} draft @param {string | null} cut */
function suffixReason(draft, cut) {
  if (cut === null) return t("there is no text after the last gap");
  if (draft.start) return t("the run starts from a state of this text");
  return draft.guidance && draft.guided_by === "suffix" ? t("guidance by the suffix is on; set it to 0") : "";
}

/** @param {Draft} draft @param {Gap[]} gaps @param {string | null} cut @param {boolean} hasParent */
function parentReason(draft, gaps, cut, hasParent) {
  if (!hasParent) return t("this model came without its parent");
  if (draft.model) return t("only the first model has a parent here");
  if (gaps.length !== 1) return t("the parent can fill only one gap");
  if (gaps[0].length === null) return t("set the number of masks first");
  if (gaps[0].pins.length) return t("the parent cannot keep pinned words");
  if (draft.start) return t("the parent cannot start from a state");
  return cut === null ? t("without text after the gap there is nothing to compare") : "";
}

/**
 * A button whose menu has the comparisons. `ask` gets the runs to compare, in their order.
 * @param {HTMLElement} root @param {Setup} setup @param {Store} store
 * @param {{ ask: (asked: Asked[]) => void, newKey: () => string }} options
 */
export function createPresets(root, setup, store, { ask, newKey }) {
  const menu = h("div", { className: "pg-presets-menu", id: "pg-presets-menu", role: "menu", "aria-label": t("Comparisons"), hidden: true });
  const button = h("button", { type: "button", className: "pg-presets-open", "aria-haspopup": "menu", "aria-expanded": "false", "aria-controls": "pg-presets-menu", onclick: () => toggle(Boolean(menu.hidden)) }, t("Compare"));
  const box = h("div", { className: "pg-presets" }, button, menu);
  root.append(box);
  let painted = "";

  const items = () => /** @type {HTMLElement[]} */ ([...menu.querySelectorAll('[role="menuitem"]')]);

  /** @param {boolean} open */
  function toggle(open) {
    menu.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    fill();
    items()[0]?.focus({ preventScroll: true });
  }

  function fill() {
    const made = comparisons(setup, store.state.draft, { hasParent: setup.has_parent });
    const wanted = JSON.stringify(made.map(({ id, help, reason }) => [id, help, reason]));
    if (wanted === painted) return;
    painted = wanted;
    const at = items().indexOf(/** @type {HTMLElement} */ (document.activeElement));
    menu.replaceChildren(...made.map((comparison) => item(comparison)));
    if (at >= 0) items()[at]?.focus({ preventScroll: true });
  }

  /** @param {Comparison} comparison */
  function item({ id, title, help, reason }) {
    const note = h("span", { className: "pg-quiet" }, reason ? t("Not now: {reason}.", { reason }) : help);
    const made = h("button", {
      type: "button", role: "menuitem", tabIndex: -1, "aria-disabled": reason !== "" ? "true" : null, dataset: { preset: id },
      onclick: () => chosen(id),
    }, h("b", {}, title), note);
    return made;
  }

  /** @param {string} id */
  function chosen(id) {
    const comparison = comparisons(setup, store.state.draft, { hasParent: setup.has_parent }).find((each) => each.id === id);
    if (!comparison || comparison.reason) return;
    toggle(false);
    button.focus({ preventScroll: true });
    ask(comparison.asked(newKey));
  }

  box.addEventListener("keydown", (event) => {
    if (menu.hidden && event.key === "ArrowDown" && event.target === button) toggle(true);
    else if (menu.hidden) return;
    else if (event.key === "Escape") {
      toggle(false);
      button.focus();
    } else {
      const all = items();
      const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
      const to = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
      if (to === undefined || !all.length) return;
      all[to % all.length].focus();
    }
    event.preventDefault();
    event.stopPropagation();
  });
  box.addEventListener("focusout", (event) => {
    if (!menu.hidden && !box.contains(/** @type {Node | null} */ (event.relatedTarget))) toggle(false);
  });

  return {
    paint() {
      if (!menu.hidden) fill();
    },
  };
}

/**
 * Returns the mean confidence, from 0 to 1, at which the tokens of a run were written; null if it wrote none.
 * @param {Run} run
 */
export function meanConfidence(run) {
  const frame = run.frames[run.latest];
  if (!frame) return null;
  let sum = 0, count = 0;
  frame.pieces.forEach((piece, at) => {
    if (piece === null || !frame.when[at]) return;
    sum += frame.confidence[at] / 255;
    count++;
  });
  return count ? sum / count : null;
}

/**
 * Returns whether runs differ in nothing but their budget, so that one figure may hold them.
 * @param {Run[]} runs
 */
export function onlyBudgetDiffers(runs) {
  const same = (/** @type {Run} */ run) => JSON.stringify([run.opening?.given, run.opening?.gaps, run.opening?.by, run.opening?.model, { ...run.opening?.request, steps: 0 }]);
  const budgets = new Set(runs.map((run) => run.opening?.request.steps));
  return runs.length > 2 && budgets.size === runs.length && runs.every((run) => run.opening && same(run) === same(runs[0]));
}

/**
 * Draws the runs of a budget sweep: passes from left to right, the mean confidence at commit upwards.
 * @param {Run[]} runs @returns {HTMLElement}
 */
export function budgetFigure(runs) {
  const points = runs.flatMap((run) => {
    const sure = meanConfidence(run);
    return sure === null ? [] : [{ label: run.label, passes: run.frames[run.latest].nfe, sure }];
  }).sort((a, b) => a.passes - b.passes);
  const [width, height, left, right, top, bottom] = [360, 168, 44, 14, 14, 36];
  const most = Math.max(1, ...points.map((point) => point.passes));
  const x = (/** @type {number} */ passes) => left + (passes / most) * (width - left - right);
  const y = (/** @type {number} */ sure) => height - bottom - sure * (height - top - bottom);
  const words = points.map(({ label, passes, sure }) => t("{label}: {passes} passes, {share} %", { label, passes, share: Math.round(sure * 100) })).join("; ");
  const figure = svgShape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": t("Mean confidence at commit by passes. {points}.", { points: words }) },
    ...[0, 0.5, 1].flatMap((sure) => [
      svgShape("line", { x1: left, x2: width - right, y1: y(sure), y2: y(sure), class: "pg-budget-grid" }),
      svgShape("text", { x: left - 6, y: y(sure) + 4, "text-anchor": "end" }, `${sure * 100} %`),
    ]),
    svgShape("polyline", { points: points.map(({ passes, sure }) => `${x(passes)},${y(sure)}`).join(" "), class: "pg-budget-line" }),
    ...points.flatMap(({ label, passes, sure }) => [
      svgShape("circle", { cx: x(passes), cy: y(sure), r: 4.5, class: "pg-budget-point" }),
      svgShape("text", { x: x(passes), y: y(sure) - 9 < top ? y(sure) + 19 : y(sure) - 9, "text-anchor": "middle", class: "pg-budget-name" }, label),
      svgShape("text", { x: x(passes), y: height - bottom + 15, "text-anchor": "middle" }, String(passes)),
    ]),
    svgShape("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, t("passes")));
  return h("figure", { className: "pg-budget" }, h("figcaption", {}, h("b", {}, t("Confidence by passes")),
    h("span", { className: "pg-quiet" }, t("How sure the model was, on average, of the tokens when it wrote them. This is its own confidence, not the quality of the text."))),
  figure);
}
