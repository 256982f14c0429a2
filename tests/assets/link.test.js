// Links: what comes back, and what hostile ones can do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { decodeLink, encodeLink, hiddenParts } from "../../assets/page/link.js";
import { SETUP, draftWith } from "./setup.js";

/** @param {any} value */
const linkOf = (value) => `#v1.${deflateRawSync(Buffer.from(typeof value === "string" ? value : JSON.stringify(value))).toString("base64url")}`;
/** @param {any} value */
const read = (value) => decodeLink(linkOf(value), SETUP);
/** @param {any} draft */
const readDraft = (draft) => read({ draft });

test("drafts come back as they were, in any script", async () => {
  const texts = ["", "[[3]]", "🐈‍⬛ é é שלום [[auto]] 小猫\n\t\u2028 \\[[ <b>&", "a".repeat(20_000), "\u200b\ufeff"];
  for (const text of texts) {
    for (const values of [{}, { strategy: "klass", knobs: { tau: 0.25, patience: 3 }, steps: 7, model: "DiffuGPT ☃", temperature: 0, seed: 2 ** 32 - 1, banned: ["é", "so big"], one_line: true, start: { gaps: [[1, null]] } }]) {
      const draft = draftWith({ ...values, text });
      const link = await encodeLink({ setup: SETUP, draft, by: "best of 16", step: 5, runs: [{ draft, by: "parent" }, { draft: SETUP.draft, by: "diffusion" }] });
      assert.match(link, /^#v1\.[\w-]*$/);
      assert.deepEqual(await decodeLink(link, SETUP), {
        given: true, draft, by: "best of 16", step: 5, compare: [{ draft, by: "parent" }, { draft: SETUP.draft, by: "diffusion" }], trouble: [],
      });
    }
  }
});

test("a link holds no more than the text and what differs", async () => {
  assert.ok((await encodeLink({ setup: SETUP, draft: draftWith({ temperature: 0 }) })).length < 100);
});

test("a text that is too long for a link is refused in plain words", async () => {
  let seed = 1;
  const text = Array.from({ length: 19_000 }, () => String.fromCodePoint(0x4e00 + ((seed = (seed * 48271) % 2147483647) % 20_000))).join("");
  await assert.rejects(encodeLink({ setup: SETUP, draft: draftWith({ text }) }), /too long for a link/);
});

test("other fragments are none of the page's business", async () => {
  for (const fragment of ["", "#", "#top", "v", "#version"]) {
    assert.deepEqual(await decodeLink(fragment, SETUP), { given: false, draft: SETUP.draft, by: "diffusion", step: 0, compare: [], trouble: [] });
  }
});

test("what cannot be read gives the start values and one sentence", async () => {
  const whole = linkOf({ draft: { text: "Tom [[3]]", temperature: 0 } });
  const links = [
    "#v1.", "#v1.%%%", "#v1.A", "#v1.AAAA", whole.slice(0, -6), "#v2.AAAA", "#v999999999999999999.", `#v1.${"A".repeat(1_000_000)}`,
    linkOf("not JSON"), linkOf("null"), linkOf("[]"), linkOf("3"), linkOf('"text"'), linkOf("[".repeat(90_000) + "]".repeat(90_000)),
    linkOf(`{"draft":${'{"start":'.repeat(2000)}1${"}".repeat(2001)}`), `#v1.${deflateRawSync(Buffer.from([0xff, 0xfe, 0x7b])).toString("base64url")}`,
  ];
  for (const link of links) {
    const found = await decodeLink(link, SETUP);
    assert.deepEqual(found.draft, SETUP.draft, link.slice(0, 60));
    assert.equal(found.trouble.length, 1, link.slice(0, 60));
  }
});

test("a bomb is stopped before it is unpacked", async () => {
  const bomb = linkOf(`"${"a".repeat(20_000_000)}"`);
  assert.ok(bomb.length < 30_000);
  const before = process.memoryUsage().arrayBuffers;
  assert.deepEqual((await decodeLink(bomb, SETUP)).trouble, ["The link is too big, so nothing of it was used."]);
  assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000);
});

test("every field that is not allowed keeps its start value and is named", async () => {
  const wrong = {
    temperature: 99, top_p: 0, seed: 1.5, guidance: "1", guided_by: "middle", space: 1, banned: "kitten", one_line: null,
  };
  for (const [name, value] of Object.entries(wrong)) {
    const { draft, trouble } = await readDraft({ text: "[[2]]", [name]: value });
    assert.deepEqual(draft, draftWith({ text: "[[2]]" }), name);
    assert.equal(trouble.length, 1, name);
    assert.ok(trouble[0].includes(`The link's ${name}, `), trouble[0]);
  }
  assert.deepEqual((await readDraft({ temperature: 99 })).trouble, ["The link's temperature, 99, must be a number, 0 to 5; 0.7 is used."]);
});

