// The forward process: every token of a text is masked with probability t, and the loss weighs what is masked by 1/t.

import { figureRandom, figureSlider, figureTokens } from "./figure_parts.js";
import { h } from "./dom.js";
import { t } from "./language.js";

/** @import { FigureContext, LessonFigure } from "./types.d.ts" */

/**
 * Returns which of `count` tokens are masked at a rate: the same noise masks more and more as the rate grows.
 * @param {number} count @param {number} rate @param {number} seed
 */
export function maskedAt(count, rate, seed) {
  const random = figureRandom(seed);
  return Array.from({ length: count }, () => random() < rate);
}

/** @param {LessonFigure} asked @param {FigureContext} context */
export function createForwardFigure(asked, { table, ask }) {
  let pieces = /** @type {string[]} */ (table.pieces);
  let rate = 0.3;
  let seed = 1;
  const text = h("div", {});
  const sums = h("p", { className: "fg-sum", role: "status" });
  const note = h("p", { className: "pg-quiet" });
  const slider = figureSlider(t("Masking rate t"), { min: 0.05, max: 1, step: 0.05, value: rate }, (value) => value.toFixed(2), (value) => { rate = value; paint(); });
  const again = h("button", { type: "button", onclick: () => { seed++; paint(); } }, t("Other noise"));
  const own = h("input", { type: "text", className: "fg-text", placeholder: t("Your own text"), "aria-label": t("Your own text"), maxLength: 300 });
  const take = h("button", { type: "button", onclick: () => void use() }, t("Mask it"));
  own.addEventListener("keydown", (event) => { if (event.key === "Enter") void use(); });

  async function use() {
    if (!own.value.trim()) return own.focus();
    const found = await ask({ make: "pieces", text: own.value });
    pieces = found.table?.pieces ?? own.value.split(/(?=\s)/);
    note.textContent = found.table ? "" : t("The model is not there, so the text is cut into words and not into its tokens.");
    paint();
  }

  function paint() {
    const masked = maskedAt(pieces.length, rate, seed);
    const count = masked.filter(Boolean).length;
    text.replaceChildren(figureTokens(pieces.map((piece, at) => ({ text: piece, masked: masked[at] }))));
    sums.textContent = t("{count} of {all} tokens are masked. The loss is the sum of -log p over these {count}, times 1/t = {weight}.", { count, all: pieces.length, weight: (1 / rate).toFixed(2) });
  }
  paint();
  return { element: h("figure", { className: "fg" }, text, slider.element, sums, h("div", { className: "fg-row" }, again), h("div", { className: "fg-row" }, own, take), note) };
}
