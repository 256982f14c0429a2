import assert from "node:assert/strict";
import test from "node:test";

import { newRun } from "../../assets/page/messages.js";
import { orderRanks, orderWords, runAuthor, runEnding, runFacts, runOrigin, trayParts } from "../../assets/page/tray.js";

const frameOf = (pieces, when = pieces.map((piece) => (piece === null ? 0 : 1))) => ({ pieces, when: Uint8Array.from(when), nfe: 7, calls: 6, seconds: 0.94, masks: 0 });

function runOf(given, gaps, pieces) {
  const run = newRun("k", "A", "live");
  const request = { steps: 12, strategy: "random" };
  run.opening = { given, spaces: gaps.map(() => ""), gaps, inherited: [], notices: [], request, model: "bundled", by: "diffusion", origin: null };
  run.frames[3] = frameOf(pieces);
  run.latest = 3;
  return run;
}
const read = (parts) => parts.map((part) => part.text).join("");
const fills = (parts) => parts.filter((part) => part.kind === "fill").map((part) => part.text);

test("ranks leave out steps that wrote nothing that lasts", () => {
  assert.deepEqual(orderRanks(frameOf([" a", null, " c", " d"], [5, 9, 2, 5])), [2, 0, 1, 2]);
  assert.deepEqual(orderRanks(undefined), []);
});

test("an order is said in words, and a long one is cut short", () => {
  assert.equal(orderWords([2, 0, 1]), "order: 2, –, 1");
  assert.equal(orderWords([0, 0]), "order: nothing written yet");
  assert.match(orderWords(Array(30).fill(1)), /, and 6 more$/);
});

test("a short text is shown whole, with its fills and masks apart", () => {
  const run = runOf(["The ", " sat."], [3], ["cat", " so", null]);
  assert.deepEqual(trayParts(run, run.frames[3]), [
    { text: "The ", kind: "given" }, { text: "cat so", kind: "fill" }, { text: "▒", kind: "mask", count: 1 }, { text: " sat.", kind: "given" },
  ]);
});

test("long given text is cut at its outer ends and in the middle, never the fills", () => {
  const long = "word ".repeat(60);
  const run = runOf([`FIRST ${long}before`, `${long}MIDDLE${long}`, `after ${long}LAST`], [1, 1], [" one", " two"]);
  const parts = trayParts(run, run.frames[3], 90);
  assert.deepEqual(fills(parts), [" one", " two"]);
  assert.match(read(parts), /^….*before one.*….* twoafter .*…$/);
  assert.ok(read(parts).length <= 95, read(parts));
});

test("fills that are too long by themselves are cut in their middle", () => {
  const run = runOf(["start of it", "end of it"], [2], [`A${"x".repeat(200)}`, `${"y".repeat(200)}Z`]);
  const text = read(trayParts(run, run.frames[3], 90));
  assert.match(text, /Axxx+…y+Z/);
  assert.ok(text.length <= 95, text);
});

test("characters beyond the first plane are not cut in two", () => {
  const run = runOf(["🐕".repeat(200), ""], [1], ["x"]);
  assert.ok(!/[\ud800-\udbff](?![\udc00-\udfff])/.test(read(trayParts(run, run.frames[3], 41))));
});

test("a run's standing is said in a word or two", () => {
  const run = newRun("k", "A", "live");
  assert.equal(runEnding(run), "waiting");
  run.ended = "running";
  assert.equal(runEnding(run), "waiting");
  run.choosing = { rows: 8, calls: 2 };
  assert.equal(runEnding(run), "choosing the length");
  run.begun = true;
  assert.equal(runEnding(run), "running");
  run.paused = true;
  assert.equal(runEnding(run), "paused");
  run.ended = "time limit";
  assert.equal(runEnding(run), "time limit");
});

test("figures count the passes of a length choice apart", () => {
  const run = runOf(["", ""], [1], [" a"]);
  run.ended = "complete";
  assert.equal(runFacts(run), "3 of 12 steps · 7 passes · 0.9 s · complete · bundled");
  run.choosing = { rows: 40, calls: 3 };
  run.opening.by = "best of 16";
  assert.equal(runFacts(run), "3 of 12 steps · 7 passes + 40 for length · 0.9 s · complete · best of 16");
  assert.equal(runAuthor(newRun("k", "A", "live")), "");
});

test("a card says what its run was branched from and where it comes from", () => {
  const [parent, child] = [runOf([], [], []), runOf([], [], [])];
  parent.name = "r1";
  child.opening.origin = { run: "r1", step: 7 };
  assert.equal(runOrigin([parent, child], child), "from step 7 of A");
  child.source = "opened";
  assert.equal(runOrigin([child], child), "from step 7, whose run is not here, opened from a file");
  assert.equal(runOrigin([parent], parent), "");
});
