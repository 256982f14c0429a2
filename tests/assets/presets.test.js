import assert from "node:assert/strict";
import test from "node:test";

import { comparisons, meanConfidence, onlyBudgetDiffers, requestOf } from "../../assets/page/presets.js";
import { newRun } from "../../assets/page/messages.js";

const field = (name, kind, value) => ({ name, label: name, help: "", kind, default: value });
const strategies = ["low_confidence", "left_to_right", "remdm"].map((name) => ({ name, title: `Title of ${name}` }));
const setup = {
  fields: [field("temperature", "float", 0), field("guidance", "float", 0), field("guided_by", "choice", "suffix"), field("banned", "words", [])],
  strategies, limits: { length: 128, gaps: 16, steps: 256 },
};
const draft = {
  text: "Tom went [[12]] home.", strategy: "low_confidence", knobs: { blocks: 2 }, steps: null, model: "", start: null,
  temperature: 0.5, guidance: 0, guided_by: "suffix", banned: ["dog"],
};
const all = (values = {}, hasParent = true) => {
  const made = comparisons(setup, { ...draft, ...values }, { hasParent });
  return Object.fromEntries(made.map((each) => [each.id, each]));
};
let keys = 0;
const asked = (comparison) => comparison.asked(() => `k${++keys}`);
const told = (comparison, name) => asked(comparison).map((each) => each.request[name]);

test("a request has every field, the text and one step for each mask", () => {
  assert.deepEqual(requestOf(setup, draft), {
    temperature: 0.5, guidance: 0, guided_by: "suffix", banned: ["dog"], text: "Tom went [[12]] home.",
    strategy: "low_confidence", knobs: { blocks: 2 }, steps: 12, start: null,
  });
});

test("a request counts 32 masks for a gap that the model measures", () => {
  assert.equal(requestOf(setup, { ...draft, text: "a [[auto]] b [[3]]" }).steps, 35);
  assert.equal(requestOf(setup, { ...draft, steps: 5 }).steps, 5);
});

test("banned words become a list and missing fields their defaults", () => {
  const { temperature, ...rest } = draft;
  const request = requestOf(setup, { ...rest, banned: " cat,dog  big" });
  assert.deepEqual(request.banned, ["cat", "dog", "big"]);
  assert.equal(request.temperature, 0);
});

test("two orders are the form's and another one", () => {
  assert.deepEqual(told(all().orders, "strategy"), ["low_confidence", "left_to_right"]);
  assert.deepEqual(told(all({ strategy: "left_to_right", knobs: {} }).orders, "strategy"), ["left_to_right", "low_confidence"]);
  assert.deepEqual(told(all().orders, "knobs"), [{ blocks: 2 }, {}]);
});

test("every run of a comparison has its own key and the form's settings", () => {
  const runs = asked(all().orders);
  assert.notEqual(runs[0].key, runs[1].key);
  assert.deepEqual(runs.map((run) => [run.request.temperature, run.model, run.by, run.branch]), [[0.5, "", "diffusion", null], [0.5, "", "diffusion", null]]);
});

test("two budgets and a sweep divide the number of masks", () => {
  assert.deepEqual(told(all({ steps: 7 }).budgets, "steps"), [12, 3]);
  assert.deepEqual(told(all().sweep, "steps"), [12, 6, 3, 1]);
  assert.deepEqual(told(all({ text: "a [[4]]" }).sweep, "steps"), [4, 2, 1]);
  assert.match(all({ text: "a [[3]]" }).sweep.reason, /4 masks/);
});

test("no budget is smaller than the strategy can use", () => {
  const probing = { ...setup, strategies: [...strategies, { name: "core", title: "Core", least: 4 }] };
  const made = (text) => Object.fromEntries(comparisons(probing, { ...draft, strategy: "core", knobs: {}, text }, { hasParent: true }).map((each) => [each.id, each]));
  assert.deepEqual(told(made("a [[12]]").sweep, "steps"), [12, 6, 4]);
  assert.deepEqual(told(made("a [[12]]").budgets, "steps"), [12, 4]);
  assert.match(made("a [[6]]").sweep.reason, /4 steps or more/);
  assert.match(made("a [[4]]").budgets.reason, /4 steps or more/);
});

test("second thoughts take twice the steps and the same temperature", () => {
  assert.deepEqual(told(all({ strategy: "left_to_right", steps: 2 }).second, "strategy"), ["low_confidence", "remdm"]);
  assert.deepEqual(told(all().second, "steps"), [12, 24]);
  assert.deepEqual(told(all().second, "temperature"), [0.5, 0.5]);
});

test("without the suffix the text ends with its last gap", () => {
  const text = "\\[[ [[2]] and [[3|1:so]] home.";
  assert.deepEqual(told(all({ text }).suffix, "text"), [text, "\\[[ [[2]] and [[3|1:so]]"]);
  assert.match(all({ text: "Tom [[3]] " }).suffix.reason, /no text after/);
  assert.match(all({ guidance: 1 }).suffix.reason, /guidance/);
  assert.equal(all({ guidance: 1, guided_by: "prefix" }).suffix.reason, "");
});

test("the parent fills one gap of known length without pins", () => {
  assert.deepEqual(asked(all().parent).map((run) => run.by), ["diffusion", "parent", "best of 16"]);
  assert.notEqual(all({}, false).parent.reason, "");
  for (const text of ["a [[2]] b [[2]] c", "a [[auto]] b", "a [[3|1:so]] b", "a [[3]]"]) assert.notEqual(all({ text }).parent.reason, "", text);
  assert.notEqual(all({ model: "another" }).parent.reason, "");
});

test("a text whose gaps cannot be read allows no comparison", () => {
  for (const text of ["no gap", "a [[3", "a [[x]]"]) {
    for (const comparison of Object.values(all({ text }))) assert.match(comparison.reason, /no gap that can be read/);
  }
});

test("an unknown number of masks rules out what divides it", () => {
  const made = all({ text: "a [[auto]] b" });
  for (const id of ["budgets", "second", "sweep", "parent"]) assert.match(made[id].reason, /number of masks/, id);
  assert.equal(made.orders.reason, "");
});

function sweepRun(steps, text = "a") {
  const run = newRun(String(steps), "A", "live");
  run.opening = { given: [text, ""], gaps: [2], by: "diffusion", model: "toy", request: { text, steps } };
  run.frames = [{ pieces: [" a", " b", " c", null], when: Uint8Array.of(1, 2, 0, 0), confidence: Uint8Array.of(255, 51, 255, 255) }];
  return run;
}

test("confidence is averaged over the tokens that steps wrote", () => {
  assert.ok(Math.abs(meanConfidence(sweepRun(1)) - 0.6) < 1e-9);
  assert.equal(meanConfidence(newRun("x", "X", "live")), null);
});

test("only runs that differ in nothing but the budget make a sweep", () => {
  assert.equal(onlyBudgetDiffers([sweepRun(4), sweepRun(2), sweepRun(1)]), true);
  assert.equal(onlyBudgetDiffers([sweepRun(4), sweepRun(2), sweepRun(2)]), false);
  assert.equal(onlyBudgetDiffers([sweepRun(4), sweepRun(2), sweepRun(1, "b")]), false);
  assert.equal(onlyBudgetDiffers([sweepRun(4), sweepRun(2)]), false);
});
