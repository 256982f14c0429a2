// The cells of the order map, and where its columns stand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { borderBetween, cellText, columnAt, columnsFit, evenColumns, mapCells, slotName } from "../../assets/page/map.js";
import { NATS, newRun } from "../../assets/page/messages.js";

/**
 * A run of four slots. The second is pinned. Step 1 writes the first, step 2 takes it back and writes the third, step 3
 * writes the first again. The fourth stays masked.
 */
function sample() {
  const run = newRun("k", "A", "recorded");
  const frame = (pieces, when, confidence, entropy, remask = []) => ({
    pieces, when: Uint8Array.from(when), confidence: Uint8Array.from(confidence), entropy: Uint8Array.from(entropy),
    nfe: 0, calls: 0, seconds: 0, masks: pieces.filter((piece) => piece === null).length, remask, notes: {},
  });
  run.frames = [
    frame([null, "b", null, null], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]),
    frame([" a", "b", null, null], [1, 0, 0, 0], [255, 0, 51, 0], [0, 0, 3 * NATS, 9 * NATS]),
    frame([null, "b", "c", null], [0, 0, 2, 0], [0, 0, 102, 51], [0, 0, NATS, NATS], [0]),
    frame([" d", "b", "c", null], [3, 0, 2, 0], [153, 0, 102, 51], [NATS, 0, 0, NATS]),
  ];
  run.latest = 3;
  run.ended = "stopped";
  run.opening = { gaps: [2, 2], inherited: [] };
  return run;
}
const each = (cells, key) => cells.map((row) => row.map((cell) => cell[key]));

test("a cell has the confidence of the step that asked about its slot", () => {
  assert.deepEqual(each(mapCells(sample(), "confidence"), "level"), [
    [null, null, null, null], [1, null, 0.2, 0], [null, null, 0.4, 0.2], [0.6, null, null, 0.2],
  ]);
});

test("entropy is cut off at six nats", () => {
  const levels = each(mapCells(sample(), "entropy"), "level");
  assert.deepEqual(levels[1], [0, null, 0.5, 1]);
});

test("the order is darker for slots that were written earlier in the end", () => {
  const levels = each(mapCells(sample(), "order"), "level");
  assert.equal(levels[1][2], 1 - 1 / 3);
  assert.equal(levels[1][0], 1 - 2 / 3);
  assert.equal(levels[3][3], null);
});

test("cells say what was written, taken back and given", () => {
  const cells = mapCells(sample(), "confidence");
  const marked = (key) => each(cells, key).map((row) => row.map(Number).join(""));
  assert.deepEqual(marked("written"), ["0000", "1000", "0010", "1000"]);
  assert.deepEqual(marked("taken"), ["0000", "0000", "1000", "0000"]);
  assert.deepEqual(marked("given"), ["0100", "0100", "0100", "0100"]);
});

test("a state that was dropped has empty cells", () => {
  const run = sample();
  delete run.frames[2];
  assert.deepEqual(mapCells(run, "confidence")[2], Array(4).fill({ level: null, written: false, taken: false, given: false }));
});

test("cells are named by their gap and told in words", () => {
  const run = sample();
  assert.equal(slotName(run, 2), "position 1 of gap 2");
  assert.equal(cellText(run, 3, 0), "step 3, position 1 of gap 1: “␣d”, written in step 3 at 60 %");
  assert.equal(cellText(run, 2, 0), "step 2, position 1 of gap 1: taken back");
  assert.equal(cellText(run, 2, 1), "step 2, position 2 of gap 1: “b”, given");
  assert.equal(cellText(run, 2, 3), "step 2, position 2 of gap 2: masked, best guess at 20 %");
});

test("columns are mirrored for text that runs from right to left", () => {
  assert.deepEqual(evenColumns(3, 30, false).map(({ left }) => left), [0, 10, 20]);
  assert.deepEqual(evenColumns(3, 30, true).map(({ left }) => left), [20, 10, 0]);
  assert.deepEqual(evenColumns(2, 1000, true), [{ left: 952, width: 48 }, { left: 904, width: 48 }]);
});

test("a border between gaps stands in the middle between their columns", () => {
  const [a, b] = [{ left: 0, width: 10 }, { left: 30, width: 10 }];
  assert.equal(borderBetween(a, b), 20);
  assert.equal(borderBetween(b, a), 20);
});

test("a click beside all columns means the nearest one", () => {
  const columns = [{ left: 0, width: 10 }, { left: 30, width: 10 }];
  assert.deepEqual([5, 12, 26, 99].map((x) => columnAt(columns, x)), [0, 0, 1, 1]);
});

test("columns that reach beyond the map are not used", () => {
  const columns = [{ left: 0, width: 10 }, { left: 30, width: 10 }];
  assert.ok(columnsFit(columns, 2, 40));
  assert.ok(!columnsFit(columns, 2, 30));
  assert.ok(!columnsFit(columns, 3, 40));
  assert.ok(!columnsFit([{ left: -20, width: 10 }, ...columns], 3, 40));
});
