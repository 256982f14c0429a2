// Be the sampler: the reader chooses the order in which given words are written, and is scored in nats beside known orders.

import { figureBars } from "./figure_parts.js";
import { h, roving } from "./dom.js";
import { t } from "./language.js";

/** @import { FigureContext, LessonFigure, Orders } from "./types.d.ts" */

/** Returns the nats of writing words in an order. @param {Orders} orders @param {number[]} order */
export function natsOf({ nats }, order) {
  let state = 0, sum = 0;
  for (const place of order) {
    sum += nats[state][place] ?? 0;
    state |= 1 << place;
  }
  return sum;
}

const SAMPLER_NAMES = {
  "left to right": () => t("left to right"), "outside in": () => t("outside in"), "surest first": () => t("surest first"),
  "least entropy first": () => t("least entropy first"), "best of all orders": () => t("the best of all orders"),
  "worst of all orders": () => t("the worst of all orders"), "mean of all orders": () => t("random: the mean of all orders"),
};
const SAMPLER_RIVALS = ["left to right", "outside in", "surest first", "least entropy first", "mean of all orders"];

/** Returns how many of the five rivals an order beats. @param {Orders} orders @param {number[]} order */
export const beatenBy = (orders, order) => orders.orders.filter(({ name, nats }) => SAMPLER_RIVALS.includes(name) && natsOf(orders, order) < nats - 1e-6).length;

/** @param {LessonFigure} asked @param {FigureContext} context */
export function createSamplerFigure(asked, { table, askAboutStage, say }) {
  let orders = /** @type {Orders} */ (table);
  /** @type {number[]} */
  let order = [];
  let words = h("div", {});
  const sums = h("p", { className: "fg-sum", role: "status" });
  const result = h("div", {});
  const again = h("button", { type: "button", onclick: () => { order = []; paint(); words.querySelector("button")?.focus(); } }, t("Again"));
  const mine = h("button", { type: "button", title: t("A finished run of at most 8 masks, if its model is loaded"), onclick: () => void take() }, t("Use the run on the stage"));

  async function take() {
    const found = await askAboutStage("orders");
    if (!found.table) return say(found.error ?? "", true);
    orders = found.table;
    order = [];
    paint();
  }

  function paint() {
    const focused = words.contains(document.activeElement);
    const buttons = orders.pieces.map((piece, place) => {
      const turn = order.indexOf(place);
      return h("button", {
        type: "button", className: turn < 0 ? "fg-masked" : "", disabled: turn >= 0, dataset: { word: place },
        "aria-label": turn < 0 ? t("Write “{word}”", { word: piece.trim() }) : t("“{word}”, written as number {turn}", { word: piece.trim(), turn: turn + 1 }),
        onclick: () => { order = [...order, place]; paint(); },
      }, h("span", {}, piece.trim() || "·"), h("small", {}, turn < 0 ? " " : `${turn + 1} · ${(orders.nats[order.slice(0, turn).reduce((state, each) => state | (1 << each), 0)][place] ?? 0).toFixed(2)}`));
    });
    const row = h("div", { className: "fg-words", role: "toolbar", "aria-label": t("Words to write, one after the other") }, ...buttons);
    words.replaceWith(row);
    words = row;
    roving(row, buttons);
    if (focused) (buttons.find((button) => !button.disabled) ?? again).focus({ preventScroll: true });
    const sum = natsOf(orders, order);
    const done = order.length === orders.pieces.length;
    sums.textContent = done ? t("Your order costs {nats} nats; it beats {count} of five known orders.", { nats: sum.toFixed(2), count: beatenBy(orders, order) })
      : order.length ? t("{nats} nats so far. Which word next?", { nats: sum.toFixed(2) }) : t("The words are fixed. Which one do you write first?");
    result.replaceChildren();
    if (!done) return;
    const rows = [...orders.orders.map(({ name, nats }) => ({ name: /** @type {Record<string, () => string>} */ (SAMPLER_NAMES)[name]?.() ?? name, value: nats, written: nats.toFixed(2), mark: "" })),
      { name: t("you"), value: sum, written: sum.toFixed(2), mark: "fg-hit" }].sort((a, b) => a.value - b.value);
    result.append(h("p", { className: "fg-caption" }, t("Nats that each order costs: fewer is better")), figureBars(rows));
  }
  const element = h("figure", { className: "fg" }, h("p", { className: "fg-context" }, orders.text.replace(/\[\[.*?\]\]/, "▢".repeat(3))), words, sums, result, h("div", { className: "fg-row" }, again, mine));
  paint();
  return { element };
}
