// The stage of a comparison: one pane a run on a common timeline, their orders above each other, and what differs.

import { frameAt } from "./messages.js";
import { counted, endOf, masksLeft, stepOf, unfinished } from "./timeline.js";
import { orderRanks, orderStrip, paintStrip, runAuthor, runEnding } from "./tray.js";
import { budgetFigure, onlyBudgetDiffers } from "./presets.js";
import { h, roving } from "./dom.js";
import { inOneLine, t, told, toldClauses } from "./language.js";

/** @import { Run, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

/** @typedef {{ paint: () => void }} ComparePainter */
/**
 * @typedef {(root: HTMLElement, store: Store, options: { choose: (run: Run, place: number) => void, runKey: string,
 *   compact: true, differing: (run: Run, step: number) => Set<number> }) => ComparePainter} CreateStage
 */
/**
 * @typedef {object} CompareActions
 * @property {(run: Run, place: number) => void} choose hears of the slot whose candidates are wanted
 */

/**
 * Returns whether two runs fill the same gaps of the same text, so that their slots can be compared one by one.
 * @param {Run} a @param {Run} b
 */
export function sameGaps(a, b) {
  const key = (/** @type {Run} */ run) => JSON.stringify([run.opening?.given, run.opening?.gaps]);
  return Boolean(a.opening && b.opening) && key(a) === key(b);
}

/**
 * Returns the slots in which both runs have a token, and not the same one. None if their texts or gaps differ.
 * @param {Run} a @param {number} stepA @param {Run} b @param {number} stepB @returns {Set<number>}
 */
export function differences(a, stepA, b, stepB) {
  /** @type {Set<number>} */
  const slots = new Set();
  const [left, right] = [frameAt(a, stepA), frameAt(b, stepB)];
  if (!left || !right || !sameGaps(a, b)) return slots;
  left.pieces.forEach((piece, at) => {
    const other = right.pieces[at] ?? null;
    if (piece !== null && other !== null && piece !== other) slots.add(at);
  });
  return slots;
}

/**
 * Returns Kendall's tau-b of two rankings of the same things: 1 for the same order, -1 for the reverse; ties count half.
 * Null if it is not defined, because one of them ranks all things the same.
 *
 * Kendall, 1945, The treatment of ties in ranking problems, Biometrika 33
 * @param {ArrayLike<number>} a @param {ArrayLike<number>} b @returns {number | null}
 */
export function tauB(a, b) {
  let agree = 0, untiedA = 0, untiedB = 0;
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < i; j++) {
      const [x, y] = [Math.sign(a[i] - a[j]), Math.sign(b[i] - b[j])];
      agree += x * y;
      untiedA += Math.abs(x);
      untiedB += Math.abs(y);
    }
  }
  return untiedA && untiedB ? agree / Math.sqrt(untiedA * untiedB) : null;
}

/**
 * Returns Kendall's tau-b of the orders in which two runs wrote the slots that both wrote; null if it is not defined.
 * @param {Run} a @param {Run} b @returns {number | null}
 */
export function orderCorrelation(a, b) {
  if (!sameGaps(a, b)) return null;
  const [left, right] = [orderRanks(a.frames[a.latest]), orderRanks(b.frames[b.latest])];
  const both = left.map((_, at) => at).filter((at) => left[at] && right[at]);
  return tauB(both.map((at) => left[at]), both.map((at) => right[at]));
}

/** @param {Run} run */
const compareEnded = (run) => !unfinished(run);

/** @param {Setup} setup @param {Run} run */
function compareTitle(setup, run) {
  const opening = run.opening;
  if (!opening) return "";
  if (opening.by !== "diffusion") return opening.by === "parent" ? t("Parent, left to right") : t("Parent, best of 16");
  return told(setup.strategies.find((each) => each.name === opening.request.strategy)?.title ?? opening.request.strategy);
}

/** @param {Element} element @param {string} text */
const compareSay = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/**
 * Shows the runs of `store.state.shown` if there are several, and nothing otherwise.
 * @param {HTMLElement} root @param {Setup} setup @param {Store} store
 * @param {{ createStage: CreateStage, actions: CompareActions }} options
 */
