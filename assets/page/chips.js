// Chips beside "Fill" for everything in force that differs from the page's start values, so that nothing acts unseen.

import { h } from "./dom.js";
import { knobValue, lowered, sameValue, shortly, startKnobs, strategyOf } from "./fields.js";
import { t, told } from "./language.js";
/** @import { Draft, Field, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

/** @typedef {{ key: string, label: string, reset: (draft: Draft) => Draft }} Difference */

/** Fields that need no chip, because a control beside *Fill* shows their value. Order and steps are such, too. */
const CHIP_IN_SIGHT = ["seed"];
const CHIP_NOT_FIELDS = ["text", "strategy", "knobs", "steps", "model", "start"];

/**
 * Returns everything in a draft that differs from the start values and that no control in sight shows, each with its way
 * back: so nothing that is hidden is in force unseen.
 * @param {Setup} setup @param {Draft} draft @param {{ name: string, label: string }[]} models
 * @returns {Difference[]}
 */
export function draftDifferences(setup, draft, models = []) {
  const start = setup.draft;
  /** @type {Difference[]} */
  const found = [];
  if (draft.model !== start.model) {
    const label = models.find((model) => model.name === draft.model)?.label ?? (draft.model || setup.model);
    found.push({ key: "model", label: t("model: {label}", { label: told(label) }), reset: (now) => ({ ...now, model: start.model }) });
  }
  found.push(...knobDifferences(setup, draft));
  for (const field of setup.fields) if (!CHIP_IN_SIGHT.includes(field.name)) found.push(...fieldDifferences(field, draft, start));
  if (!sameValue(draft.start, start.start)) {
    found.push({ key: "start", label: t("starts partly written"), reset: (now) => ({ ...now, start: start.start }) });
  }
  const known = new Set([...CHIP_NOT_FIELDS, ...setup.fields.map((field) => field.name)]);
  for (const name of new Set([...Object.keys(draft), ...Object.keys(start)])) {
    if (known.has(name) || sameValue(draft[name], start[name])) continue;
    found.push({ key: name, label: `${name} ${shortly(draft[name])}`, reset: (now) => chipWithout(now, name, start) });
  }
  return found;
}

/** @param {Draft} draft @param {string} name @param {Draft} start */
function chipWithout(draft, name, start) {
  const { [name]: _, ...others } = draft;
  return /** @type {Draft} */ (Object.hasOwn(start, name) ? { ...others, [name]: start[name] } : others);
}

/** @param {Setup} setup @param {Draft} draft @returns {Difference[]} */
function knobDifferences(setup, draft) {
  const knobs = strategyOf(setup, draft)?.knobs ?? [];
  const start = startKnobs(setup, draft.strategy);
  const unknown = Object.keys(draft.knobs).filter((name) => !knobs.some((knob) => knob.name === name));
  const moved = knobs.filter((knob) => !sameValue(knobValue(draft, knob), start[knob.name] ?? knob.default));
  /** @param {string} name */
  const reset = (name) => (/** @type {Draft} */ now) => {
    const { [name]: _, ...others } = now.knobs;
    return { ...now, knobs: Object.hasOwn(start, name) ? { ...others, [name]: start[name] } : others };
  };
  return [
    ...moved.map((knob) => ({ key: `knob:${knob.name}`, label: chipLabel(knob, knobValue(draft, knob)), reset: reset(knob.name) })),
    ...unknown.filter((name) => !Object.hasOwn(start, name))
      .map((name) => ({ key: `knob:${name}`, label: t("unknown knob {name} {value}", { name, value: shortly(draft.knobs[name]) }), reset: reset(name) })),
  ];
}

/** @param {Field} field @param {Draft} draft @param {Draft} start @returns {Difference[]} */
function fieldDifferences(field, draft, start) {
  const { name } = field;
  const value = draft[name];
  const first = start[name] ?? field.default;
  if (value === undefined || sameValue(value, first)) return [];
  if (field.kind !== "words" || !Array.isArray(value) || !Array.isArray(first)) {
    return [{ key: name, label: chipLabel(field, value), reset: (now) => ({ ...now, [name]: first }) }];
  }
  const what = name === "banned" ? t("ban") : lowered(told(field.label));
  const added = value.filter((word) => !first.includes(word));
  const missing = first.filter((word) => !value.includes(word));
  if (!added.length && !missing.length) return [{ key: name, label: t("{what}: in another order", { what }), reset: (now) => ({ ...now, [name]: first }) }];
  return [
    ...[...new Set(added)].map((word) => ({
      key: `${name}:${word}`, label: t("{what}: {word}", { what, word }),
      reset: (/** @type {Draft} */ now) => ({ ...now, [name]: now[name].filter((/** @type {string} */ each) => each !== word) }),
    })),
    ...missing.map((word) => ({
      key: `${name}:-${word}`, label: t("{what} not: {word}", { what, word }),
      reset: (/** @type {Draft} */ now) => ({ ...now, [name]: [...now[name], word] }),
    })),
  ];
}

/** @param {Field} field @param {any} value */
function chipLabel(field, value) {
  const label = lowered(told(field.label));
  if (value === true) return label;
  if (value === false) return t("{label}: off", { label });
  return `${label} ${field.kind === "choice" ? told(value) : typeof value === "string" || typeof value === "number" ? value : shortly(value)}`;
}

/**
 * Draws the chips.
 * @param {HTMLElement} root @param {Setup} setup @param {Store} store
 */
export function createChips(root, setup, store) {
  const list = h("ul", { className: "pg-chips", "aria-label": t("In force now, other than at the start") });
  root.append(list);
  /** @type {any} */
  let seen = null;
  let drawn = "";

  /** @param {Difference} difference @param {number} index */
  function chip({ label, reset }, index) {
    const remove = () => {
      store.change({ draft: reset(store.state.draft) });
      paint();
      const left = /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll("button"));
      left[Math.min(index, left.length - 1)]?.focus();
    };
    const name = t("Remove: {what}", { what: label.replace(": ", " ") });
    return h("li", { className: "pg-in-force" },
      h("span", { dir: "auto" }, label),
      h("button", { type: "button", "aria-label": name, title: name, onclick: remove }, "×"));
  }

  function paint() {
    const { draft, models } = store.state;
    if (seen && seen.draft === draft && seen.models === models) return;
    seen = { draft, models };
    const found = draftDifferences(setup, draft, models);
    const now = JSON.stringify(found.map(({ key, label }) => [key, label]));
    if (now === drawn) return;
    const focused = [...list.querySelectorAll("button")].indexOf(/** @type {any} */ (document.activeElement));
    drawn = now;
    list.replaceChildren(...found.map(chip));
    list.hidden = !found.length;
    if (focused >= 0) list.querySelectorAll("button")[Math.min(focused, found.length - 1)]?.focus();
  }

  paint();
  return { paint };
}
