// Which key does what, and when it must do nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { KEY_ROWS, actionOf } from "../../assets/page/keys.js";

/** @param {string} key @param {object} more */
const press = (key, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, repeat: false, isComposing: false, ...more });

test("each key has its action", () => {
  const expected = {
    Escape: ["stop"], " ": ["play"], ArrowLeft: ["step", -1], ArrowRight: ["step", 1], ArrowUp: ["slot", -1], ArrowDown: ["slot", 1], Home: ["first"],
    End: ["last"], 1: ["candidate", 0], 5: ["candidate", 4], m: ["mask"], M: ["mask"], l: ["lock"], f: ["present"], "?": ["help"],
  };
  for (const [key, [action, argument]] of Object.entries(expected)) {
    assert.deepEqual(actionOf(press(key), false), argument === undefined ? { action } : { action, argument });
  }
  assert.deepEqual(actionOf(press("?", { shiftKey: true }), false), { action: "help" });
  for (const key of ["Enter", "6", "0", "x", "Tab", "toString", "Dead"]) assert.equal(actionOf(press(key), false), null);
});

test("Ctrl or Command and Enter fill, also while typing", () => {
  for (const inField of [false, true]) {
    assert.deepEqual(actionOf(press("Enter", { ctrlKey: true }), inField), { action: "fill" });
    assert.deepEqual(actionOf(press("Enter", { metaKey: true }), inField), { action: "fill" });
    assert.deepEqual(actionOf(press("Escape"), inField), { action: "stop" });
  }
});

test("while typing no other key acts", () => {
  for (const row of KEY_ROWS.filter(({ anywhere }) => !anywhere)) {
    for (const key of Object.keys(row.keys)) assert.equal(actionOf(press(key), true), null);
  }
});

test("the browser's own shortcuts are left alone", () => {
  for (const held of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }]) {
    for (const key of ["f", "l", "1", "ArrowLeft", "Home", " "]) assert.equal(actionOf(press(key, held), false), null);
  }
  assert.equal(actionOf(press("ArrowLeft", { shiftKey: true }), false), null);
  assert.equal(actionOf(press("Enter", { ctrlKey: true, isComposing: true }), true), null);
});

test("only movements repeat while a key is held down", () => {
  assert.deepEqual(actionOf(press("ArrowRight", { repeat: true }), false), { action: "step", argument: 1 });
  for (const key of [" ", "1", "m", "f", "Escape"]) assert.equal(actionOf(press(key, { repeat: true }), false), null);
  assert.equal(actionOf(press("Enter", { ctrlKey: true, repeat: true }), false), null);
});
