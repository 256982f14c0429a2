// What happened to each slot of a run: the steps that wrote it and those that took it back.

import { directionOf } from "./cells.js";
import { frameAt, pinned, standing } from "./messages.js";

/** @import { Run } from "./types.d.ts" */

/**
 * Returns the steps, from 1, that wrote each slot and that took it back, both [slots], and the number of steps so far.
 * A step that was never received counts as one that changed nothing.
 * @param {Run} run @returns {{ steps: number, written: number[][], taken: number[][] }}
 */
export function historyOf(run) {
  const steps = run.latest;
  const count = frameAt(run, steps)?.pieces.length ?? 0;
  /** @type {number[][]} */
  const written = Array.from({ length: count }, () => []);
  /** @type {number[][]} */
  const taken = Array.from({ length: count }, () => []);
  for (let step = 1; step <= steps; step++) {
    const before = frameAt(run, step - 1), now = run.frames[step];
    if (!before || !now || before.pieces.length !== count) continue;
    for (const at of now.remask) taken[at]?.push(step);
    for (let at = 0; at < count; at++) {
      const empty = before.pieces[at] === null || now.remask.includes(at);
      if (empty && now.pieces[at] !== null) written[at].push(step);
    }
  }
  return { steps, written, taken };
}

/**
 * Returns what a slot is in the newest state.
 * @param {Run} run @param {number} at @returns {"masked" | "written" | "pinned" | "inherited"}
 */
export function stateOfSlot(run, at) {
  const frame = frameAt(run, run.latest);
  if (!frame || frame.pieces[at] === null) return "masked";
  if (!standing(frame, at)) return "written";
  return pinned(run, frame, at) ? "pinned" : "inherited";
}

/**
 * Returns whether the text of a run is read from the right.
 * @param {Run} run
 */
export function readsFromRight(run) {
  const pieces = frameAt(run, run.latest)?.pieces ?? [];
  return directionOf([...(run.opening?.given ?? []), ...pieces].join(" ")) === "rtl";
}

/**
 * Returns the file name for something kept of a run, such as "infill-surest-first.gif".
 * @param {string} title of the strategy @param {string} ending without the dot
 */
export function fileNameOf(title, ending) {
  const words = title.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40);
  return `infill-${words || "run"}.${ending}`;
}
