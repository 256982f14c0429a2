import assert from "node:assert/strict";
import test from "node:test";

import { branchAsked, branchLabel, masksAfter, parentOf, treeOf } from "../../assets/page/branch.js";
import { newRun } from "../../assets/page/messages.js";

const fields = [
  { name: "seed", label: "Seed", help: "", kind: "int", default: 0 },
  { name: "banned", label: "Banned words", help: "", kind: "words", default: [] },
];
const setup = { fields, strategies: [], limits: { length: 128, gaps: 16, steps: 256 } };
const draft = { text: "Another text [[2]]", strategy: "random", knobs: { eta: 1 }, steps: null, model: "small", start: null, seed: 7, banned: "cat, dog" };

const frameOf = (pieces) => {
  const when = Uint8Array.from(pieces, (piece, at) => (piece === null ? 0 : at + 1));
  const zeros = new Uint8Array(pieces.length);
  const masks = pieces.filter((piece) => piece === null).length;
  return { pieces, when, confidence: zeros, entropy: zeros, nfe: 1, calls: 1, seconds: 0, masks, remask: [], notes: {} };
};

function finished(label, given, gaps, pieces, origin = null, name = label.toLowerCase()) {
  const run = newRun(label, label, "live");
  const request = { text: "Tom [[3]] home.", prefix: "", suffix: "", length: null, strategy: "left_to_right", knobs: {}, steps: 3, start: null, seed: 1 };
  run.name = name;
  run.opening = { given, spaces: gaps.map(() => ""), gaps, inherited: [], notices: [], request, model: "toy", by: "diffusion", origin };
  run.frames = [frameOf(pieces.map(() => null)), frameOf(pieces)];
  run.latest = 1;
  return run;
}
const storeOf = (runs) => ({ state: { runs }, run: (key) => runs.find((run) => run.key === key) });
const tom = () => finished("A", ["Tom", " home."], [3], [" ran", " all", " the"]);

test("of two edits of a slot the later one counts", () => {
  const frame = frameOf([" a", null, null, " d"]);
  assert.equal(masksAfter(frame, []), 2);
  assert.equal(masksAfter(frame, [{ place: 1, take: 2 }, { place: 0, mask: true }, { place: 3, lock: true }]), 2);
  assert.equal(masksAfter(frame, [{ place: 1, take: 2 }, { place: 1, mask: true }]), 2);
  assert.equal(masksAfter(frame, [{ place: 1, take: 0 }, { place: 9, mask: true }]), 1);
});

test("a branch has its parent's text and the form's settings", () => {
  const run = tom();
  const edits = [{ place: 1, mask: true }];
  const asked = branchAsked(setup, storeOf([run]), run, 1, edits, draft);
  assert.equal(asked.request.text, "Tom [[3]] home.");
  assert.equal(asked.request.strategy, "random");
  assert.deepEqual(asked.request.knobs, { eta: 1 });
  assert.deepEqual(asked.request.banned, ["cat", "dog"]);
  assert.equal(asked.request.seed, 7);
  assert.equal(asked.request.steps, 1);
  assert.equal(asked.model, "small");
  assert.deepEqual(asked.branch, { run: "a", step: 1, edits });
  assert.equal(asked.key, "A.1");
  assert.equal(branchAsked(setup, storeOf([run, { key: "A.1" }]), run, 1, edits, draft).key, "A.2");
});

test("a branch takes one step for each mask unless the form sets the steps", () => {
  const run = tom();
  const store = storeOf([run]);
  assert.equal(branchAsked(setup, store, run, 0, [], draft).request.steps, 3);
  assert.equal(branchAsked(setup, store, run, 1, [], draft).request.steps, 1);
  assert.equal(branchAsked(setup, store, run, 0, [], { ...draft, steps: 9 }).request.steps, 9);
});

test("every branch of a run gets a label of its own", () => {
  const runs = [{ label: "A" }];
  for (const expected of ["A′", "A″", "A‴", "A⁗", "A.5", "A.6"]) {
    const label = branchLabel(runs, runs[0]);
    assert.equal(label, expected);
    runs.push({ label });
  }
  assert.equal(branchLabel(runs, { label: "A′" }), "A′.1");
  assert.equal(branchLabel([...runs, { label: "A′.1" }], { label: "A′" }), "A′.2");
  assert.equal(branchLabel(runs, { label: "my run" }), "my run′");
});

test("branches stand below their parents, the oldest first", () => {
  const a = tom(), b = finished("B", [], [], []);
  const first = finished("A′", [], [], [], { run: "a", step: 2 });
  const inner = finished("A′.1", [], [], [], { run: "a′", step: 1 });
  const orphan = finished("C′", [], [], [], { run: "gone", step: 1 });
  const runs = [a, b, orphan, first, inner];
  assert.deepEqual(treeOf(runs).map(({ run, depth }) => [run.label, depth]), [["A", 0], ["A′", 1], ["A′.1", 2], ["B", 0], ["C′", 0]]);
  assert.equal(parentOf(runs, inner), first);
  assert.equal(parentOf(runs, orphan), undefined);
});

test("runs that name each other or themselves as parents are all listed", () => {
  const x = finished("X", [], [], [], { run: "y", step: 1 });
  const y = finished("Y", [], [], [], { run: "x", step: 1 });
  const self = finished("Z", [], [], [], { run: "z", step: 1 });
  assert.deepEqual(treeOf([x, y, self]).map(({ run }) => run.label).sort(), ["X", "Y", "Z"]);
});
