// What is kept of a run: the table, the picture, the GIF's layout and the page's file. tests/export compares them with
// what the command line writes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { csvOf, csvText } from "../../assets/page/csv.js";
import { gifGiven, gifItems, gifPlace, gifToken } from "../../assets/page/gif_layout.js";
import { fileNameOf, historyOf, readsFromRight, stateOfSlot } from "../../assets/page/history.js";
import { newRun } from "../../assets/page/messages.js";
import { escapeJson, pageTitleOf, webPageOf } from "../../assets/page/page_file.js";
import { pictureHead, pictureText, pictureWidth, svgOf } from "../../assets/page/picture.js";

/** Makes a run of states given as [pieces, when, remask]. */
function made(states, opening = {}) {
  const run = newRun("a", "A", "recorded");
  run.opening = {
    given: ["Tom ", " ran."], spaces: [""], gaps: [states[0][0].length], inherited: [], notices: [], model: "bundled",
    request: { strategy: "p2" }, by: "diffusion", origin: null, ...opening,
  };
  run.frames = states.map(([pieces, when, remask = []], step) => ({
    pieces, when: Uint8Array.from(when), confidence: Uint8Array.from(when, (each) => (each ? 204 : 51)), entropy: Uint8Array.from(when, () => 36),
    nfe: step, calls: step, seconds: step, masks: pieces.filter((piece) => piece === null).length, remask, notes: {},
  }));
  run.latest = states.length - 1;
  run.ended = "complete";
  return run;
}
// Slot 0 is pinned, slot 1 was taken over, slot 2 is written, taken back and written again, slot 3 in one step.
const BACK = made([
  [["the", " old", null, null], [0, 0, 0, 0]],
  [["the", " old", " cat", null], [0, 0, 1, 0]],
  [["the", " old", null, " sat"], [0, 0, 0, 2], [2]],
  [["the", " old", " dog", " lay"], [0, 0, 3, 3], [3]],
], { inherited: [1] });

test("the history knows every write and every token taken back", () => {
  assert.deepEqual(historyOf(BACK), { steps: 3, written: [[], [], [1, 3], [2, 3]], taken: [[], [], [2], [3]] });
  assert.deepEqual([0, 1, 2, 3].map((at) => stateOfSlot(BACK, at)), ["pinned", "inherited", "written", "written"]);
});

test("a state that never arrived changes nothing", () => {
  const holey = made([[[null], [0]], [["a"], [1]], [["a"], [1]]]);
  delete holey.frames[2];
  assert.deepEqual(historyOf(holey).written, [[1]]);
});

test("the table has a row for each slot and leaves out what no step wrote", () => {
  assert.equal(csvOf(BACK), `\ufeff${[
    "gap,position,token,state,step,confidence,entropy,taken_back",
    '1,1,"the",pinned,,,,0', '1,2," old",inherited,,,,0', '1,3," dog",written,3,0.800,1.500,1', '1,4," lay",written,3,0.800,1.500,1', "",
  ].join("\r\n")}`);
});

test("a formula and an apostrophe at the beginning get an apostrophe that can be removed again", () => {
  for (const text of ["=1", "+", "-x", "@a", " =1", "\t", "\n", "'", "''", "＝1"]) assert.equal(csvText(text), `"'${text}"`);
  for (const text of ["a=1", "", " ", "…"]) assert.equal(csvText(text), `"${text}"`);
  assert.equal(csvText('say "x"'), '"say ""x"""');
});

test("the picture is text, whatever the tokens are", () => {
  const picture = svgOf(made([[[null], [0]], [["</text><script>\u0000"], [1]]]), { title: "<b>", dark: true });
  assert.ok(!/<script|<b>|\u0000/.test(picture));
  assert.match(picture, />&lt;\/text&gt;&lt;script&gt;\ufffd</);
  assert.match(picture, /fill="#111827"/);
  assert.equal(pictureText("\ud800a\ufffe"), "\ufffda\ufffd");
});

