// The time on the scrubber. With one run on the stage it is the step. With several it is passes, or per cent of the masks
// filled, so that runs of unequal length share one scrubber.

import { frameAt } from "./messages.js";
import { t } from "./language.js";

/** @import { Frame, PageState, Run } from "./types.d.ts" */

const CLOSE = 1e-9; // shares of masks are fractions; two that differ by less are the same
const BEHIND = 64; // up to this many states behind a run, about a second, one is shown per frame; further behind, several

/** Returns the runs on the stage. @param {PageState} state @returns {Run[]} */
export const stagedRuns = (state) =>
  /** @type {Run[]} */ (state.shown.map((key) => state.runs.find((run) => run.key === key)).filter(Boolean));

/**
 * Returns the run whose slot is chosen, or else the first run on the stage.
 * @param {PageState} state @returns {Run | undefined}
 */
export function paneRun(state) {
  const runs = stagedRuns(state);
  return runs.find((run) => run.key === state.pane) ?? runs[0];
}

/** Returns whether a run may still get new states. @param {Run} run */
export const unfinished = (run) => run.ended === "running" || run.ended === "asked";

/** @param {PageState} state @returns {"steps" | "passes" | "progress"} */
const unitOf = (state) => (stagedRuns(state).length > 1 ? state.by : "steps");

/** Returns the times at which a run's steps begin. @param {"steps" | "passes" | "progress"} unit @param {Run} run */
function timesOf(unit, run) {
  /** @type {number[]} */
  const times = [];
  const least = run.frames[0]?.masks ?? frameAt(run, run.latest)?.pieces.length ?? 0;
  let before = 0;
  for (let step = 0; step <= run.latest; step++) {
    const frame = run.frames[step];
    if (frame && unit === "passes") before = Math.max(before, frame.nfe);
    // A step that takes tokens back does not turn the clock back.
    if (frame && unit === "progress") before = Math.max(before, least ? (100 * (least - frame.masks)) / least : 100);
    times.push(unit === "steps" ? step : before);
  }
  return times;
}

/** Returns the last time on the scrubber; the first is 0. @param {PageState} state @returns {number} */
export function endOf(state) {
  const unit = unitOf(state);
  if (unit === "progress") return 100;
  return Math.max(0, ...stagedRuns(state).map((run) => (unit === "steps" ? run.latest : timesOf(unit, run)[run.latest])));
}

/**
 * Returns the step of a run at a time: by passes the last step that needed no more, by progress the first step that
 * filled as much.
 * @param {PageState} state @param {Run} run @param {number} time @returns {number}
 */
export function stepOf(state, run, time) {
  const unit = unitOf(state);
  if (unit === "steps") return Math.max(0, Math.min(run.latest, Math.floor(time + CLOSE)));
  const times = timesOf(unit, run);
  if (unit === "passes") return Math.max(0, times.filter((each) => each <= time + CLOSE).length - 1);
  // At the end every run shows its last step, also one that refines its text after the last mask is filled.
  if (time >= 100) return run.latest;
  const first = times.findIndex((each) => each >= time - CLOSE);
  return first < 0 ? run.latest : first;
}

/**
 * Returns a time at which a run shows a step, or one close to it where no time does.
 * @param {PageState} state @param {Run} run @param {number} step @returns {number}
 */
export function timeOf(state, run, step) {
  step = Math.max(0, Math.min(run.latest, step));
  const unit = unitOf(state);
  if (unit === "progress" && step === run.latest) return 100;
  return timesOf(unit, run)[step];
}

/**
 * Returns the next time, or with `direction` -1 the one before, at which some run on the stage changes.
 * @param {PageState} state @param {number} time @param {1 | -1} direction @returns {number}
 */
export function nextTime(state, time, direction) {
  const unit = unitOf(state);
  const end = endOf(state);
  if (unit === "steps") return Math.max(0, Math.min(end, Math.floor(time + CLOSE) + direction));
  const times = [0, end, ...stagedRuns(state).flatMap((run) => timesOf(unit, run))];
  if (direction > 0) return Math.min(end, ...times.filter((each) => each > time + CLOSE));
  return Math.max(0, ...times.filter((each) => each < time - CLOSE));
}

/**
 * Returns the time that a page which keeps up with its runs shows next.
 * @param {PageState} state @param {boolean} atOnce without the states in between @returns {number}
 */
export function followed(state, atOnce) {
  const end = endOf(state);
  if (!state.following || state.time >= end) return state.time;
  return atOnce ? end : Math.min(end, state.time + Math.ceil((end - state.time) / BEHIND));
}

/** Returns a time in words. @param {PageState} state @param {number} time @returns {string} */
export function timeLabel(state, time) {
  const unit = unitOf(state);
  if (unit === "progress") return t("{share} % filled", { share: Math.round(time) });
  if (unit === "passes") return t("pass {pass} of {end}", { pass: Math.round(time), end: endOf(state) });
  const run = stagedRuns(state)[0];
  return run ? stepLabel(run, stepOf(state, run, time)) : t("step {step}", { step: 0 });
}

/** Returns "step 3 of 12" or, while a run may need fewer, "step 3 of up to 12". @param {Run} run @param {number} step */
export const stepLabel = (run, step) => (unfinished(run) && run.opening
  ? t("step {step} of up to {steps}", { step, steps: Math.max(run.latest, run.opening.request.steps) })
  : t("step {step} of {steps}", { step, steps: run.latest }));

/** Returns a number and its noun; literals, so that a test can find them. @param {number} count @param {string} one @param {string} many */
export const counted = (count, one, many = `${one}s`) => t(`{count} ${count === 1 ? one : many}`, { count });

/** Returns "1 mask left" or "3 masks left". @param {number} count */
export const masksLeft = (count) => t(count === 1 ? "{count} mask left" : "{count} masks left", { count });

/**
 * Returns the frame of a run at the time on the screen, and its step.
 * @param {PageState} state @param {Run} run @returns {[number, Frame | undefined]}
 */
export function frameNow(state, run) {
  const step = stepOf(state, run, state.time);
  return [step, frameAt(run, step)];
}