export function createCompare(root, setup, store, { createStage, actions }) {
  /** @typedef {ReturnType<typeof makePane>} Pane */
  /** @type {Pane[]} */
  let panes = [];
  let built = "";
  let summed = "";

  /** @param {"passes" | "progress"} by @param {string} label */
  const choice = (by, label) => h("button", { type: "button", dataset: { by }, onclick: () => {
    const { state } = store;
    const share = state.time / Math.max(1, endOf(state));
    store.change({ by, time: Math.round(share * endOf({ ...state, by })) });
  } }, label);
  const choices = [choice("passes", t("by passes")), choice("progress", t("by progress"))];
  const choosing = h("div", { className: "pg-compare-by", role: "toolbar", "aria-label": t("Timeline") }, h("span", { className: "pg-quiet", "aria-hidden": "true" }, t("Timeline")), ...choices);
  const legend = h("span", { className: "pg-quiet pg-compare-legend" });
  const back = h("button", { type: "button", className: "pg-compare-back", onclick: () => {
    const run = store.shown.find((each) => each.key === store.state.pane) ?? store.shown[0];
    if (run) alone(run);
  } }, t("Back to one run"));
  const bar = h("div", { className: "pg-compare-bar" },
    choosing, legend, back);
  roving(choosing, choices);
  const grid = h("div", { className: "pg-compare-grid" });
  const orders = h("div", { className: "pg-compare-orders", role: "group", "aria-label": t("Orders") });
  const totals = h("div", { className: "pg-compare-totals" });
  const box = h("section", { className: "pg-compare", "aria-label": t("Comparison"), hidden: true }, bar, grid, orders, totals);
  root.append(box);

  /** @param {Run} run */
  function alone(run) {
    store.change({ shown: [run.key], time: stepOf(store.state, run, store.state.time), following: unfinished(run), place: -1, pane: run.key });
  }

  /** @param {Run} first @param {Run} run @param {number} step */
  function differing(first, run, step) {
    return differences(run, step, first, stepOf(store.state, first, store.state.time));
  }

  /** @param {string} key */
  function makePane(key) {
    const label = h("span", { className: "pg-card-label" });
    const title = h("span", {});
    const facts = h("span", { className: "pg-quiet pg-pane-facts" });
    const only = h("button", { type: "button", className: "pg-pane-only", onclick: () => {
      const run = store.run(key);
      if (run) alone(run);
    } });
    const differs = h("span", { className: "pg-pane-differs" });
    const verdict = h("p", { className: "pg-pane-verdict" });
    const holder = h("div", { className: "pg-pane-stage" });
    const heading = h("h2", { id: `pg-pane-${key}` }, label, " ", title);
    const pane = h("article", { className: "pg-pane", "aria-labelledby": `pg-pane-${key}`, dataset: { key } },
      h("header", {}, heading, facts, differs, only), holder, verdict);
    const stage = createStage(holder, store, {
      runKey: key, compact: true,
      choose: actions.choose,
      differing: (run, step) => {
        const first = store.shown[0];
        return first && first !== run ? differing(first, run, step) : new Set();
      },
    });
    const strip = orderStrip();
    const stripLabel = h("span", { className: "pg-card-label" });
    const row = h("div", { className: "pg-compare-order" }, stripLabel, strip);

    /** @param {Run} run @param {Run} first @param {number} last */
    function paintPane(run, first, last) {
      const step = stepOf(store.state, run, store.state.time);
      const frame = frameAt(run, step);
      compareSay(label, run.label);
      compareSay(stripLabel, run.label);
      compareSay(title, compareTitle(setup, run));
      compareSay(facts, frame ? [counted(frame.nfe, "pass", "passes"), t("{seconds} s", { seconds: frame.seconds.toFixed(1) }), masksLeft(frame.masks)].join(" · ") : runEnding(run));
      const other = run !== first && run.opening && first.opening && !sameGaps(run, first);
      const count = run === first ? 0 : differing(first, run, step).size;
      compareSay(differs, other ? t("other text") : count ? t(count === 1 ? "{count} token differs from {label}" : "{count} tokens differ from {label}", { count, label: first.label }) : "");
      compareSay(only, t("Only {label}", { label: run.label }));
      const atEnd = step >= run.latest && compareEnded(run);
      compareSay(verdict, !atEnd ? "" : toldClauses(run.closing?.verdict ?? "") || runEnding(run));
      paintStrip(strip, frame, last);
      strip.classList.toggle("pg-strip-own", Boolean(other));
      stage.paint();
    }
    return { key, pane, row, paint: paintPane };
  }

  function build() {
    const keys = store.shown.map((run) => run.key);
    if (keys.join("\n") === built) return;
    built = keys.join("\n");
    summed = "";
    panes = keys.map(makePane);
    grid.replaceChildren(...panes.map((pane) => pane.pane));
    orders.replaceChildren(...panes.map((pane) => pane.row), h("p", { className: "pg-quiet" }, t("The order in which each position was written: strong colour first, faint last; grey was given, empty is still masked.")));
  }

  function sum() {
    const runs = store.shown;
    const done = runs.every(compareEnded);
    const wanted = done ? JSON.stringify(runs.map((run) => [run.key, run.label, run.latest, run.ended])) : "";
    if (wanted === summed) return;
    summed = wanted;
    totals.replaceChildren();
    if (!done) return;
    totals.append(totalsTable(setup, runs));
    if (onlyBudgetDiffers(runs)) totals.append(budgetFigure(runs));
  }

  return {
    paint() {
      const runs = store.shown;
      box.hidden = runs.length < 2;
      if (box.hidden) {
        if (!built) return;
        [panes, built, summed] = [[], "", ""];
        for (const part of [grid, orders, totals]) part.replaceChildren();
        return;
      }
      build();
      const [first] = runs;
      box.dataset.count = String(runs.length);
      const last = Math.max(1, ...runs.map((run) => Math.max(0, ...orderRanks(run.frames[run.latest]))));
      panes.forEach((pane, at) => pane.paint(runs[at], first, last));
      for (const each of choices) each.setAttribute("aria-pressed", String(each.dataset.by === store.state.by));
      compareSay(legend, runs.some((run) => run !== first && sameGaps(run, first)) ? t("Dotted underline: another token than {label} has there.", { label: first.label }) : "");
      sum();
    },
  };
}

