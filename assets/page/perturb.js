// "Perturb here": take a random quarter of the written tokens back, let the run finish, and say what became another.

import { h } from "./dom.js";
import { frameAt, pinned } from "./messages.js";
import { counted, stepOf, unfinished } from "./timeline.js";
import { parentOf } from "./branch.js";
import { inOneLine, t } from "./language.js";

/** @import { Edit, Frame, Run } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

const TAKEN_BACK = 0.25; // of the written tokens

/** Random numbers in [0, 1) that a seed repeats (mulberry32). @param {number} seed */
function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Returns the changes that take back a random quarter of what is written in a state, at least one token; none if nothing
 * is. What was given stays. The run's seed and the step decide which.
 * @param {Run} run @param {Frame} frame @param {number} step @returns {Edit[]}
 */
export function perturbation(run, frame, step) {
  const written = frame.pieces.flatMap((piece, place) => (piece !== null && !pinned(run, frame, place) ? [place] : []));
  const random = randomFrom((run.opening?.request.seed ?? 0) * 1009 + step);
  const count = written.length && Math.max(1, Math.round(TAKEN_BACK * written.length));
  const taken = written.map((place) => ({ place, lot: random() })).sort((a, b) => a.lot - b.lot).slice(0, count);
  return taken.map(({ place }) => ({ place, mask: true })).sort((a, b) => a.place - b.place);
}

/**
 * Counts, slot by slot, which tokens of a finished branch are others than in its parent's end: among those that were
 * taken back (direct), and among the rest (collateral). Null if the two cannot be compared.
 * @param {Run} parent @param {Run} branch
 */
export function countPerturbed(parent, branch) {
  const step = branch.opening?.origin?.step;
  const [before, start] = [step === undefined ? undefined : frameAt(parent, step), branch.frames[0]];
  const [one, other] = [frameAt(parent, parent.latest), frameAt(branch, branch.latest)];
  if (!before || !start || !one || !other || one.masks || other.masks || one.pieces.length !== other.pieces.length) return null;
  const found = { taken: 0, direct: 0, others: 0, collateral: 0 };
  one.pieces.forEach((piece, at) => {
    if (pinned(branch, start, at)) return;
    const taken = before.pieces[at] !== null && start.pieces[at] === null;
    found[taken ? "taken" : "others"]++;
    if (piece !== other.pieces[at]) found[taken ? "direct" : "collateral"]++;
  });
  return found;
}

/**
 * Returns what a perturbation did, as sentences.
 * @param {Run} parent @param {Run} branch
 */
export function perturbedText(parent, branch) {
  const found = countPerturbed(parent, branch);
  if (!found) return "";
  const drawn = Number(branch.opening?.request.temperature) > 0 ? t("Above temperature 0 a branch draws anew, so some would differ in any case.") : "";
  const values = { label: parent.label, step: branch.opening?.origin?.step ?? 0, ...found, tokens: counted(found.taken, "token") };
  return inOneLine(t("{label} perturbed after step {step}: of {tokens} taken back {direct} became another (direct), of the {others} others {collateral} did (collateral).", values), drawn);
}

/**
 * Adds the button beside "Go on from step k", and the sentence below it.
 * @param {HTMLElement} place @param {Store} store
 * @param {{ branch: (run: Run, step: number, edits: Edit[]) => void, onward: HTMLElement }} options `onward` is shown whenever a run can be branched
 */
export function createPerturb(place, store, { branch, onward }) {
  const button = h("button", {
    type: "button", className: "pg-onward", dataset: { part: "perturb" }, onclick: perturb,
    title: t("Take a random quarter of the written tokens back and finish with the same settings: how much of the text depends on them?"),
  }, t("Perturb here"));
  const line = h("p", { className: "pg-said", role: "status", dataset: { part: "perturbed" } });
  const both = h("div", { className: "pg-onwards" });
  onward.before(both);
  both.append(button, onward);
  place.append(line);
  /** @type {Set<string>} */
  const perturbed = new Set(); // keys of the branches

  function perturb() {
    const [run] = store.shown;
    const step = run ? stepOf(store.state, run, store.state.time) : 0;
    const frame = run && frameAt(run, step);
    if (!run || !frame) return;
    const known = new Set(store.state.runs.map(({ key }) => key));
    branch(run, step, perturbation(run, frame, step));
    for (const { key } of store.state.runs) if (!known.has(key)) perturbed.add(key);
  }

  return {
    paint() {
      const run = store.state.shown.length === 1 ? store.shown[0] : undefined;
      const step = run ? stepOf(store.state, run, store.state.time) : 0;
      const frame = run && frameAt(run, step);
      button.style.visibility = onward.style.visibility !== "hidden" && run && frame && perturbation(run, frame, step).length ? "" : "hidden";
      const parent = run && perturbed.has(run.key) && !unfinished(run) ? parentOf(store.state.runs, run) : undefined;
      const text = parent && run ? perturbedText(parent, run) : "";
      if (line.textContent !== text) line.textContent = text;
    },
  };
}
