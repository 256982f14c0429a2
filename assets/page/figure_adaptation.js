// An adaptation, seen: the loss, the attention mask, and the same gaps filled at checkpoints, on one slider.

import { figureCurve, figureSlider, figureTokens } from "./figure_parts.js";
import { h } from "./dom.js";
import { svgShape } from "./shapes.js";
import { t } from "./language.js";

/** @import { FigureContext, LessonFigure } from "./types.d.ts" */

/** Returns the last entry at or before a step. @param {any[]} entries, each with a `step` @param {number} step */
export function entryAt(entries, step) {
  return entries.filter((entry) => entry.step <= step).at(-1) ?? entries[0];
}

/** Draws which positions see which: rows look, columns are seen. @param {string[]} rows of digits @param {string} label */
function maskPicture(rows, label) {
  const size = rows.length;
  return svgShape("svg", { viewBox: `0 0 ${size} ${size}`, class: "fg-mask", role: "img", "aria-label": label },
    ...rows.flatMap((row, y) => [...row].map((seen, x) => svgShape("rect", { x: x + 0.05, y: y + 0.05, width: 0.9, height: 0.9, class: seen === "1" ? (x > y ? "fg-ahead" : "fg-seen") : "fg-unseen" }))));
}

/** Returns the mask of a left-to-right model: every position sees itself and what is before it. @param {number} size */
export const causalRows = (size) => Array.from({ length: size }, (_, row) => "1".repeat(row + 1) + "0".repeat(size - row - 1));

/** @param {LessonFigure} asked with `parts`, of "mask", "loss" and "fills" @param {FigureContext} context */
export function createAdaptationFigure(asked, { table }) {
  const parts = /** @type {string[]} */ (asked.parts ?? ["mask", "loss", "fills"]);
  let at = asked.start ?? 0, gap = 0;
  const mask = h("div", { className: "fg-mask-box" });
  const fills = h("div", {});
  const said = h("p", { className: "fg-sum", role: "status" });
  const { checkpoints } = table;
  const last = checkpoints.length - 1;
  const valid = table.steps.map((/** @type {number} */ step, /** @type {number} */ index) => ({ step, loss: table.validation[index] })).filter((/** @type {any} */ each) => each.loss !== null);
  const curve = parts.includes("loss") && valid.length ? figureCurve({
    xs: valid.map((/** @type {any} */ each) => each.step), ys: valid.map((/** @type {any} */ each) => each.loss),
    label: t("Validation loss by training step"), x: t("training step"), y: t("nats a token"),
  }) : null;
  const written = (/** @type {number} */ value) => t("step {step}", { step: checkpoints[value].step });
  const slider = figureSlider(t("Training"), { min: 0, max: last, step: 1, value: at }, written, (value) => { at = value; paint(); });
  const other = h("button", { type: "button", onclick: () => { gap = (gap + 1) % checkpoints[0].fills.length; paint(); } }, t("Another gap"));

  function paint() {
    const { step, tokens, fills: made } = checkpoints[at];
    if (parts.includes("mask") && table.masks.length) {
      const now = step ? entryAt(table.masks, step) : { step, share: 0, rows: causalRows(table.masks[0].rows.length) }; // the parent's
      const label = t("Attention mask at step {step}: {share} of the later positions are seen", { step: now.step, share: `${Math.round(100 * now.share)} %` });
      mask.replaceChildren(maskPicture(now.rows, label), h("p", { className: "fg-caption" }, label));
    }
    if (parts.includes("fills")) {
      const fill = made[gap];
      let place = 0;
      fills.replaceChildren(figureTokens(fill.text.split(/\[\[(\d+).*?\]\]/).flatMap((/** @type {string} */ part, /** @type {number} */ index) => {
        if (index % 2 === 0) return [{ text: part }];
        const slots = fill.pieces.slice(place, place + Number(part));
        place += Number(part);
        return slots.map((/** @type {string} */ piece, /** @type {number} */ slot) => ({ text: piece, className: "fg-written", note: String(fill.when[place - slots.length + slot]) }));
      })));
    }
    curve?.mark(step);
    const loss = valid.length ? entryAt(valid, step).loss : null;
    said.textContent = t("{tokens} tokens of training", { tokens: tokens.toLocaleString() }) + (loss === null ? "" : `, ${t("{loss} nats a token on new text", { loss: loss.toFixed(2) })}`);
  }
  paint();
  return { element: h("figure", { className: "fg" }, parts.includes("mask") && mask, parts.includes("fills") && fills, slider.element, said, curve?.element,
    parts.includes("fills") && h("div", { className: "fg-row" }, other)) };
}