test("heads of columns are short, and left out where there is no room", () => {
  assert.deepEqual([" dog", " ", "\n", null, "abcdefghijklmnopqr"].map(pictureHead), ["dog", "␣", "↵", "–", "abcdefghijklmno…"]);
  const pieces = Array(128).fill("word");
  const picture = svgOf(made([[pieces.map(() => null), pieces.map(() => 0)], [pieces, pieces.map(() => 1)]]), { title: "" });
  assert.ok(!picture.includes(">word<"));
  assert.ok(Number(picture.match(/width="([\d.]+)"/)[1]) <= 1132);
  assert.ok(pictureWidth("中", 10) > pictureWidth("a", 10));
  assert.equal(pictureWidth("e\u0301", 10), pictureWidth("e", 10));
});

test("a text from the right begins its columns on the right", () => {
  const run = made([[[null, null], [0, 0]], [["של", " x"], [1, 1]]], { given: ["שלום ", ""] });
  assert.ok(readsFromRight(run));
  const lefts = [...svgOf(run, { title: "" }).matchAll(/<text x="([\d.]+)"[^>]*>(של|x)</g)];
  assert.equal(lefts[0][2], "של");
  assert.ok(Number(lefts[0][1]) > Number(lefts[1][1]));
});

test("no step of the GIF moves a cell", () => {
  const items = gifItems(BACK, (text) => 10 * text.length);
  assert.deepEqual(items.map(({ text, at }) => text || at), ["Tom", 0, 1, 2, 3, "ran."]);
  assert.equal(items[3].width, 42); // "cat" and "dog", and the cell's edges
  assert.deepEqual(items.map(({ space }) => space), [true, true, true, true, true, false]);
});

test("lines break between words, after line breaks, and words of the other direction keep their order", () => {
  const item = (text, more = {}) => ({ text, at: -1, width: 10 * text.length, space: true, breaks: false, direction: "ltr", x: 0, y: 0, ...more });
  const items = [item("aaaa"), item("bb", { space: false }), item("cc"), item("d", { breaks: true }), item("e")];
  assert.equal(gifPlace(items, { width: 82, space: 10, mirrored: false }), 3);
  assert.deepEqual(items.map(({ x, y }) => [x, y]), [[0, 0], [0, 1], [22, 1], [52, 1], [0, 2]]);
  const mixed = [item("שלום", { direction: "rtl" }), item("big"), item("("), item("dog")];
  mixed[2].direction = "";
  gifPlace(mixed, { width: 300, space: 10, mirrored: true });
  assert.deepEqual(mixed.map(({ x }) => x), [260, 160, 200, 220]);
});

test("white space of a token is made visible, and a long given text is cut near the gaps", () => {
  assert.deepEqual([" dog", " ", "\n", "", "\t"].map(gifToken), ["dog", "␣", "↵", "·", "⇥"]);
  assert.equal(gifGiven("x".repeat(500), false, true), `…${"x".repeat(240)}`);
  assert.equal(gifGiven("short", true, true), "short");
});

test("file names are made of the strategy's name", () => {
  assert.equal(fileNameOf("Surest first", "gif"), "infill-surest-first.gif");
  assert.equal(fileNameOf("../../é <x>", "svg"), "infill-e-x.svg");
  assert.equal(fileNameOf("", "csv"), "infill-run.csv");
});

test("nothing in a replay can end its element or the title", () => {
  const replay = { text: "</title></script>$&\u2028" };
  assert.equal(escapeJson(replay), '{"text":"\\u003c/title>\\u003c/script>$&\\u2028"}');
  const page = webPageOf(replay, ["<title>Infilling replay</title>[", "]"]);
  assert.equal(page, `<title>&lt;/title&gt;&lt;/script&gt;$&amp;\u2028</title>[${escapeJson(replay)}]`);
  assert.equal(pageTitleOf({ text: " \n " }), "Infilling replay");
});
