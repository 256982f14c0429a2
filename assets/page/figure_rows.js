// What a forward pass costs when several texts share it, as recorded and as measured on the machine that serves the page.

import { figureBars } from "./figure_parts.js";
import { h } from "./dom.js";
import { t } from "./language.js";

/** @import { FigureContext, LessonFigure } from "./types.d.ts" */

/** @param {LessonFigure} asked @param {FigureContext} context */
export function createRowsFigure(asked, { table, ask, say }) {
  let found = table;
  const box = h("div", {});
  const measure = h("button", { type: "button", onclick: () => void run() }, t("Measure this machine"));
  async function run() {
    measure.disabled = true;
    const answer = await ask({ make: "rows" });
    measure.disabled = false;
    if (!answer.table) return say(answer.error ?? "", true);
    found = answer.table;
    paint();
  }
  function paint() {
    const { rows, ms, machine, date, model, tokens } = found;
    box.replaceChildren(
      h("p", { className: "fg-caption" }, t("Milliseconds of one pass, by the number of texts in it")),
      figureBars(rows.map((/** @type {number} */ count, /** @type {number} */ at) => ({ name: String(count), value: ms[at], written: t("{ms} ms", { ms: ms[at].toFixed(0) }) }))),
      h("p", { className: "fg-caption" }, t("Milliseconds for each text")),
      figureBars(rows.map((/** @type {number} */ count, /** @type {number} */ at) => ({ name: String(count), value: ms[at] / count, written: t("{ms} ms", { ms: (ms[at] / count).toFixed(1) }) })), ms[0]),
      h("p", { className: "pg-quiet" }, `${model}, ${t("{count} tokens", { count: tokens })}, ${machine}, ${date}`));
  }
  paint();
  return { element: h("figure", { className: "fg" }, box, h("div", { className: "fg-row" }, measure)) };
}
