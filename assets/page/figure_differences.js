// Text by the same weights in other orders beside human text: how varied it is, and where it repeats itself.

import { figureBars, figureChoice } from "./figure_parts.js";
import { h } from "./dom.js";
import { t } from "./language.js";

/** @import { FigureContext, LessonFigure } from "./types.d.ts" */

/** @param {LessonFigure} asked with `measure`, one of the table's @param {FigureContext} context */
export function createDifferencesFigure(asked, { table }) {
  const { rows, texts, length } = table;
  const measure = asked.measure ?? "entropy1";
  const written = rows.filter((/** @type {any} */ row) => row.samples.length);
  let at = 0, number = 0;
  const entries = written.map((/** @type {any} */ row) => ({ name: t(row.title) }));
  const tabs = figureChoice(t("What wrote the text"), entries, at, (chosen) => { at = chosen; paint(); });
  const sample = h("p", { className: "fg-sample" });
  const other = h("button", { type: "button", onclick: () => { number++; paint(); } }, t("Another text"));
  const bars = h("div", {});

  /** Returns a text's tokens, those in triples that were there before marked. @param {any} text */
  function marked({ prompt, pieces, repeated }) {
    const again = new Set(repeated);
    return [h("span", { className: "pg-quiet" }, prompt), ...pieces.map((/** @type {string} */ piece, /** @type {number} */ place) => (again.has(place) ? h("mark", {}, piece) : piece))];
  }

  function paint() {
    const { samples } = written[at];
    sample.replaceChildren(...marked(samples[number % samples.length]));
    bars.replaceChildren(h("p", { className: "fg-caption" }, t("Entropy of single tokens over {texts} texts of {length} tokens, in nats: more is more varied", { texts, length })),
      figureBars(rows.map((/** @type {any} */ row) => {
        const { mean, low, high } = row.figures[measure];
        return { name: t(row.title), value: mean, written: `${mean.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`, mark: row === written[at] ? "fg-hit" : "" };
      })));
  }
  paint();
  return { element: h("figure", { className: "fg" }, tabs, sample, h("div", { className: "fg-row" }, other, h("span", { className: "pg-quiet" }, t("Marked: three tokens in a row that were there before."))), bars) };
}
