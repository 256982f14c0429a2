// A small page for the tests of its modules: what the server would build it with.

/** @param {object} more */
const field = (more) => ({ help: "", ...more });

export const SETUP = {
  fields: [
    field({ name: "temperature", label: "Temperature", kind: "float", default: 0, low: 0, high: 5, slider: [0, 2] }),
    field({ name: "top_p", label: "Top-p", kind: "float", default: 1, low: 0, high: 1, above_low: true }),
    field({ name: "seed", label: "Seed", kind: "int", default: 0, low: 0, high: 2 ** 32 - 1 }),
    field({ name: "guidance", label: "Guidance", kind: "float", default: 0, low: 0, high: 5 }),
    field({ name: "guided_by", label: "Guided by", kind: "choice", default: "suffix", options: ["suffix", "prefix"] }),
    field({ name: "space", label: "Space between words", kind: "bool", default: true }),
    field({ name: "banned", label: "Banned words", kind: "words", default: [] }),
    field({ name: "one_line", label: "One line only", kind: "bool", default: false }),
  ],
  strategies: [
    {
      name: "low_confidence", title: "Surest first", group: "By sureness", summary: "", budget: "", papers: ["2502.09992"],
      knobs: [field({ name: "blocks", label: "Blocks", kind: "int", default: 1, low: 1, high: 16 })], settings: {},
    },
    { name: "left_to_right", title: "Left to right", group: "By place", summary: "", budget: "", papers: [], knobs: [], settings: {} },
    {
      name: "klass", title: "Once beliefs settle", group: "Above a bar", summary: "", budget: "", papers: [],
      knobs: [field({ name: "tau", label: "Tau", kind: "float", default: 0.6, low: 0, high: 1 }), field({ name: "patience", label: "Patience", kind: "int", default: 2, low: 1, high: 5 })],
      settings: { "paper's values": { tau: 0.6 }, safe: { tau: 0.7 } },
    },
  ],
  groups: ["By sureness", "By place", "Above a bar"],
  limits: { length: 128, gaps: 16, steps: 256 },
  draft: {
    text: "Tom went to the [[3]].", strategy: "low_confidence", knobs: {}, steps: null, model: "", start: null,
    temperature: 0.7, top_p: 0.95, seed: 0, guidance: 0, guided_by: "suffix", space: true, banned: [], one_line: false,
  },
  examples: [], landing: null, model: "bundled", has_models: true, has_parent: true, can_pause: true, can_look: true,
};

/** Returns the start draft with other values. @param {object} values */
export const draftWith = (values) => ({ ...SETUP.draft, ...values });
