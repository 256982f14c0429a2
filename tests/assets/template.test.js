// Texts with gaps: the same cases as tests/assets/test_template_agrees.py, and the way back to a template.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { checkTemplate, countMasks, escapeText, formatTemplate, parseTemplate, pinProblem } from "../../assets/page/template.js";

const cases = JSON.parse(readFileSync(new URL("templates.json", import.meta.url), "utf-8"));

test("every template is read as in Python, and refused in the same words", () => {
  for (const { text, segments, error } of cases) {
    assert.equal(checkTemplate(text)?.error, error, JSON.stringify(text));
    if (segments) assert.deepEqual(parseTemplate(text), segments, JSON.stringify(text));
  }
});

test("a template that was read is written so that it is read the same", () => {
  for (const { text } of cases) {
    const segments = parseTemplate(text);
    if ("error" in segments) continue;
    assert.deepEqual(parseTemplate(formatTemplate(segments)), segments, JSON.stringify(text));
  }
});

test("any text survives beside a gap", () => {
  const gap = { gap: { length: 2, pins: [{ place: 1, words: "so big" }] } };
  for (let number = 0; number < 3 ** 7; number++) {
    const text = number.toString(3).padStart(7, "0").replace(/[012]/g, (digit) => "[\\x"[Number(digit)]);
    assert.deepEqual(parseTemplate(escapeText(text)), [{ text }]);
    const space = /(^|[^[])\[$/.test(text) && text.endsWith("\\[") ? " " : ""; // cannot be written without
    assert.deepEqual(parseTemplate(formatTemplate([{ text }, gap, { text }])), [{ text: text + space }, gap, { text }]);
  }
});

test("neighbouring texts are escaped as one", () => {
  assert.deepEqual(parseTemplate(formatTemplate([{ text: "a[" }, { text: "[3]]" }])), [{ text: "a[[3]]" }]);
});

test("a text without gaps can be read but not filled", () => {
  assert.deepEqual(parseTemplate(""), []);
  assert.deepEqual(parseTemplate("Tom"), [{ text: "Tom" }]);
  assert.match(checkTemplate("Tom")?.error ?? "", /no gap/);
});

test("a fault says where in the string it is", () => {
  const text = "🐈 [[3]] [[x]]";
  assert.equal(/** @type {any} */ (parseTemplate(text)).at, text.indexOf("[[x"));
});

test("masks are counted only when all lengths are known", () => {
  assert.equal(countMasks("a [[3]] b [[5|1:x]]"), 8);
  assert.equal(countMasks("a [[3]] b [[auto]]"), null);
  for (const text of ["", "a", "[[3", "\\[[3]]"]) assert.equal(countMasks(text), null);
});

test("words that cannot be pinned are named", () => {
  const gap = (/** @type {string} */ words) => [{ gap: { length: 9, pins: [{ place: 2, words: "x" }, { place: 1, words }] } }];
  for (const words of ["dog", " so big", "a, b", "10:30", "x]y", "a,", "["]) {
    assert.equal(pinProblem(words), "");
    assert.deepEqual(parseTemplate(formatTemplate(gap(words))), gap(words));
  }
  for (const words of ["", " \n", "a]]b", "a]", "a, 3:b"]) {
    assert.notEqual(pinProblem(words), "");
    assert.notDeepEqual(parseTemplate(formatTemplate(gap(words))), gap(words));
  }
});
