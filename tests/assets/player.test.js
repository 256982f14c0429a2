// What the player's counters say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newRun } from "../../assets/page/messages.js";
import { playerCounters, scrubberText } from "../../assets/page/player.js";

function run(key, frames) {
  const made = newRun(key, key.toUpperCase(), "recorded");
  made.frames = frames.map((frame) => ({ pieces: ["a", null], masks: 1, nfe: 0, calls: 0, seconds: 0, ...frame }));
  made.latest = frames.length - 1;
  made.ended = "complete";
  return made;
}
const staged = (runs, time, by = "passes") => ({ runs, shown: runs.map(({ key }) => key), by, time, pane: "" });
const texts = (state) => playerCounters(state).map(({ text }) => text);

test("the counters say step, passes, masks and seconds", () => {
  const one = run("a", [{ masks: 2 }, { nfe: 1, calls: 1, seconds: 0.14 }, { masks: 0, nfe: 2, calls: 2, seconds: 0.26 }]);
  assert.deepEqual(texts(staged([one], 1)), ["step 1 of 2", "1 pass", "1 mask left", "0.1 s"]);
  assert.equal(scrubberText(staged([one], 2)), "step 2 of 2, 0 masks left");
});

test("calls are said only where they differ from passes", () => {
  const guided = run("a", [{}, { nfe: 2, calls: 1 }]);
  assert.deepEqual(texts(staged([guided], 1)).slice(1, 3), ["2 passes", "in 1 call"]);
});

test("the passes that chose the length stand beside those of the run", () => {
  const chosen = { ...run("a", [{}, { nfe: 1, calls: 1 }]), choosing: { rows: 31, calls: 4 } };
  assert.equal(texts(staged([chosen], 1))[2], "+ 31 passes to choose the length");
});

test("no step is longer than the place that a counter holds", () => {
  const long = run("a", Array.from({ length: 13 }, (_, step) => ({ nfe: step, calls: step, masks: 12 - step, pieces: Array(12), seconds: step })));
  for (let time = 0; time <= 12; time++) {
    for (const { text, widest } of playerCounters(staged([long], time))) assert.ok(text.length <= widest.length, `${text} | ${widest}`);
  }
});

test("in a comparison every run has its step", () => {
  const [a, b] = [run("a", [{ nfe: 0 }, { nfe: 1 }, { nfe: 2 }]), run("b", [{ nfe: 0 }, { nfe: 2, masks: 0 }])];
  assert.deepEqual(texts(staged([a, b], 1)), ["pass 1 of 2", "A: step 1, 1 mask left", "B: step 0, 1 mask left"]);
});

test("a run that was asked for and has no state yet waits for the model", () => {
  const asked = newRun("a", "A", "live");
  assert.deepEqual(texts(staged([asked], 0)), ["waiting for the model"]);
});