/** @param {Setup} setup @param {Run[]} runs */
function totalsTable(setup, runs) {
  const [first] = runs;
  const head = [t("Run"), t("Passes"), t("Calls"), t("Seconds"), t("Tokens unlike {label}", { label: first.label }), t("Order like {label}", { label: first.label })];
  const rows = runs.map((run) => {
    const frame = run.frames[run.latest];
    const comparable = sameGaps(run, first);
    const tau = comparable ? orderCorrelation(run, first) : null;
    const chosen = run.choosing.rows ? ` + ${run.choosing.rows}` : "";
    const calls = run.choosing.calls ? ` + ${run.choosing.calls}` : "";
    const cells = !frame ? ["–", "–", "–", "–", "–"] : [
      `${frame.nfe}${chosen}`, `${frame.calls}${calls}`, frame.seconds.toFixed(1),
      run === first ? "–" : comparable ? String(differences(run, run.latest, first, first.latest).size) : t("other text"),
      run === first ? "–" : tau === null ? (comparable ? t("not defined") : t("other text")) : tau.toFixed(2),
    ];
    return h("tr", {}, h("th", { scope: "row" }, h("span", { className: "pg-card-label" }, run.label), ` ${compareTitle(setup, run)}`, h("span", { className: "pg-quiet" }, ` ${runAuthor(run)}`)),
      ...cells.map((cell) => h("td", {}, cell)));
  });
  const choosing = runs.some((run) => run.choosing.rows) ? t("“+” counts what choosing the number of masks took.") : "";
  return h("div", { className: "pg-totals" },
    h("table", {}, h("caption", {}, t("Totals")), h("thead", {}, h("tr", {}, ...head.map((each) => h("th", { scope: "col" }, each)))), h("tbody", {}, ...rows)),
    h("p", { className: "pg-quiet" }, inOneLine(t("A pass is one text through the network; a call may hold several."), choosing,
      t("Order is Kendall's tau-b: 1 is the same order, 0 unrelated, −1 the reverse; not defined if one of the runs wrote everything at once."))));
}
