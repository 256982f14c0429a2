// What differs from the start values, and the way back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { draftDifferences } from "../../assets/page/chips.js";
import { SETUP, draftWith } from "./setup.js";

/** @param {object} values @param {{ name: string, label: string }[]} [models] */
const labels = (values, models) => draftDifferences(SETUP, draftWith(values), models).map(({ label }) => label);

test("the start values and another text are no difference", () => {
  assert.deepEqual(labels({}), []);
  assert.deepEqual(labels({ text: "[[2]]", knobs: { blocks: 1 } }), []);
});

test("every setting that differs and is not in sight is named", () => {
  const changed = {
    strategy: "klass", knobs: { tau: 0.3 }, steps: 12, model: "m", start: {}, temperature: 0, top_p: 1, seed: 4, guidance: 1.5,
    guided_by: "prefix", space: false, banned: ["kitten", "so big"], one_line: true,
  };
  assert.deepEqual(labels(changed, [{ name: "m", label: "DiffuGPT-S" }]), [
    "model: DiffuGPT-S", "tau 0.3", "temperature 0", "top-p 1", "guidance 1.5", "guided by prefix", "space between words: off",
    "ban: kitten", "ban: so big", "one line only", "starts partly written",
  ]);
});

test("removing all chips leads back to the start, but for what is in sight", () => {
  const changed = draftWith({
    text: "kept", strategy: "nonsense", knobs: { blocks: 4, odd: 1 }, steps: 3, model: "m", start: { a: 1 }, temperature: 0,
    seed: 9, space: false, banned: ["a", "b", "a"], one_line: true, unheard: [1], guided_by: "prefix",
  });
  const before = JSON.stringify(changed);
  let draft = changed;
  for (const { reset } of draftDifferences(SETUP, changed)) draft = reset(draft);
  assert.deepEqual(draft, { ...SETUP.draft, text: "kept", strategy: "nonsense", steps: 3, seed: 9, knobs: {} });
  assert.equal(JSON.stringify(changed), before);
});

test("each chip resets only its own setting", () => {
  const draft = draftWith({ temperature: 0, banned: ["a", "b"] });
  const found = draftDifferences(SETUP, draft);
  assert.deepEqual(found.map(({ key }) => key), ["temperature", "banned:a", "banned:b"]);
  assert.deepEqual(found[1].reset(draft), { ...draft, banned: ["b"] });
});

test("words that the page starts with can come back", () => {
  const setup = { ...SETUP, draft: draftWith({ banned: ["rude"] }) };
  const [removed] = draftDifferences(setup, draftWith({ banned: [] }));
  assert.equal(removed.label, "ban not: rude");
  assert.deepEqual(removed.reset(draftWith({ banned: [] })).banned, ["rude"]);
});

test("knobs of the start's own strategy are compared with what the page starts with", () => {
  const setup = { ...SETUP, draft: draftWith({ knobs: { blocks: 4 } }) };
  assert.deepEqual(draftDifferences(setup, draftWith({ knobs: { blocks: 4 } })), []);
  const [moved] = draftDifferences(setup, draftWith({ knobs: {} }));
  assert.equal(moved.label, "blocks 1");
  assert.deepEqual(moved.reset(draftWith({})).knobs, { blocks: 4 });
});
