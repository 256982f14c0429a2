// The same gap with other numbers of masks: what is written in each, and how good the model finds each number.

import { figureCurve, figureSlider, figureTokens } from "./figure_parts.js";
import { h } from "./dom.js";
import { t } from "./language.js";

/** @import { FigureContext, LessonFigure } from "./types.d.ts" */

/** @param {LessonFigure} asked @param {FigureContext} context */
export function createLengthsFigure(asked, { table }) {
  const { fills, choice, given } = table;
  let masks = asked.start ?? 3;
  const text = h("div", {});
  const sums = h("p", { className: "fg-sum", role: "status" });
  const xs = fills.map((/** @type {{ masks: number }} */ fill) => fill.masks);
  const scores = xs.map((/** @type {number} */ each) => choice.score[choice.lengths.indexOf(each)] ?? null);
  const curve = figureCurve({ xs, ys: scores, label: t("Score of each number of masks"), x: t("number of masks"), y: t("score") });
  const slider = figureSlider(t("Number of masks"), { min: xs[0], max: xs[xs.length - 1], step: 1, value: masks }, String, (value) => { masks = value; paint(); });
  function paint() {
    const fill = fills[masks - 1];
    text.replaceChildren(figureTokens([{ text: given[0] }, ...fill.pieces.map((/** @type {string} */ piece, /** @type {number} */ at) => ({ text: piece, className: "fg-written", note: String(fill.when[at]) })), { text: given[1] }]));
    curve.mark(masks);
    sums.textContent = t("Mean confidence of the words when they were written: {sure}. The model itself chose {chosen}.", { sure: `${Math.round(100 * fill.confidence)} %`, chosen: choice.chosen });
  }
  paint();
  return { element: h("figure", { className: "fg" }, text, slider.element, curve.element, sums) };
}
