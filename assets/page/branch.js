// Branches: a run that goes on from a state of another one, and a text in which a part of a finished run is a gap again.

import { frameAt, spacesBefore, startOf } from "./messages.js";
import { requestOf } from "./presets.js";
import { MAX_GAP, formatTemplate, parseTemplate } from "./template.js";

/** @import { Asked, Draft, Edit, Frame, Run, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */
/** @import { Gap, Segment } from "./template.js" */

/** A word of the bundled model's texts has about this many tokens. */
const BRANCH_TOKENS_PER_WORD = 1.3;

/**
 * Returns how many masks a state has once the edits are made; of two edits of a slot the later one counts.
 * @param {Frame} frame @param {Edit[]} edits
 */
export function masksAfter(frame, edits) {
  const masked = frame.pieces.map((piece) => piece === null);
  for (const edit of edits) {
    if (!(edit.place in masked)) continue;
    if (edit.mask) masked[edit.place] = true;
    else if (edit.take !== undefined) masked[edit.place] = false;
  }
  return masked.filter(Boolean).length;
}

/**
 * Returns whether a text has gaps of the same lengths as a run, so that the run can go on with it.
 * @param {Run} run @param {string} text
 */
export function fitsBranch(run, text) {
  const segments = parseTemplate(text);
  if ("error" in segments) return false;
  const lengths = segments.flatMap((segment) => ("gap" in segment ? [segment.gap.length] : []));
  return JSON.stringify(lengths) === JSON.stringify(run.opening?.gaps);
}

/**
 * Returns what to ask for to go on from a state of `run`: its text, which may have been changed around the gaps, and
 * everything else as the form has it. The budget is one step for each mask that is left, unless the form sets it.
 * @param {Setup} setup @param {Store} store @param {Run} run @param {number} step @param {Edit[]} edits @param {Draft} draft
 * @returns {Asked}
 */
export function branchAsked(setup, store, run, step, edits, draft) {
  const parent = run.opening?.request;
  const frame = frameAt(run, step);
  const masks = frame ? masksAfter(frame, edits) : 1;
  let number = 1;
  while (store.run(`${run.key}.${number}`)) number++;
  const steps = Math.min(setup.limits.steps, draft.steps ?? Math.max(1, masks));
  return {
    key: `${run.key}.${number}`,
    request: { ...parent, ...requestOf(setup, draft), text: fitsBranch(run, draft.text) ? draft.text : parent?.text ?? draft.text, steps, start: null },
    model: draft.model,
    by: "diffusion",
    branch: { run: run.name, step, edits },
  };
}

/**
 * Returns a label for the next branch of a run that no other run has: A′, A″, A‴, A⁗, A.5; and A′.1, A′.2 below A′.
 * @param {Run[]} runs @param {Run} parent
 */
export function branchLabel(runs, parent) {
  const taken = new Set(runs.map((run) => run.label));
  const numbered = /[′″‴⁗]|\.\d+$/.test(parent.label);
  for (let number = 1; ; number++) {
    const ending = numbered || number > 4 ? `.${number}` : "′″‴⁗"[number - 1];
    if (!taken.has(parent.label + ending)) return parent.label + ending;
  }
}

/**
 * Returns the run that `run` was branched from, if it is in the tray.
 * @param {Run[]} runs @param {Run} run
 */
export function parentOf(runs, run) {
  const name = run.opening?.origin?.run;
  return name ? runs.find((other) => other.name === name && other !== run) : undefined;
}

/**
 * Returns the runs in the order of the tray: every branch below its parent, and otherwise the oldest first.
 * @param {Run[]} runs @returns {{ run: Run, depth: number }[]}
 */
