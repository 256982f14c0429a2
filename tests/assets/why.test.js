// What "why this token" says, and the changes that it collects for a branch.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newRun } from "../../assets/page/messages.js";
import { announcement, candidateNames, candidateTracks, editsText, explainingStep, heldCandidates, shareText, spreadLabels, trackPath, whyHeading, whyNone, withEdit } from "../../assets/page/why.js";

/** A run of three slots: the second is pinned; step 1 writes the first, step 2 takes it back, step 3 writes both. */
function sample(inherited = []) {
  const run = newRun("k", "A", "recorded");
  const frame = (pieces, when, remask = []) => ({
    pieces, when: Uint8Array.from(when), confidence: Uint8Array.from([117, 0, 117]), entropy: new Uint8Array(3),
    nfe: 0, calls: 0, seconds: 0, masks: pieces.filter((piece) => piece === null).length, remask, notes: {},
  });
  run.frames = [
    frame([null, " b", null], [0, 0, 0]), frame([" dog", " b", null], [1, 0, 0]),
    frame([null, " b", null], [0, 0, 0], [0]), frame([" cat", " b", "s"], [3, 0, 3]),
  ];
  Object.assign(run, { latest: 3, ended: "complete", begun: true, opening: { given: ["A", "."], spaces: [""], gaps: [3], inherited } });
  return run;
}
const at = (run, time, more = {}) => ({ runs: [run], shown: ["k"], by: "passes", time, pane: "k", ...more });

test("a slot is explained by the step shown if it asked about it, else by the step that wrote it", () => {
  const { frames } = sample();
  assert.equal(explainingStep(frames[0], 0, 0), 0);
  assert.equal(explainingStep(frames[1], 1, 0), 1);
  assert.equal(explainingStep(frames[1], 1, 2), 1);
  assert.equal(explainingStep({ ...frames[1] }, 2, 0), 1);
  assert.equal(explainingStep(frames[3], 3, 1), 0);
});

test("the heading says the slot, the step and what became of it", () => {
  const run = sample();
  const heading = (step, place, of = run) => whyHeading(of, of.frames[step], step, place);
  assert.equal(heading(0, 0), "Position 1: masked");
  assert.equal(heading(1, 0), "Position 1: “dog”, written in step 1 at 46 %");
  assert.equal(heading(1, 2), "Position 3, step 1: still masked");
  assert.equal(heading(2, 0), "Position 1, step 2: taken back");
  assert.equal(heading(1, 1), "Position 2: “b”");
  assert.equal(heading(1, 2, { ...run, opening: { ...run.opening, gaps: [2, 1] } }), "Position 1 of gap 2, step 1: still masked");
});

test("a slot without candidates says why it has none", () => {
  const run = sample();
  assert.equal(whyNone(run, run.frames[1], 1), "Given; the model reads it and never changes it.");
  assert.equal(whyNone(sample([1]), run.frames[1], 1), "Taken over from the run that this one branched from.");
  assert.equal(whyNone(run, run.frames[0], 0), "The model has not been asked yet.");
});

test("candidates lose their leading space only if no other has the same name", () => {
  assert.deepEqual(candidateNames([" dog", " big", "\n", " "]), ["dog", "big", "↵", "␣"]);
  assert.deepEqual(candidateNames([" s", "s", " t"]), ["␣s", "s", "t"]);
});

test("small probabilities have a decimal", () => {
  assert.deepEqual([1, 0.46, 0.0999, 0.0099, 0].map(shareText), ["100 %", "46 %", "10 %", "1.0 %", "0.0 %"]);
});

test("a replay's candidates are found whether or not they begin with state 0", () => {
  const run = sample();
  const [one, two, three] = [[[["a", 1]]], [[["b", 1]]], [[["c", 1]]]];
  assert.equal(heldCandidates({ ...run, candidates: [[], one, two, three] }, 2), two);
  assert.equal(heldCandidates({ ...run, candidates: [one, two, three] }, 2), two);
  assert.equal(heldCandidates(run, 2), null);
});

test("a line of the chart leaves out the steps at which its candidate is not known", () => {
  const known = new Map([[3, [[["a", 0.7], ["b", 0.2]]]], [1, [[["b", 0.5]]]], [2, [[]]]]);
  assert.deepEqual(candidateTracks(known, 0, ["a", "b", "c"]), [[[3, 0.7]], [[1, 0.5], [3, 0.2]], []]);
});

test("a line has a gap at a known step that lacks its candidate, and none at a step that nobody asked for", () => {
  const path = (steps) => trackPath([[1, 0.5], [4, 1]], steps, (step) => step, (share) => share);
  assert.equal(path([1, 4]), "M1.0 0.5h0.1L4.0 1.0");
  assert.equal(path([1, 3, 4]), "M1.0 0.5h0.1M4.0 1.0h0.1");
});

test("labels keep their order, their distance and the frame", () => {
  assert.deepEqual(spreadLabels([50, 50, 10], 12, 0, 100), [50, 62, 10]);
  assert.deepEqual(spreadLabels([100, 99, 98], 12, 0, 100), [100, 88, 76]);
  assert.deepEqual(spreadLabels([-5, 0], 12, 0, 100), [0, 12]);
});

test("a second change of a slot replaces the first, and the same one drops it", () => {
  const masked = withEdit([], { place: 1, mask: true });
  assert.deepEqual(withEdit(masked, { place: 1, lock: true }), [{ place: 1, lock: true }]);
  assert.deepEqual(withEdit(masked, { place: 2, take: 0 }), [{ place: 1, mask: true }, { place: 2, take: 0 }]);
  assert.deepEqual(withEdit(masked, { place: 1, mask: true }), []);
});

test("the changes are told in words", () => {
  const edits = [{ place: 0, mask: true }, { place: 2, lock: true }, { place: 1, take: 1 }];
  assert.equal(editsText(sample(), edits), "3 changes: position 1 masked again, position 3 locked, position 2 gets candidate 2");
});

test("a step is announced in one sentence, the end with its text", () => {
  const run = sample();
  assert.equal(announcement(at(run, 1), run), "Step 1: wrote “dog”, 1 mask left.");
  assert.equal(announcement(at(run, 2), run), "Step 2: took back “dog”, 2 masks left.");
  assert.equal(announcement(at(run, 3), run), "Complete after 3 steps. The gap reads: cat bs");
  assert.equal(announcement(at({ ...run, ended: "running" }, 3), { ...run, ended: "running" }), "Step 3: wrote “cat”, “s”, 0 masks left.");
});

test("a run without a state, one that failed and one that chooses its length are announced", () => {
  assert.equal(announcement(at(newRun("k", "A", "live"), 0), newRun("k", "A", "live")), "Waiting for the model.");
  assert.equal(announcement(at(sample(), 0), { ...sample(), ended: "failed" }), "The run failed.");
  assert.equal(announcement(at(sample(), 0), { ...sample(), ended: "running", begun: false }), "Choosing the number of masks.");
});

test("in a comparison the announcement names the run", () => {
  const [run, other] = [sample(), { ...sample(), key: "o", label: "B" }];
  const state = { runs: [run, other], shown: ["k", "o"], by: "progress", time: 50, pane: "k" };
  assert.equal(announcement(state, other), "Run B: Step 1: wrote “dog”, 1 mask left.");
});
