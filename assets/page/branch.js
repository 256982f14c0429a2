// Branches: a run that goes on from a state of another one, and the tree that such runs make.

import { frameAt } from "./messages.js";
import { requestOf } from "./presets.js";
import { parseTemplate } from "./template.js";

/** @import { Asked, Draft, Edit, Frame, Run, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

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
