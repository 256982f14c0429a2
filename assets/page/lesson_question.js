// A question of a lesson: click a position, choose an answer, or give a number; then what is right, and why.

import { h, roving } from "./dom.js";
import { lessonNodes, lessonText } from "./lesson_text.js";
import { t } from "./language.js";

/** @import { LessonAnswer, LessonStep, Run } from "./types.d.ts" */

/**
 * Returns the positions of a run that a rule means, from 0.
 * @param {Run} run @param {string} rule "written first", "written last", "least sure" or "taken back"
 */
export function lessonPlaces(run, rule) {
  const last = run.frames[run.latest];
  const places = last.pieces.map((_, at) => at);
  if (rule === "written first") return places.filter((at) => run.frames[1]?.when[at] === 1);
  if (rule === "written last") return places.filter((at) => last.when[at] === Math.min(run.latest, 255));
  if (rule === "taken back") return places.filter((at) => run.frames.some((frame) => frame?.remask.includes(at)));
  const least = Math.min(...places.filter((at) => last.when[at]).map((at) => last.confidence[at]));
  return places.filter((at) => last.when[at] && last.confidence[at] === least);
}

/** Returns positions in words, such as: “mom” at position 9. @param {Run} run @param {number[]} places */
export function lessonPlaceWords(run, places) {
  const last = run.frames[run.latest];
  return places.map((at) => t("“{word}” at position {place}", { word: (last.pieces[at] ?? "").trim() || "·", place: at + 1 })).join(", ");
}

/**
 * @param {LessonStep} step with `ask`
 * @param {{ facts: Record<string, string>, answered: LessonAnswer | undefined, masks: () => number | null,
 *   runOf: () => Run | undefined, answer: (given: { value: any, right: boolean, words: string, yours: string }) => void, fill: () => void }} context
 */
export function createLessonQuestion(step, { facts, answered, masks, runOf, answer, fill }) {
  const ask = /** @type {NonNullable<LessonStep["ask"]>} */ (step.ask);
  const box = h("div", { className: "ls-question", role: "group", "aria-label": t("Question") }, h("p", { className: "ls-asked" }, ...lessonNodes(t(ask.question), facts)));
  const peeked = h("p", { className: "pg-quiet", hidden: true }, t("You have looked ahead, so this answer does not count."));
  /** @type {number | null} */
  let chosen = null; // a position, of a run that is still to be made
  let painted = "";
  let places = h("div", {});
  const after = h("p", { className: "pg-quiet" });

  if (answered) {
    box.append(...optionsShown(), h("div", { className: "ls-told", tabIndex: -1, role: "status" },
      h("p", { className: answered.right ? "ls-right" : "ls-wrong" }, answered.right ? t("Right.") : t("Not quite."), answered.counted ? "" : ` ${t("(not counted)")}`),
      ...(step.reveal ?? []).map((text) => lessonText(text, { ...facts, answer: answered.words, yours: answered.yours }))));
  } else if (ask.kind === "choice") {
    box.append(h("div", { className: "ls-options" }, ...(ask.options ?? []).map((option, at) =>
      h("button", { type: "button", dataset: { option: at }, onclick: () => answer({ value: at, right: at === ask.answer, words: t(ask.options?.[/** @type {number} */ (ask.answer)] ?? ""), yours: t(option) }) },
        ...lessonNodes(t(option), facts)))), peeked);
  } else if (ask.kind === "number") {
    const input = h("input", { type: "number", inputMode: "decimal", step: "any", "aria-label": t("Your estimate") });
    const give = () => {
      if (input.value === "") return input.focus();
      const value = Number(input.value);
      answer({ value, right: Math.abs(value - Number(ask.answer)) <= (ask.within ?? 0), words: String(ask.answer), yours: input.value });
    };
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") give(); });
    box.append(h("div", { className: "ls-number-row" }, input, h("button", { type: "button", onclick: give }, t("Answer"))), peeked);
  } else {
    box.append(places, after, peeked);
    if (step.own) box.append(h("button", { type: "button", className: "ls-fill", onclick: fill }, t("Fill")));
  }

  /** The options of a choice that was made. @returns {HTMLElement[]} */
  function optionsShown() {
    if (ask.kind !== "choice") return [];
    return [h("ul", { className: "ls-options" }, ...(ask.options ?? []).map((option, at) =>
      h("li", { className: [at === ask.answer ? "ls-right-option" : "", at === answered?.value ? "ls-yours" : ""].join(" ") },
        at === ask.answer ? "✓ " : at === answered?.value ? "✗ " : "", ...lessonNodes(t(option), facts))))];
  }

  /** @param {number} place */
  function choosePlace(place) {
    if (answered || ask.kind !== "place") return;
    const run = runOf();
    chosen = place;
    if (run) settle(run);
    else paint(false);
  }

  /** @param {Run} run */
  function settle(run) {
    if (chosen === null) return;
    const right = lessonPlaces(run, String(ask.answer));
    const place = Math.min(chosen, run.frames[run.latest].pieces.length - 1);
    answer({ value: place, right: right.includes(place), words: lessonPlaceWords(run, right), yours: lessonPlaceWords(run, [place]) });
  }

  /** @param {boolean} looked */
  function paint(looked) {
    peeked.hidden = !looked;
    if (answered || ask.kind !== "place") return;
    const run = runOf();
    if (run && step.own && chosen !== null) return settle(run);
    const count = (step.own ? masks() : run?.frames[0]?.pieces.length) ?? 0;
    const wanted = `${count} ${chosen} ${Boolean(run)}`;
    if (wanted === painted) return;
    painted = wanted;
    const active = document.activeElement;
    const focused = active instanceof HTMLElement && places.contains(active) ? [...places.children].indexOf(active) : -1;
    const pinned = run ? run.frames[0].pieces.map((piece) => piece !== null) : [];
    const buttons = Array.from({ length: count }, (_, at) => h("button", {
      type: "button", dataset: { choose: at }, disabled: Boolean(pinned[at]), "aria-pressed": step.own ? String(at === chosen) : null,
      "aria-label": t("Position {place}", { place: at + 1 }), onclick: () => choosePlace(at),
    }, String(at + 1)));
    const row = h("div", { className: "ls-places", role: "toolbar", "aria-label": t("Positions of the gap") }, ...buttons);
    places.replaceWith(row);
    places = row;
    roving(row, buttons);
    if (focused >= 0) buttons[Math.min(focused, count - 1)]?.focus({ preventScroll: true });
    after.textContent = !step.own ? t("Click it in the text, or choose its number.")
      : !count ? t("Open a gap with a number of masks first.")
      : chosen === null ? t("Write your own text, choose a position, then press Fill.") : t("Now press Fill, and watch.");
  }

  return { element: box, choosePlace, paint };
}
