import assert from "node:assert/strict";
import test from "node:test";

import { differences, orderCorrelation, sameGaps, tauB } from "../../assets/page/compare.js";
import { newRun } from "../../assets/page/messages.js";

function runOf(label, given, states, when = states.at(-1).map(() => 1)) {
  const run = newRun(label, label, "live");
  run.opening = { given, gaps: [states[0].length] };
  run.frames = states.map((pieces) => ({ pieces, when: Uint8Array.from(when) }));
  run.latest = states.length - 1;
  return run;
}
const given = ["The ", " sat."];

test("slots differ where both runs have a token and not the same one", () => {
  const a = runOf("A", given, [[null, null, null], [" cat", null, " it"]]);
  const b = runOf("B", given, [[null, null, null], [" dog", " so", " it"]]);
  assert.deepEqual([...differences(a, 1, b, 1)], [0]);
  assert.deepEqual([...differences(a, 0, b, 1)], []);
  assert.deepEqual([...differences(a, 1, a, 1)], []);
});

test("a dropped state is compared by the one before it", () => {
  const a = runOf("A", given, [[null], [" cat"], [" cow"]]);
  delete a.frames[2];
  const b = runOf("B", given, [[" dog"]]);
  assert.deepEqual([...differences(a, 2, b, 0)], [0]);
});

test("runs of another text or another number of masks have no differences", () => {
  const a = runOf("A", given, [[" cat"]]);
  const other = runOf("B", ["A ", " sat."], [[" dog"]]);
  const longer = runOf("C", given, [[" dog", " so"]]);
  assert.equal(differences(a, 0, other, 0).size, 0);
  assert.equal(differences(a, 0, longer, 0).size, 0);
  assert.equal(sameGaps(a, other), false);
  assert.equal(sameGaps(a, newRun("D", "D", "live")), false);
});

test("tau-b is 1 for the same order and -1 for the reverse", () => {
  assert.equal(tauB([1, 2, 3, 4], [10, 20, 30, 40]), 1);
  assert.equal(tauB([1, 2, 3, 4], [4, 3, 2, 1]), -1);
});

test("tau-b counts ties as scipy.stats.kendalltau does", () => {
  assert.ok(Math.abs(tauB([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) - -0.4714045207910316) < 1e-12);
  assert.ok(Math.abs(tauB([1, 1, 2, 3], [1, 2, 2, 3]) - 0.8) < 1e-12);
});

test("tau-b is not defined if one side ranks everything the same", () => {
  assert.equal(tauB([1, 1, 1], [1, 2, 3]), null);
  assert.equal(tauB([1], [1]), null);
  assert.equal(tauB([], []), null);
});

test("orders are correlated over the slots that both runs wrote", () => {
  const a = runOf("A", given, [[" a", " b", " c", null]], [1, 2, 3, 0]);
  const b = runOf("B", given, [[" a", " b", null, " d"]], [2, 1, 0, 3]);
  assert.equal(orderCorrelation(a, b), -1);
  assert.equal(orderCorrelation(a, runOf("C", ["x", "y"], [[" a", " b", " c", null]], [1, 2, 3, 0])), null);
});
