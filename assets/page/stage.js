// A run's text, painted state by state: the given text, and cells in the gaps. Nothing in it can be edited.

import { buildCells, cellColumns, directionOf, gapDirection, layOutCells, paintCells } from "./cells.js";
import { frameAt, startOf, spacesBefore } from "./messages.js";
import { stepOf } from "./timeline.js";
import { h } from "./dom.js";
import { t } from "./language.js";

/** @import { Run } from "./types.d.ts" */
/** @import { Store } from "./store.js" */
/** @import { Cell } from "./cells.js" */

/**
 * Shows one run: that of `runKey`, or the first one on the stage. `choose` hears of a slot that is pointed at,
 * focused or tapped; `differing` returns the slots to underline.
 * @param {HTMLElement} root @param {Store} store
 * @param {{ choose: (run: Run, place: number) => void, runKey?: string, compact?: boolean,
 *   differing?: (run: Run, step: number) => Set<number> }} options
 */
export function createStage(root, store, { choose, runKey, compact = false, differing }) {
  const box = h("div", { className: `pg-stage${compact ? " pg-compact" : ""}`, dir: "ltr", role: "group", "aria-label": t("The text with its gaps") });
  root.append(box);
  /** @type {Cell[][]} */
  let gaps = [];
  /** @type {HTMLElement[]} */
  let elements = [];
  let built = "";

  const runOf = () => (runKey ? store.run(runKey) : store.shown[0]);

  /** @param {Run} run */
  function build(run) {
    const opening = run.opening;
    const frame = run.frames[run.latest] ?? run.frames[0];
    if (!opening || !frame) return;
    const wanted = JSON.stringify([run.key, run.name, run.fitted && run.latest, opening.given, opening.gaps, box.clientWidth > 0]);
    if (wanted === built) return;
    built = wanted;
    gaps = [];
    elements = [];
    box.replaceChildren();
    box.dir = directionOf(opening.given.join("")) || "ltr";
    opening.given.forEach((part, gap) => {
      if (gap === opening.gaps.length) return box.append(part);
      box.append(part + (run.fitted ? spacesBefore(run, frame, gap) : opening.spaces[gap]), h("wbr"));
      const element = h("span", { className: "pg-gap" });
      box.append(element);
      elements.push(element);
      gaps.push(buildCells(element, opening.gaps[gap], startOf(opening.gaps, gap)));
      layOutCells(element, gaps[gap], run, startOf(opening.gaps, gap));
    });
  }

  /** @param {Event} event */
  function chosen(event) {
    const place = /** @type {HTMLElement} */ (event.target).closest?.("[data-place]")?.getAttribute("data-place");
    const run = runOf();
    if (place !== null && place !== undefined && run) choose(run, Number(place));
  }
  for (const kind of ["pointerover", "focusin", "click"]) box.addEventListener(kind, chosen);

  return {
    paint() {
      const run = runOf();
      box.hidden = !run?.opening;
      if (!run?.opening) return;
      build(run);
      const step = stepOf(store.state, run, store.state.time);
      const frame = frameAt(run, step);
      const mine = !store.state.pane || store.state.pane === run.key;
      elements.forEach((element, gap) => {
        const direction = gapDirection(run, gap);
        if (element.dir !== direction) element.dir = direction;
        paintCells(gaps[gap], startOf(run.opening?.gaps ?? [], gap), run, frame, step,
          { place: mine ? store.state.place : -1, differing: differing?.(run, step) });
      });
      const reached = mine ? Math.max(0, store.state.place) : 0; // by Tab
      gaps.flat().forEach(({ element }, at) => {
        const index = at === reached ? 0 : -1;
        if (element.tabIndex !== index) element.tabIndex = index;
      });
    },
    /** Where the cells stand in `frame`, if they are all on one line. @param {HTMLElement} frame */
    columns: (frame) => cellColumns(gaps.flat(), frame),
    element: box,
  };
}