test("the other parts of a draft are checked as well", async () => {
  const wrong = [
    { text: 3 }, { text: "a\u0000" }, { text: "a".repeat(20_001) }, { text: "\ud800" }, { steps: 0 }, { steps: 257 }, { steps: "3" }, { steps: 1.5 }, { model: 4 },
    { model: "m".repeat(201) }, { start: [1] }, { start: "x" }, { strategy: "nonsense" }, { strategy: { a: 1 } }, { strategy: "toString" }, { knobs: [] }, { knobs: { tau: 0.5 } },
    { knobs: { blocks: 99 } }, { knobs: { constructor: 1 } }, { unheard: 1 }, { banned: ["a\u0007"] }, { banned: Array(65).fill("a") }, { banned: [1] }, { banned: [""] },
  ];
  for (const draft of wrong) {
    const found = await readDraft(draft);
    assert.deepEqual(found.draft, SETUP.draft, JSON.stringify(draft).slice(0, 60));
    assert.equal(found.trouble.length, 1, JSON.stringify(draft).slice(0, 60));
  }
});

test("names of prototypes do no harm", async () => {
  const { draft, trouble } = await read('{"__proto__":{"by":"parent"},"draft":{"__proto__":{"temperature":3},"constructor":{"a":1},"knobs":{"__proto__":{"blocks":4}}}}');
  assert.deepEqual(draft, SETUP.draft);
  assert.equal(Object.getPrototypeOf(draft), Object.prototype);
  assert.equal(/** @type {any} */ ({}).temperature, undefined);
  assert.equal(trouble.length, 3);
});

test("a knob is kept with its order only", async () => {
  const { draft, trouble } = await readDraft({ strategy: "left_to_right", knobs: { blocks: 4 } });
  assert.deepEqual([draft.strategy, draft.knobs], ["left_to_right", {}]);
  assert.match(trouble[0], /knob “blocks”, 4, is not a knob of “Left to right”/);
});

test("another model is refused where there is only one", async () => {
  const found = await decodeLink(linkOf({ draft: { model: "other" } }), { ...SETUP, has_models: false });
  assert.equal(found.draft.model, "");
  assert.equal(found.trouble.length, 1);
});

test("who wrote a run, the step and the comparison are checked", async () => {
  for (const wrong of [{ by: "me" }, { by: null }, { step: -1 }, { step: 1e9 }, { step: "1" }, { compare: {} }, { compare: [3] }, { draft: [] }]) {
    const { draft, by, step, compare, trouble } = await read(wrong);
    assert.deepEqual({ draft, by, step, compare }, { draft: SETUP.draft, by: "diffusion", step: 0, compare: [] });
    assert.equal(trouble.length, 1, JSON.stringify(wrong));
  }
  const many = await read({ compare: Array(9).fill({ draft: { seed: 3 }, by: "parent" }) });
  assert.deepEqual(many.compare, Array(4).fill({ draft: draftWith({ seed: 3 }), by: "parent" }));
  assert.equal(many.trouble.length, 1);
});

test("a link cannot fill the page with complaints", async () => {
  const { trouble } = await readDraft(Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`x${index}`.repeat(20), "y".repeat(100)])));
  assert.equal(trouble.length, 9);
  assert.ok(trouble.join("").length < 2000);
});

test("only known parts can be hidden", () => {
  assert.deepEqual(hiddenParts("?lesson=3&hide=settings,model"), { parts: new Set(["settings", "model"]), trouble: [] });
  assert.deepEqual(hiddenParts(""), { parts: new Set(), trouble: [] });
  const { parts, trouble } = hiddenParts("?hide=map,%3Cb%3E,fill&hide= why ");
  assert.deepEqual(parts, new Set(["map", "why"]));
  assert.match(trouble[0], /“<b>”, “fill”/);
});

test("a link of any content gives a draft that can be sent, and few complaints", async () => {
  const junk = [null, true, -1, 0, 3.5, 1e308, "", "x", "Q".repeat(5000), [], [[1]], {}, { a: 1 }, "\ud800", "\u0000", Array(300).fill("x")];
  let seed = 7;
  /** @template T @param {T[]} values @returns {T} */
  const pick = (values) => values[(seed = (seed * 48271) % 2147483647) % values.length];
  /** @param {any} node */
  const change = (node) => {
    const key = pick(Object.keys(node)), inner = node[key];
    if (typeof inner === "object" && inner !== null && Object.keys(inner).length && pick([0, 1, 2])) return change(inner);
    if (pick([0, 1, 2, 3])) node[key] = structuredClone(pick(junk));
    else if (pick([0, 1])) delete node[key];
    else node[pick(["a", "text", "__proto__", "Q".repeat(5000)])] = structuredClone(pick(junk));
  };
  const draft = { ...SETUP.draft, text: "Tom [[3]]", strategy: "klass", knobs: { tau: 0.25 }, steps: 7, start: { gaps: [[1, null]] }, banned: ["dog"] };
  const inputs = Math.ceil(Number(process.env.FUZZ ?? 0) / 8) || 200;
  for (let number = 0; number < inputs; number++) {
    const whole = JSON.parse(JSON.stringify({ draft, by: "parent", step: 3, compare: [{ draft, by: "diffusion" }] }));
    for (let times = pick([1, 2, 3]); times; times--) if (Object.keys(whole).length) change(whole);
    const found = await read(whole);
    assert.ok(found.trouble.length <= 9 && found.trouble.every((each) => each.length < 400), JSON.stringify(found.trouble).slice(0, 900));
    for (const run of [found, ...found.compare]) {
      const again = await readDraft(run.draft);
      assert.deepEqual([again.draft, again.trouble], [run.draft, []]);
    }
  }
});
