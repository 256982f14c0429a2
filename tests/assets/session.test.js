// What survives a refresh, and what a full or broken storage does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newRun, receive } from "../../assets/page/messages.js";
import { restoreSession, saveSession } from "../../assets/page/session.js";
import { SETUP, draftWith } from "./setup.js";

/** A storage for so many characters. */
class Fake {
  constructor(room = Infinity) {
    this.room = room;
    this.texts = new Map();
  }

  /** @param {string} key */
  getItem(key) { return this.texts.get(key) ?? null; }
  /** @param {string} key @param {string} text */
  setItem(key, text) {
    if (text.length > this.room) throw new DOMException("full", "QuotaExceededError");
    this.texts.set(key, text);
  }
  /** @param {string} key */
  removeItem(key) { this.texts.delete(key); }
}

const bytes = (/** @type {number[]} */ ...values) => btoa(String.fromCharCode(...values));

/** @param {string} key @param {string} [text] */
function ended(key, text = "Tom went home.") {
  const run = newRun(key, key.toUpperCase(), "live");
  receive(run, /** @type {any} */ ({
    run: `server-${key}`, key, step: 1, ended: "complete", begun: true, length: 1, text, verdict: "", choosing: { rows: 0, calls: 0 },
    opening: { given: ["Tom went ", "."], spaces: [""], gaps: [1], inherited: [], notices: [], request: {}, model: "bundled", by: "diffusion", origin: null },
    states: [{ nfe: 0, calls: 0, seconds: 0, changes: {} }, { nfe: 1, calls: 1, seconds: 0.1, when: bytes(1), confidence: bytes(200), entropy: bytes(9), changes: { 0: "home" } }],
  }));
  return run;
}

/** @param {any[]} runs */
const stateOf = (runs, more = {}) => ({ draft: draftWith({ text: "🐈 [[2]]", seed: 4, banned: ["so big"] }), runs, shown: runs.slice(-1).map(({ key }) => key), time: 1, ...more });

test("draft, runs, what is shown and the step come back", () => {
  const storage = new Fake();
  const state = stateOf([ended("a"), ended("b")]);
  assert.ok(saveSession(storage, state));
  const found = restoreSession(storage, SETUP);
  assert.deepEqual(found, { ...state, runs: state.runs.map((run) => ({ ...run, fitted: true })), trouble: [] });
});

test("the end of a run stays its end", () => {
  const storage = new Fake();
  saveSession(storage, stateOf([], { time: Infinity }));
  assert.equal(restoreSession(storage, SETUP)?.time, Infinity);
});

test("a run without its closing message is known by its name", () => {
  const storage = new Fake();
  const run = { ...newRun("a", "A", "live"), name: "server-a" };
  saveSession(storage, stateOf([run, newRun("never-begun", "B", "live")]));
  const found = restoreSession(storage, SETUP);
  assert.deepEqual(found?.runs.map(({ name, closing }) => [name, closing]), [["server-a", null]]);
  assert.deepEqual(found?.shown, []);
});

test("the oldest runs lose their states when there is too much", () => {
  const storage = new Fake();
  const runs = ["a", "b", "c"].map((key) => ended(key, "x".repeat(900_000)));
  assert.ok(saveSession(storage, stateOf(runs)));
  assert.ok([...storage.texts.values()][0].length * 2 < 4_000_000);
  assert.deepEqual(restoreSession(storage, SETUP)?.runs.map(({ key, closing }) => [key, Boolean(closing)]), [["a", false], ["b", true], ["c", true]]);
});

test("a storage with less room than promised keeps what fits", () => {
  const run = ended("a", "x".repeat(5000));
  const room = new Fake(5000);
  assert.ok(saveSession(room, stateOf([run, ended("b")])));
  assert.deepEqual(restoreSession(room, SETUP)?.runs.map(({ closing }) => Boolean(closing)), [false, true]);
  const little = new Fake(500);
  assert.ok(saveSession(little, stateOf([run, ended("b")])));
  assert.equal(restoreSession(little, SETUP)?.draft.seed, 4);
  assert.equal(saveSession(new Fake(10), stateOf([run])), false);
  assert.equal(saveSession(null, stateOf([run])), false);
});

test("a storage that is forbidden does not stop the page", () => {
  const refuse = () => { throw new DOMException("denied", "SecurityError"); };
  const storage = { getItem: refuse, setItem: refuse, removeItem: refuse };
  assert.equal(saveSession(storage, stateOf([ended("a")])), false);
  assert.equal(restoreSession(storage, SETUP), null);
});

test("broken content falls back and never throws", () => {
  const storage = new Fake();
  saveSession(storage, stateOf([ended("a"), ended("b")]));
  const [[key, text]] = storage.texts;
  const content = JSON.parse(text);
  for (const broken of ["", "{", "null", "3", "[]", "{}", '{"version":2}', `${"[".repeat(1000)}${"]".repeat(1000)}`]) {
    storage.setItem(key, broken);
    assert.equal(restoreSession(storage, SETUP), null, broken.slice(0, 20));
  }
  /** @param {(content: any) => void} spoil */
  const spoiled = (spoil) => {
    const copy = structuredClone(content);
    spoil(copy);
    storage.setItem(key, JSON.stringify(copy));
    const found = restoreSession(storage, SETUP);
    assert.ok(found);
    return found;
  };
  const spoilings = [
    (/** @type {any} */ run) => { run.key = 3; }, (/** @type {any} */ run) => { run.source = "elsewhere"; }, (/** @type {any} */ run) => { run.closing.states = 3; },
    (/** @type {any} */ run) => { run.closing.states[1].when = "%"; }, (/** @type {any} */ run) => { delete run.closing.opening; },
    (/** @type {any} */ run) => { run.closing.length = -1; }, (/** @type {any} */ run) => { run.closing.states[0] = null; },
  ];
  for (const spoil of spoilings) {
    const { runs, trouble } = spoiled((copy) => spoil(copy.runs[0]));
    assert.deepEqual(runs.map((run) => run.key), ["b"], String(spoil));
    assert.equal(trouble.length, 1);
  }
  assert.equal(spoiled((copy) => { copy.draft.temperature = 99; }).draft.temperature, 0.7);
  assert.deepEqual(spoiled((copy) => { copy.draft = "x"; }).draft, SETUP.draft);
  assert.deepEqual(spoiled((copy) => { copy.runs = "x"; }).runs, []);
  assert.deepEqual(spoiled((copy) => { copy.shown = [3, "a", "gone"]; }).shown, ["a"]);
  assert.equal(spoiled((copy) => { copy.time = -2; }).time, 0);
  assert.equal(spoiled((copy) => { copy.runs[0] = null; }).runs.length, 1);
});
