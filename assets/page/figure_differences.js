// Text by the same weights in other orders beside human text: how varied it is, and where it repeats itself.

import { figureBars } from "./figure_parts.js";
import { h, roving } from "./dom.js";
import { t } from "./language.js";

/** @import { FigureContext, LessonFigure } from "./types.d.ts" */

/** @param {LessonFigure} asked with `measure`, one of the table's @param {FigureContext} context */
export function createDifferencesFigure(asked, { table }) {
  const { rows, texts, length } = table;
  const measure = asked.measure ?? "entropy1";
  let at = Math.max(0, rows.findIndex((/** @type {any} */ row) => row.samples.length));
  let number = 0;
  const tabs = h("div", { className: "ls-places", role: "toolbar", "aria-label": t("What wrote the text") });
  const sample = h("p", { className: "fg-sample" });
  const other = h("button", { type: "button", onclick: () => { number++; paint(); } }, t("Another text"));
  const bars = h("div", {});

  /** Returns a text's tokens, those in triples that were there before marked. @param {any} text */
  function marked({ prompt, pieces, repeated }) {
    const again = new Set(repeated);
    return [h("span", { className: "pg-quiet" }, prompt), ...pieces.map((/** @type {string} */ piece, /** @type {number} */ place) => (again.has(place) ? h("mark", {}, piece) : piece))];
  }

  function paint() {
    const buttons = rows.map((/** @type {any} */ row, /** @type {number} */ index) => h("button", { type: "button", "aria-pressed": String(index === at), disabled: !row.samples.length, onclick: () => { at = index; paint(); } }, t(row.title)));
    const inside = tabs.contains(document.activeElement);
    tabs.replaceChildren(...buttons);
    roving(tabs, buttons);
    if (inside) buttons[at].focus({ preventScroll: true });
    const { samples } = rows[at];
    sample.replaceChildren(...marked(samples[number % samples.length]));
    bars.replaceChildren(h("p", { className: "fg-caption" }, t("Entropy of single tokens over {texts} texts of {length} tokens, in nats: more is more varied", { texts, length })),
      figureBars(rows.map((/** @type {any} */ row, /** @type {number} */ index) => {
        const { mean, low, high } = row.figures[measure];
        return { name: t(row.title), value: mean, written: `${mean.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`, mark: index === at ? "fg-hit" : "" };
      })));
  }
  paint();
  return { element: h("figure", { className: "fg" }, tabs, sample, h("div", { className: "fg-row" }, other, h("span", { className: "pg-quiet" }, t("Marked: three tokens in a row that were there before."))), bars) };
}
