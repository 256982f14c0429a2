// The row of examples: each is a recorded run that plays at once, without the model.

import { h, roving } from "./dom.js";
import { t, told } from "./language.js";

/** @import { Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

/** @param {HTMLElement} root @param {Setup} setup @param {Store} store @param {(id: string) => void} open */
export function createExamples(root, setup, store, open) {
  const buttons = setup.examples.map((example) => h("button", {
    type: "button", title: t("{note} (recorded; plays without the model)", { note: told(example.note) }),
    dataset: { example: example.id }, onclick: () => open(example.id),
  }, told(example.title)));
  const row = h("div", { className: "pg-example-row", role: "toolbar", "aria-label": t("Recorded examples") }, ...buttons);
  if (buttons.length) root.append(h("span", { className: "pg-quiet", "aria-hidden": "true" }, t("Try")), row);
  roving(row, buttons);
  return {
    paint() {
      const [key] = store.state.shown;
      for (const button of buttons) button.setAttribute("aria-pressed", String(store.state.shown.length === 1 && key === `example-${button.dataset.example}`));
    },
  };
}
