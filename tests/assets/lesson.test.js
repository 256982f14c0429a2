// Lessons: what their figures compute, what a question counts as right, and where a link leads.

import assert from "node:assert/strict";
import { test } from "node:test";
import { beatenBy, natsOf } from "../../assets/page/figure_sampler.js";
import { distancesOf, jointOf, productOf } from "../../assets/page/figure_joint.js";
import { causalRows, entryAt } from "../../assets/page/figure_adaptation.js";
import { lensProbabilities, nucleusOf } from "../../assets/page/figure_lens.js";
import { lessonAsked, lessonScore } from "../../assets/page/lesson.js";
import { lessonPlaces } from "../../assets/page/lesson_question.js";
import { maskedAt } from "../../assets/page/figure_forward.js";

const close = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

test("two words that go together are written apart in half of all cases", () => {
  const joint = jointOf(0.5, 1), product = productOf(joint);
  assert.deepEqual(joint, [[0.5, 0], [0, 0.5]]);
  assert.deepEqual(product, [[0.25, 0.25], [0.25, 0.25]]);
  const { variation, nats } = distancesOf(joint, product);
  close(variation, 0.5);
  close(nats, Math.log(2));
});

test("words that do not depend on each other may be written at once", () => {
  const joint = jointOf(0.3, 0);
  const { variation, nats } = distancesOf(joint, productOf(joint));
  close(variation, 0);
  close(nats, 0);
  for (const tie of [0, 0.4, 1]) close(jointOf(0.3, tie).flat().reduce((a, b) => a + b), 1);
});

test("the same noise masks more and more as the rate grows, and the share is the rate", () => {
  const few = maskedAt(2000, 0.2, 7), many = maskedAt(2000, 0.6, 7);
  assert.ok(few.every((masked, at) => !masked || many[at]));
  assert.ok(Math.abs(many.filter(Boolean).length / 2000 - 0.6) < 0.03);
  assert.ok(maskedAt(50, 1, 1).every(Boolean));
});

test("temperature and nucleus act on the whole distribution, listed or not", () => {
  const position = { place: 0, tops: [["a", 0], ["b", Math.log(0.5)]], tail: [Math.log(0.25), Math.log(0.5)] }; // 1, 1/2 and, unlisted, 1/4 = two of 1/8 say
  const warm = lensProbabilities(position, [1, 2], 1);
  close(warm.listed[0], 1 / 1.75);
  close(warm.others, 0.25 / 1.75);
  const hot = lensProbabilities(position, [1, 2], 2);
  close(hot.listed[1], Math.SQRT1_2 / (1 + Math.SQRT1_2 + 0.5));
  assert.equal(nucleusOf([0.6, 0.3], 0.6), 1);
  assert.equal(nucleusOf([0.6, 0.3], 0.61), 2);
  assert.equal(nucleusOf([0.6, 0.3], 0.95), null);
});

test("an order costs what each word costs when it is written", () => {
  const orders = { pieces: ["a", "b"], text: "", nats: [[3, 1], [null, 4], [0.5, null]], orders: [{ name: "left to right", order: [0, 1], nats: 7 }, { name: "worst of all orders", order: [0, 1], nats: 7 }] };
  assert.equal(natsOf(orders, [0, 1]), 7);
  assert.equal(natsOf(orders, [1, 0]), 1.5);
  assert.equal(beatenBy(orders, [1, 0]), 1); // the worst of all is no rival
  assert.equal(beatenBy(orders, [0, 1]), 0);
});

test("places are found in the run itself", () => {
  const frame = (pieces, when, confidence, remask = []) => ({ pieces, when, confidence, remask });
  const run = { latest: 3, frames: [
    frame([null, null, null], [0, 0, 0], [0, 0, 0]), frame([null, "b", null], [0, 1, 0], [0, 200, 0]),
    frame(["a", null, null], [2, 0, 0], [90, 0, 0], [1]), frame(["a", "c", "d"], [2, 3, 3], [90, 80, 250]),
  ] };
  assert.deepEqual(lessonPlaces(run, "written first"), [1]);
  assert.deepEqual(lessonPlaces(run, "written last"), [1, 2]);
  assert.deepEqual(lessonPlaces(run, "least sure"), [1]);
  assert.deepEqual(lessonPlaces(run, "taken back"), [1]);
});

test("a link leads to a step of a lesson, never past its end, and a wrong one says so", () => {
  const lessons = [{ number: 1, length: 4 }, { number: 2, length: 3 }];
  assert.equal(lessonAsked("", lessons), null);
  assert.deepEqual(lessonAsked("?lesson=2", lessons), { number: 2, step: 0, trouble: "" });
  assert.deepEqual(lessonAsked("?lesson=2.3&hide=tray", lessons), { number: 2, step: 2, trouble: "" });
  assert.equal(lessonAsked("?lesson=1.99", lessons).step, 3);
  for (const wrong of ["?lesson=3", "?lesson=x", "?lesson=1.", "?lesson=0", "?lesson=1e1"]) {
    const asked = lessonAsked(wrong, lessons);
    assert.equal(asked.number, 0);
    assert.match(asked.trouble, /lessons are 1 to 2/);
  }
});

test("only answers that count are in the score", () => {
  assert.deepEqual(lessonScore([{ right: true, counted: true }, { right: false, counted: true }, { right: true, counted: false }]), { right: 1, of: 2 });
});

test("the entry of a step is the last one before it", () => {
  const entries = [{ step: 0 }, { step: 10 }, { step: 20 }];
  assert.deepEqual(causalRows(3), ["100", "110", "111"]);
  assert.deepEqual([0, 9, 10, 99].map((step) => entryAt(entries, step).step), [0, 0, 10, 20]);
});
