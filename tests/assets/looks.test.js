import assert from "node:assert/strict";
import test from "node:test";

import { partsOf, placesOf, withoutDoubleSpaces } from "../../assets/page/looks.js";
import { newRun } from "../../assets/page/messages.js";
import { countPerturbed, perturbation, perturbedText } from "../../assets/page/perturb.js";
import { leastBelieved, withWordAsGap } from "../../assets/page/proofread.js";
import { placeShares, thickness } from "../../assets/page/reads.js";

const given = (text) => ({ text, masks: 0, node: null, place: -1 });
const token = (text, place) => ({ text, masks: 0, node: null, place });
const mask = (place) => ({ text: "", masks: 1, node: null, place });

test("texts and masks that follow one another are joined, and a gap's own space is not doubled", () => {
  const stretches = withoutDoubleSpaces([given("Tom saw "), token(" a", 0), mask(1), mask(2), given(" dog."), given("\n")]);
  assert.deepEqual(partsOf(stretches), ["Tom saw a", 2, " dog.\n"]);
  assert.deepEqual(partsOf(withoutDoubleSpaces([given("Tom "), mask(0)])), ["Tom ", 1]);
});

test("a word that goes on in a gap stands in two stretches", () => {
  const stretches = [given("The f"), token("ox", 0), mask(1), given(" ran")];
  assert.deepEqual(placesOf(stretches, 4, 7), [{ at: 0, from: 4, to: 5 }, { at: 1, from: 0, to: 2 }]);
  assert.deepEqual(placesOf(stretches, 8, 11), [{ at: 3, from: 1, to: 4 }]);
});

const word = (from, to, belief, tokens = 1) => ({ from, to, belief, tokens });

test("the least believed words keep the order of the text, and there is at least one", () => {
  const words = [word(0, 1, -5), word(2, 3, -1), word(4, 5, -9), word(6, 7, -2)];
  assert.deepEqual(leastBelieved(words, 0.5).map(({ from }) => from), [0, 4]);
  assert.deepEqual(leastBelieved(words, 0).map(({ from }) => from), [4]);
});

test("a word becomes a gap of its tokens, what is filled becomes text, and masks stay a gap", () => {
  const stretches = [given("Tom saw"), token(" a", 0), token(" cloud", 1), given(" and "), mask(2), mask(3), given(" it.")];
  const gap = (length) => ({ gap: { length, pins: [] } });
  assert.deepEqual(withWordAsGap(stretches, word(10, 15, -9, 2)), [{ text: "Tom saw a " }, gap(2), { text: " and " }, gap(2), { text: " it." }]);
  assert.deepEqual(withWordAsGap(stretches, word(21, 23, -9)), [{ text: "Tom saw a cloud and " }, gap(2), { text: " " }, gap(1), { text: "." }]);
});

test("shares are placed where the tokens stand, whatever spaces the model read and however much was cut", () => {
  const stretches = [given("Once upon a time Tom saw "), token(" a", 0), mask(1), given("dog today. The end.")];
  const read = [[["Tom", 0.1], [" saw", 0.2]], [[" dog", 0.3], [" today", 0.05], [".", 0.05]]];
  const placed = placeShares(stretches, [2], read, [0.25, 0.05]);
  const told = placed.filter(({ text }) => text).map(({ at, from, to, share }) => [stretches[at].text.slice(from, to), share]);
  assert.deepEqual(told, [["Tom", 0.1], ["saw", 0.2], [" a", 0.25], ["dog", 0.3], ["today", 0.05], [".", 0.05]]);
});

test("shares of several gaps, one of which begins the text, go to their own stretches", () => {
  const stretches = [token("A", 0), given(" cat"), given("\nsat"), token(" down", 1)];
  const placed = placeShares(stretches, [1, 1], [[["<s>", 0.4]], [[" cat", 0.1], ["\n", 0.1], ["sat", 0.1]], []], [0.2, 0.3]);
  const told = placed.map(({ at, from, to, share }) => [stretches[at].text.slice(from, to), share]);
  assert.deepEqual(told.filter(([text]) => text.trim()), [["A", 0.2], ["cat", 0.1], ["sat", 0.1], [" down", 0.3]]);
});

test("the largest share has the thickest line, and small ones are still seen", () => {
  assert.deepEqual(thickness([0.5, 0.125, 0.02, 0]), [5, 3, 1, 0]);
  assert.deepEqual(thickness([]), []);
});

const frameOf = (pieces, when = pieces.map((piece) => (piece === null ? 0 : 1))) => {
  const zeros = new Uint8Array(pieces.length);
  const masks = pieces.filter((piece) => piece === null).length;
  return { pieces, when: Uint8Array.from(when), confidence: zeros, entropy: zeros, nfe: 1, calls: 1, seconds: 0, masks, remask: [], notes: {} };
};

function runOf(label, frames, { inherited = [], origin = null, temperature = 0 } = {}) {
  const run = newRun(label, label, "live");
  run.opening = { given: ["", ""], spaces: [""], gaps: [frames[0].pieces.length], inherited, notices: [], request: { seed: 3, temperature }, model: "toy", by: "diffusion", origin };
  run.frames = frames;
  run.latest = frames.length - 1;
  return run;
}

test("a quarter of what is written is taken back, never what is given, and the same again", () => {
  const pieces = [..."abcdefghij", null, null].map((piece) => piece);
  const run = runOf("A", [frameOf(pieces, [0, ...Array(9).fill(1), 0, 0])]);
  const edits = perturbation(run, run.frames[0], 1);
  assert.equal(edits.length, 2); // a quarter of nine, rounded
  assert.ok(edits.every(({ place, mask: again }) => again && place > 0 && place < 10));
  assert.deepEqual(perturbation(run, run.frames[0], 1), edits);
  assert.notDeepEqual(perturbation(run, run.frames[0], 2), edits);
  assert.deepEqual(perturbation(run, frameOf([null, null]), 0), []);
});

test("changes are direct where a token was taken back and collateral elsewhere", () => {
  const parent = runOf("A", [frameOf([null, null, null, null]), frameOf(["a", "b", null, null]), frameOf(["a", "b", "c", "d"])]);
  const branch = runOf("A′", [frameOf(["a", null, null, null], [0, 0, 0, 0]), frameOf(["a", "x", "c", "y"], [0, 1, 1, 1])], { inherited: [0], origin: { run: "a", step: 1 } });
  assert.deepEqual(countPerturbed(parent, branch), { taken: 1, direct: 1, others: 3, collateral: 1 });
  assert.equal(perturbedText(parent, branch), "A perturbed after step 1: of 1 token taken back 1 became another (direct), of the 3 others 1 did (collateral).");
  branch.opening.request.temperature = 0.7;
  assert.match(perturbedText(parent, branch), /draws anew/);
  branch.frames[1] = frameOf(["a", null, "c", "y"]);
  assert.equal(perturbedText(parent, branch), "", "masks are left");
});
