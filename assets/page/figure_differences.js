// Text by the same weights in other orders beside human text: how varied it is, and where it repeats itself.

import { figureBars } from "./figure_parts.js";
import { h, roving } from "./dom.js";
import { t } from "./language.js";

/** @import { FigureContext, LessonFigure } from "./types.d.ts" */

/**
 * Splits a text into stretches that repeat three words from before, and those that do not.
 * @param {string} text @returns {{ text: string, again: boolean }[]}
 */
export function repeatedIn(text) {
  const words = text.match(/\s*\S+/g) ?? [];
  const bare = words.map((word) => word.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ""));
  const seen = new Set();
  const again = words.map(() => false);
  for (let at = 0; at + 3 <= words.length; at++) {
    const gram = bare.slice(at, at + 3).join(" ");
    if (seen.has(gram)) again.fill(true, at, at + 3);
    seen.add(gram);
  }
  /** @type {{ text: string, again: boolean }[]} */
  const stretches = [];
  words.forEach((word, at) => {
    const last = stretches.at(-1);
    if (last && last.again === again[at]) last.text += word;
    else stretches.push({ text: word, again: again[at] });
  });
  return stretches;
}

/** @param {LessonFigure} asked @param {FigureContext} context */
export function createDifferencesFigure(asked, { table }) {
  const rows = table.rows;
  const names = /** @type {Record<string, string>} */ (asked.words ?? {});
  let at = 0;
  const tabs = h("div", { className: "ls-places", role: "toolbar", "aria-label": t("What wrote the text") });
  const sample = h("p", { className: "fg-sample" });
  const bars = h("div", {});
  const nameOf = (/** @type {any} */ row) => t(names[row.name] ?? row.name);
  function paint() {
    const buttons = rows.map((/** @type {any} */ row, /** @type {number} */ index) => h("button", { type: "button", "aria-pressed": String(index === at), onclick: () => { at = index; paint(); } }, nameOf(row)));
    const inside = tabs.contains(document.activeElement);
    tabs.replaceChildren(...buttons);
    roving(tabs, buttons);
    if (inside) buttons[at].focus({ preventScroll: true });
    const text = rows[at].samples?.[0];
    sample.replaceChildren(...(text ? repeatedIn(text).map(({ text: stretch, again }) => (again ? h("mark", {}, stretch) : stretch)) : [t("No text of this row is shown.")]));
    bars.replaceChildren(h("p", { className: "fg-caption" }, t("Entropy of single tokens, in nats: more is more varied")),
      figureBars(rows.map((/** @type {any} */ row, /** @type {number} */ index) => ({ name: nameOf(row), value: row.entropy[0].value, written: row.entropy[0].value.toFixed(2), mark: index === at ? "fg-hit" : "" }))));
  }
  paint();
  return { element: h("figure", { className: "fg" }, tabs, sample, h("p", { className: "pg-quiet" }, t("Marked: three words in a row that were there before.")), bars) };
}
