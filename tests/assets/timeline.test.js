// The scrubber's time: steps for one run, passes or progress for several.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newRun } from "../../assets/page/messages.js";
import { endOf, followed, nextTime, paneRun, stepOf, timeLabel, timeOf } from "../../assets/page/timeline.js";

/** A run whose state `step` has `masks[step]` masks and took `passes[step]` passes; null is a state that was dropped. */
function run(key, masks, passes) {
  const made = newRun(key, key, "recorded");
  made.frames = masks.map((count, step) => {
    if (count === null) return undefined;
    const pieces = Array.from({ length: masks[0] }, (_, at) => (at < count ? null : "a"));
    return { pieces, masks: count, nfe: passes[step], calls: passes[step], seconds: 0, remask: [], notes: {} };
  });
  made.latest = masks.length - 1;
  made.ended = "complete";
  return made;
}
const staged = (runs, more = {}) => ({ runs, shown: runs.map(({ key }) => key), by: "passes", time: 0, pane: "", ...more });

const four = run("four", [4, 3, 2, 1, 0], [0, 1, 2, 3, 4]);
const two = run("two", [4, 2, 0], [0, 2, 4]);
const guided = run("guided", [4, 2, 0], [0, 4, 8]);
const wavering = run("wavering", [4, 1, 2, 1, 0], [0, 1, 2, 3, 4]); // takes a token back in step 2

test("with one run the time is its step", () => {
  const state = staged([four]);
  assert.equal(endOf(state), 4);
  assert.deepEqual([-1, 0, 2, 9].map((time) => stepOf(state, four, time)), [0, 0, 2, 4]);
  assert.equal(timeLabel(state, 3), "step 3 of 4");
});

test("a run that goes on may need fewer steps than its budget", () => {
  const going = { ...run("going", [4, 3], [0, 1]), ended: "running", opening: { request: { steps: 16 } } };
  assert.equal(timeLabel(staged([going]), 1), "step 1 of up to 16");
});

test("by passes each run shows the last step that needed no more", () => {
  const state = staged([four, guided]);
  assert.equal(endOf(state), 8);
  assert.deepEqual([0, 3, 4, 7, 8].map((time) => stepOf(state, guided, time)), [0, 0, 1, 1, 2]);
  assert.deepEqual([0, 3, 4, 8].map((time) => stepOf(state, four, time)), [0, 3, 4, 4]);
  assert.equal(timeLabel(state, 3), "pass 3 of 8");
});

test("by progress each run shows the first step that filled as much", () => {
  const state = staged([four, two], { by: "progress" });
  assert.equal(endOf(state), 100);
  assert.deepEqual([0, 1, 25, 26, 50, 75, 100].map((time) => stepOf(state, four, time)), [0, 1, 1, 2, 2, 3, 4]);
  assert.deepEqual([0, 25, 50, 51, 100].map((time) => stepOf(state, two, time)), [0, 1, 1, 2, 2]);
  assert.equal(timeLabel(state, 58.3), "58 % filled");
});

test("a token that is taken back does not turn progress back", () => {
  const state = staged([wavering, two], { by: "progress" });
  assert.deepEqual([75, 76, 100].map((time) => stepOf(state, wavering, time)), [1, 4, 4]);
});

test("at the end of progress a run shows its last step, though it was filled before", () => {
  const refining = run("refining", [2, 0, 0, 0], [0, 1, 2, 3]);
  assert.equal(stepOf(staged([refining, two], { by: "progress" }), refining, 100), 3);
});

test("a run that had no mask to fill shows its other steps at the end", () => {
  const full = run("full", [0, 0, 0], [0, 1, 2]);
  const state = staged([full, two], { by: "progress" });
  assert.deepEqual([50, 100].map((time) => stepOf(state, full, time)), [0, 2]);
});

test("a state that was dropped takes the time of the one before it", () => {
  const holed = run("holed", [4, null, 2, 1], [0, null, 2, 3]);
  const state = staged([holed, two]);
  assert.deepEqual([0, 1, 2, 3].map((time) => stepOf(state, holed, time)), [1, 1, 2, 3]);
});

test("a step's time shows that step", () => {
  for (const by of ["passes", "progress"]) {
    const state = staged([four, guided], { by });
    for (const each of [four, guided]) {
      for (let step = 0; step <= each.latest; step++) assert.equal(stepOf(state, each, timeOf(state, each, step)), step);
    }
  }
});

test("forward and back stop where some run changes", () => {
  const state = staged([two, guided]);
  const onwards = [0];
  while (onwards.at(-1) < endOf(state)) onwards.push(nextTime(state, onwards.at(-1), 1));
  assert.deepEqual(onwards, [0, 2, 4, 8]);
  assert.deepEqual([8, 3, 2, 0].map((time) => nextTime(state, time, -1)), [4, 2, 0, 0]);
  assert.deepEqual([4, 0].map((time) => nextTime(staged([four]), time, 1)), [4, 1]);
});

test("a page that keeps up shows each state, or several at once when far behind", () => {
  const long = run("long", Array(101).fill(1), Array(101).fill(0));
  const state = staged([long], { following: true });
  assert.equal(followed(state, false), 2);
  assert.equal(followed({ ...state, time: 90 }, false), 91);
  assert.equal(followed(state, true), 100);
  assert.equal(followed({ ...state, following: false }, false), 0);
});

test("the pane of a slot is a run on the stage", () => {
  assert.equal(paneRun(staged([four, two], { pane: "two" })), two);
  assert.equal(paneRun(staged([four, two], { pane: "gone" })), four);
  assert.equal(paneRun(staged([])), undefined);
});
