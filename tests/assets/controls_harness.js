// A page of nothing but what a visitor sets, for tests/assets/test_controls.py. `page` is where it reports.

import { SETUP } from "./setup.js";
import { Store } from "./store.js";
import { createChips } from "./chips.js";
import { createKeys } from "./keys.js";
import { createOrderPicker, createSeed, createSteps } from "./orders.js";
import { createSettings } from "./settings.js";

/** @param {(name: string) => HTMLElement} part @param {any} page */
export function startHarness(part, page) {
  const setup = structuredClone(SETUP);
  const store = new Store(/** @type {any} */ ({ draft: setup.draft, runs: [], shown: [] }));
  Object.assign(page, { store, did: [], asked: [], answers: {} });
  const act = (/** @type {string} */ name) => (/** @type {any} */ argument) => page.did.push(argument === undefined ? name : [name, argument]);
  createKeys(part("page"), {
    fill: act("fill"), stop: act("stop"), play: act("play"), step: act("step"), first: act("first"), last: act("last"), slot: act("slot"),
    candidate: act("candidate"), mask: act("mask"), lock: act("lock"), present: act("present"),
  });
  const calls = {
    listModels: async () => page.answers.list ?? { models: [{ name: "", label: "bundled" }, { name: "other", label: "Another" }] },
    prepareModel: async (/** @type {string} */ name) => {
      page.asked.push(name);
      return page.answers[name]?.shift() ?? { ready: true, text: `${name || "bundled"} is ready.` };
    },
  };
  page.calls = calls;
  const painters = [
    createOrderPicker(part("order"), setup, store), createSteps(part("steps"), setup, store), createSeed(part("seed"), store),
    createChips(part("chips"), setup, store), createSettings(part("side"), setup, store, calls),
  ];
  store.listen(() => requestAnimationFrame(() => { for (const painter of painters) painter.paint(); }));
}
