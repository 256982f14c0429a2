// Two words that depend on each other: their true joint distribution, what writing both at once draws from, and the distance.

import { figureRandom, figureSlider } from "./figure_parts.js";
import { h } from "./dom.js";
import { t } from "./language.js";

/** @import { LessonFigure } from "./types.d.ts" */

/**
 * Returns a joint distribution of two words with two choices each: with probability `tie` the second word goes with the
 * first, else it is drawn by itself with the same shares.
 * @param {number} share of the first pair, in (0, 1) @param {number} tie from 0 to 1
 */
export function jointOf(share, tie) {
  const p = [share, 1 - share];
  return p.map((a, first) => p.map((b, second) => a * (tie * Number(first === second) + (1 - tie) * b)));
}

/** Returns the product of a joint's marginals, which writing all words in one pass draws from. @param {number[][]} joint */
export function productOf(joint) {
  const rows = joint.map((row) => row[0] + row[1]);
  const columns = [0, 1].map((at) => joint[0][at] + joint[1][at]);
  return rows.map((a) => columns.map((b) => a * b));
}

/**
 * Returns how far two distributions are apart: total variation, and KL(joint || product) in nats, the mutual information.
 * @param {number[][]} joint @param {number[][]} product
 */
export function distancesOf(joint, product) {
  const pairs = joint.flatMap((row, a) => row.map((p, b) => [p, product[a][b]]));
  return {
    variation: pairs.reduce((sum, [p, q]) => sum + Math.abs(p - q), 0) / 2,
    nats: pairs.reduce((sum, [p, q]) => sum + (p > 0 ? p * Math.log(p / q) : 0), 0),
  };
}

const JOINT_DRAWS = 20;

/** @param {LessonFigure} asked with `firsts` and `seconds`, two words each */
export function createJointFigure(asked) {
  const firsts = /** @type {string[]} */ (asked.firsts), seconds = /** @type {string[]} */ (asked.seconds);
  let share = 0.5, tie = 1, seed = 0;
  const grids = h("div", { className: "fg-grids" });
  const sums = h("p", { className: "fg-sum", role: "status" });
  const drawn = h("p", { role: "status" });
  const tieSlider = figureSlider(t("How much the second word depends on the first"), { min: 0, max: 1, step: 0.05, value: tie }, (value) => `${Math.round(100 * value)} %`, (value) => { tie = value; paint(); });
  const shareSlider = figureSlider(t("Share of “{words}”", { words: `${firsts[0]} ${seconds[0]}` }), { min: 0.05, max: 0.95, step: 0.05, value: share }, (value) => `${Math.round(100 * value)} %`, (value) => { share = value; paint(); });

  /** @param {string} title @param {number[][]} p */
  const grid = (title, p) => h("table", { className: "fg-grid-table" }, h("caption", {}, title),
    h("thead", {}, h("tr", {}, h("td", {}), ...seconds.map((word) => h("th", { scope: "col" }, word)))),
    h("tbody", {}, ...firsts.map((word, a) => h("tr", {}, h("th", { scope: "row" }, word),
      ...seconds.map((_, b) => h("td", { style: { "--share": p[a][b].toFixed(3) } }, `${(100 * p[a][b]).toFixed(0)} %`))))));

  /** @param {boolean} together */
  function draw(together) {
    const random = figureRandom(++seed);
    const joint = jointOf(share, tie), from = together ? productOf(joint) : joint;
    const counts = [[0, 0], [0, 0]];
    for (let number = 0; number < JOINT_DRAWS; number++) {
      const rows = from.map((row) => row[0] + row[1]);
      const a = random() < rows[0] ? 0 : 1;
      counts[a][random() < from[a][0] / rows[a] ? 0 : 1]++;
    }
    const words = counts.flatMap((row, a) => row.map((count, b) => (count ? `${count} × ${firsts[a]} ${seconds[b]}` : ""))).filter(Boolean);
    drawn.textContent = `${together ? t("At once:") : t("One by one:")} ${words.join(", ")}`;
  }

  function paint() {
    const joint = jointOf(share, tie), product = productOf(joint);
    const { variation, nats } = distancesOf(joint, product);
    grids.replaceChildren(grid(t("The truth"), joint), grid(t("Both at once"), product));
    sums.textContent = t("Distance: total variation {variation}, KL divergence {nats} nats.", { variation: variation.toFixed(2), nats: nats.toFixed(2) });
  }
  paint();
  return { element: h("figure", { className: "fg" }, grids, sums, tieSlider.element, shareSlider.element,
    h("div", { className: "fg-row" }, h("button", { type: "button", onclick: () => draw(true) }, t("Write 20 at once")), h("button", { type: "button", onclick: () => draw(false) }, t("Write 20 one by one"))), drawn) };
}
