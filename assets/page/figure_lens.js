// One step under the lens: from logits over temperature and nucleus to a draw, and from the draws to what is committed.

import { figureBars, figureChoice, figureRandom, figureSlider } from "./figure_parts.js";
import { h } from "./dom.js";
import { t } from "./language.js";

/** @import { FigureContext, LessonFigure, Lens, LensPosition } from "./types.d.ts" */

/**
 * Returns the probabilities of a position's listed tokens at a temperature, and of all others together.
 * @param {LensPosition} position @param {number[]} temperatures @param {number} temperature one of them
 */
export function lensProbabilities({ tops, tail }, temperatures, temperature) {
  const weights = tops.map(([, logit]) => Math.exp(logit / temperature));
  const others = Math.exp(tail[temperatures.findIndex((each) => Math.abs(each - temperature) < 1e-6)]);
  const sum = weights.reduce((total, each) => total + each, others);
  return { listed: weights.map((each) => each / sum), others: others / sum };
}

/** Returns how many of the likeliest tokens reach a mass; null if more than are listed. @param {number[]} listed @param {number} mass */
export function nucleusOf(listed, mass) {
  let sum = 0;
  for (let count = 0; count < listed.length; count++) {
    sum += listed[count];
    if (sum >= mass - 1e-9) return count + 1;
  }
  return null;
}

const LENS_SHOWN = 7;

/** @param {LessonFigure} asked @param {FigureContext} context */
export function createLensFigure(asked, { table, askAboutStage, say }) {
  let lens = /** @type {Lens} */ (table);
  let at = 0, temperature = 1, mass = 1, seed = 0;
  /** @type {number | null} */
  let drawn = null; // rank, or -1 for one that is not listed
  let places = choice();
  const bars = h("div", {});
  const sums = h("p", { className: "fg-sum", role: "status" });
  const sure = h("div", {});
  const degrees = (/** @type {number} */ value) => value.toFixed(1);
  const warm = figureSlider(t("Temperature"), { min: 0.1, max: 2, step: 0.1, value: temperature }, degrees, (value) => { temperature = Math.round(10 * value) / 10; drawn = null; paint(); });
  const nucleus = figureSlider(t("Nucleus (top-p)"), { min: 0.05, max: 1, step: 0.05, value: mass }, (value) => value.toFixed(2), (value) => { mass = value; drawn = null; paint(); });
  const dice = h("button", { type: "button", onclick: draw }, t("Draw a token"));
  const mine = h("button", { type: "button", title: t("The state on the stage, if its model is loaded"), onclick: () => void look() }, t("Look at the step on the stage"));

  /** Returns the row of positions; a function, because another step has others. */
  function choice() {
    const entries = lens.positions.map(({ place }) => ({ name: String(place + 1), label: t("Position {place}", { place: place + 1 }) }));
    return figureChoice(t("Masked positions"), entries, 0, (chosen) => {
      at = chosen;
      drawn = null;
      paint();
    });
  }

  const kept = () => {
    const { listed, others } = lensProbabilities(lens.positions[at], lens.temperatures, temperature);
    return { listed, others, count: nucleusOf(listed, mass) };
  };

  function draw() {
    const { listed, others, count } = kept();
    const open = listed.slice(0, count ?? listed.length);
    const sum = open.reduce((total, each) => total + each, count === null ? others : 0);
    let left = figureRandom(++seed * 7919)() * sum;
    drawn = open.findIndex((each) => (left -= each) < 0);
    paint();
  }

  async function look() {
    const found = await askAboutStage("lens");
    if (!found.table) return say(found.error ?? "", true);
    lens = found.table;
    at = 0;
    drawn = null;
    const fresh = choice();
    places.replaceWith(fresh);
    places = fresh;
    paint();
  }

  function paint() {
    const { listed, count } = kept();
    const rows = lens.positions[at].tops.slice(0, LENS_SHOWN).map(([text, logit], rank) => ({
      name: text.trim() || "␣", value: listed[rank], written: `${logit.toFixed(1)} → ${(100 * listed[rank]).toFixed(1)} %`,
      mark: [count !== null && rank >= count ? "fg-cut" : "", rank === drawn ? "fg-hit" : ""].join(" "),
    }));
    const rest = 1 - listed.slice(0, LENS_SHOWN).reduce((sum, each) => sum + each, 0);
    rows.push({ name: t("others"), value: rest, written: `${(100 * rest).toFixed(1)} %`, mark: count !== null && count <= LENS_SHOWN ? "fg-cut" : "" });
    bars.replaceChildren(figureBars(rows, 1));
    const open = count === null ? t("more than {count} tokens are in the nucleus", { count: listed.length }) : count === 1 ? t("1 token is in the nucleus") : t("{count} tokens are in the nucleus", { count });
    const word = drawn === null ? "" : drawn < 0 ? ` ${t("Drawn: a token further down the list.")}` : ` ${t("Drawn: “{word}”.", { word: lens.positions[at].tops[drawn][0].trim() })}`;
    sums.textContent = `${t("Of {all} tokens, {open}.", { all: lens.tokens, open })}${word}`;
    const confidences = lens.positions.map((position) => lensProbabilities(position, lens.temperatures, 1).listed[0]);
    const best = Math.max(...confidences);
    sure.replaceChildren(h("p", { className: "fg-caption" }, t("The likeliest token of each position: “surest first” commits the longest bar")),
      figureBars(lens.positions.map(({ place, tops }, index) => ({
        name: `${place + 1} ${tops[0][0].trim()}`, value: confidences[index], written: `${(100 * confidences[index]).toFixed(0)} %`, mark: confidences[index] === best ? "fg-hit" : "",
      })), 1));
  }
  paint();
  return { element: h("figure", { className: "fg" }, places, bars, warm.element, nucleus.element, h("div", { className: "fg-row" }, dice, mine), sums, sure) };
}