export function treeOf(runs) {
  /** @type {Map<Run | undefined, Run[]>} */
  const children = new Map();
  for (const run of runs) {
    const parent = parentOf(runs, run);
    children.set(parent, [...(children.get(parent) ?? []), run]);
  }
  /** @type {{ run: Run, depth: number }[]} */
  const rows = [];
  const seen = new Set();
  /** @param {Run} run @param {number} depth */
  function add(run, depth) {
    if (seen.has(run)) return;
    seen.add(run);
    rows.push({ run, depth });
    for (const child of children.get(run) ?? []) add(child, depth + 1);
  }
  for (const run of children.get(undefined) ?? []) add(run, 0);
  for (const run of runs) add(run, 0); // traces that name each other as parents
  return rows;
}

/**
 * Returns a template in which a selected part of a run's text is a gap, with as many masks as it covers slots and 1.3
 * for each given word; the rest is given text. White space at its ends stays outside, and slots that are still masked
 * are gaps as well. Null if nothing is selected. The selection is in characters of `textOf(run, frame, masked)`.
 * @param {Run} run @param {Frame} frame @param {{ from: number, to: number }} selection @param {string} [masked]
 * @returns {{ text: string, masks: number } | null} the template and the masks in the new gap
 */
export function refillTemplate(run, frame, { from, to }, masked = "") {
  const parts = branchParts(run, frame, masked);
  const whole = parts.map((part) => part.text).join("");
  const chosen = whole.slice(from, to);
  const first = from + chosen.length - chosen.trimStart().length;
  const last = from + chosen.trimEnd().length;
  if (first >= last) return null;
  /** @type {Segment[]} */
  const segments = [];
  /** @type {Gap} */
  const made = { length: 0, pins: [] };
  let at = 0, slots = 0, words = "", opened = false;
  /** @param {string} text */
  const give = (text) => text && segments.push({ text });
  for (const part of parts) {
    const end = at + part.text.length;
    const [start, stop] = [Math.max(first, at), Math.min(last, end)];
    const covered = start < stop;
    if (covered && !part.mask) give(part.text.slice(0, start - at));
    if (covered && !opened) segments.push({ gap: made });
    opened ||= covered;
    if (covered && part.slot) slots++;
    if (covered && !part.slot) words += part.text.slice(start - at, stop - at);
    if (!part.mask) give(covered ? part.text.slice(stop - at) : part.text);
    else if (!covered) segments.push({ gap: { length: 1, pins: [] } });
    at = end;
  }
  const count = words.split(/\s+/).filter(Boolean).length;
  made.length = Math.max(1, slots + Math.round(count * BRANCH_TOKENS_PER_WORD));
  const joined = branchJoined(segments, made);
  made.length = Math.min(MAX_GAP, made.length);
  return { text: formatTemplate(joined), masks: made.length };
}

/**
 * Joins gaps that follow one another, because two cannot stand side by side; `made` stays the same object.
 * @param {Segment[]} segments @param {Gap} made @returns {Segment[]}
 */
function branchJoined(segments, made) {
  /** @type {Segment[]} */
  const joined = [];
  for (const segment of segments) {
    const last = joined.at(-1);
    if (!("gap" in segment) || !last || !("gap" in last)) {
      joined.push(segment);
      continue;
    }
    const [kept, other] = segment.gap === made ? [made, last.gap] : [last.gap, segment.gap];
    kept.length = (kept.length ?? 0) + (other.length ?? 0);
    joined[joined.length - 1] = { gap: kept };
  }
  return joined;
}

/**
 * Returns a run's text in parts: given text, and slots.
 * @param {Run} run @param {Frame} frame @param {string} masked @returns {{ text: string, slot: boolean, mask: boolean }[]}
 */
function branchParts(run, frame, masked) {
  const { given, gaps } = run.opening ?? { given: [], gaps: [] };
  return given.flatMap((text, gap) => {
    if (gap >= gaps.length) return [{ text, slot: false, mask: false }];
    const start = startOf(gaps, gap);
    const pieces = frame.pieces.slice(start, start + gaps[gap]);
    const before = text + spacesBefore(run, frame, gap);
    return [{ text: before, slot: false, mask: false }, ...pieces.map((piece) => ({ text: piece ?? masked, slot: true, mask: piece === null }))];
  });
}
