import assert from "node:assert/strict";
import { test } from "node:test";

import { refilled } from "../../assets/page/editor.js";
import { formatTemplate, parseTemplate } from "../../assets/page/template.js";

/** A finished passage, "Tom ran all the home.", in pieces; those between the bars are selected. */
const refill = (...parts) => {
  let selected = false;
  const pieces = parts.flatMap((part) => {
    if (part === "|") selected = !selected;
    return part === "|" ? [] : [typeof part === "string" ? { text: part, selected, slot: false } : { text: part[0], selected, slot: true }];
  });
  return formatTemplate(refilled(pieces));
};

test("selected fills become a gap with as many masks as tokens", () => {
  assert.equal(refill("Tom", [" ran"], "|", [" all"], [" the"], "|", " home."), "Tom ran [[2]] home.");
  assert.equal(refill("Tom", "|", [" ran"], [" all"], "|", [" the"], " home."), "Tom [[2]] the home.");
});

test("given words count 1.3 tokens each", () => {
  assert.equal(refill("Tom", [" ran"], [" all"], [" the"], " ", "|", "home", "|", "."), "Tom ran all the [[1]].");
  assert.equal(refill("|", "Tom", [" ran"], [" all"], [" the"], " home.", "|"), "[[6]]");
});

test("a gap is never longer than a gap may be", () => {
  assert.equal(refill("|", ...Array(200).fill([" a"]), "|"), " [[128]]");
});

test("brackets and backslashes in a refilled text stay text", () => {
  for (const piece of [" [[", " \\[[2]]", " [", " \\", " a\\\\[["]) {
    const segments = parseTemplate(refill("Say [", [piece], [" x"], "[ ", "|", "now", "|", "."));
    assert.deepEqual(segments, [{ text: `Say [${piece} x[ ` }, { gap: { length: 1, pins: [] } }, { text: "." }]);
  }
});
