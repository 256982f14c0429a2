// Reads the server's messages (app/trace/messages.py) into runs whose every state can be painted by itself.

/** @import { Closing, Frame, Message, Replay, Run, State } from "./types.d.ts" */

export const NATS = 24; // an entropy byte divided by this is in nats, as in app/trace/messages.py

/** @param {string} text */
const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/**
 * Returns a run without states.
 * @param {string} key @param {string} label @param {Run["source"]} source @returns {Run}
 */
export function newRun(key, label, source) {
  return {
    key, label, source, name: "", opening: null, frames: [], latest: 0, ended: "asked", begun: false, paused: false, waiting: "",
    choosing: { rows: 0, calls: 0 }, closing: null, candidates: null, expired: false, fitted: source !== "live",
  };
}

/**
 * Adds a message to a run. A dropped message leaves a hole, which the closing message fills.
 * @param {Run} run @param {Message | Replay} message
 */
export function receive(run, message) {
  if (run.closing || (run.name && run.name !== message.run)) return; // late messages of a run that has ended
  run.name = message.run;
  run.begun = message.begun;
  run.choosing = message.choosing;
  run.waiting = "waiting" in message ? message.waiting ?? "" : "";
  if ("states" in message) {
    readClosing(run, message);
  } else {
    if (message.opening) run.opening = message.opening;
    // While the number of masks is being chosen every message is a new state 0.
    if (!message.begun || message.step === 0) run.frames = [];
    run.frames[message.step] = frameOf(message, message.step, message.pieces);
  }
  run.latest = message.step;
  run.ended = message.ended;
}

/** @param {Run} run @param {Closing | Replay} closing */
function readClosing(run, closing) {
  /** @type {(string | null)[]} */
  let pieces = Array(closing.length).fill(null);
  run.frames = closing.states.map((state, step) => {
    pieces = pieces.slice();
    for (const [at, piece] of Object.entries(state.changes)) pieces[Number(at)] = piece;
    return frameOf(state, step, pieces);
  });
  run.opening = closing.opening;
  if ("candidates" in closing) run.candidates = closing.candidates;
  run.closing = closing;
}

/** @param {State} state @param {number} step @param {(string | null)[]} pieces @returns {Frame} */
function frameOf(state, step, pieces) {
  const empty = () => new Uint8Array(pieces.length);
  const frame = {
    pieces, when: empty(), confidence: empty(), entropy: empty(),
    nfe: state.nfe, calls: state.calls, seconds: state.seconds,
    masks: pieces.filter((piece) => piece === null).length, remask: state.remask ?? [], notes: state.notes ?? {},
  };
  if (!step) return frame;
  frame.when = bytes(state.when ?? "");
  frame.confidence = bytes(state.confidence ?? "");
  const entropies = bytes(state.entropy ?? "").values(); // one per slot asked about, from left to right
  for (let at = 0; at < pieces.length; at++) if (asked(frame, step, at)) frame.entropy[at] = entropies.next().value ?? 0;
  return frame;
}

/**
 * Returns whether a step asked the model about a slot, that is, whether it was masked before the step.
 * @param {Frame} frame @param {number} step @param {number} at
 */
export const asked = (frame, step, at) =>
  step > 0 && !standing(frame, at) && (frame.when[at] === 0 || frame.when[at] === Math.min(step, 255));

/**
 * Returns whether a slot has a piece that no step committed: a pinned word, or one that a branch took over.
 * @param {Frame} frame @param {number} at
 */
export const standing = (frame, at) => frame.pieces[at] !== null && frame.when[at] === 0;

/**
 * Returns whether a slot's piece was given and can never change.
 * @param {Run} run @param {Frame} frame @param {number} at
 */
export const pinned = (run, frame, at) => standing(frame, at) && !run.opening?.inherited.includes(at);

/**
 * Returns the state at a step; for a hole, the one before it.
 * @param {Run} run @param {number} step @returns {Frame | undefined}
 */
export function frameAt(run, step) {
  step = Math.min(step, run.frames.length - 1);
  while (step > 0 && !run.frames[step]) step--;
  return run.frames[step];
}

/**
 * Returns the gap of a slot and its place in that gap, both from 0.
 * @param {number[]} gaps @param {number} at @returns {[number, number]}
 */
export function gapOf(gaps, at) {
  let gap = 0;
  for (const length of gaps) {
    if (at < length) break;
    at -= length;
    gap++;
  }
  return [gap, at];
}

/** Returns the first slot of a gap. @param {number[]} gaps @param {number} gap */
export const startOf = (gaps, gap) => gaps.slice(0, gap).reduce((sum, length) => sum + length, 0);

/** Writes white space so that one can see it. @param {string} piece */
export const visible = (piece) => piece.replace(/ /g, "␣").replace(/\n/g, "↵").replace(/\t/g, "⇥");

/**
 * Returns the text with the fills of a state; `masked` stands for every mask.
 * @param {Run} run @param {Frame} frame @param {string} masked
 */
export function textOf(run, frame, masked) {
  const opening = run.opening;
  if (!opening) return "";
  return opening.given.map((part, gap) => {
    if (gap === opening.gaps.length) return part;
    const start = startOf(opening.gaps, gap);
    const pieces = frame.pieces.slice(start, start + opening.gaps[gap]);
    return part + spacesBefore(run, frame, gap) + pieces.map((piece) => piece ?? masked).join("");
  }).join("");
}

/**
 * Returns the typed spaces before a gap that the given text lacks; the fill's first token may carry one of them.
 * @param {Run} run @param {Frame} frame @param {number} gap
 */
export function spacesBefore(run, frame, gap) {
  if (!run.opening) return "";
  const spaces = run.opening.spaces[gap];
  const first = frame.pieces[startOf(run.opening.gaps, gap)];
  return first?.startsWith(" ") ? spaces.slice(1) : spaces;
}

/** @param {number} byte of confidence */
export const percent = (byte) => `${Math.round(byte / 2.55)} %`;
