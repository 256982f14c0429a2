// The order map: every slot (columns) at every step (rows), and above it the step that wrote each slot.

import { directionOf, gapDirection } from "./cells.js";
import { h } from "./dom.js";
import { NATS, asked, frameAt, gapOf, percent, standing, startOf, visible } from "./messages.js";
import { frameNow, nextTime, paneRun, stepOf, timeOf, unfinished } from "./timeline.js";
import { phrase, t } from "./language.js";

/** @import { Store } from "./store.js" */
/** @import { Frame, PageState, Run } from "./types.d.ts" */

const TOP_NATS = 6; // the map's full scale for entropy
const MAP_STRIP = 18; // CSS pixels of the rank strip
const MAP_SPACE = 4; // between strip and rows
const MAP_ROWS = 96; // for all rows
const MAP_EDGE = 2; // below the rows, for their frame
const MAP_ROW = 20; // the highest row
const MAP_COLUMN = 48; // the widest column where columns do not stand under the words
const MAP_NUMBER = 16; // the narrowest column that has room for its step as a number

/**
 * A slot at a step. `level` is how dark it is, 0 to 1, or null if the model was not asked about it there. `given` is a
 * piece that no step wrote: a pinned word, or one that a branch took over.
 * @typedef {{ level: number | null, written: boolean, taken: boolean, given: boolean }} MapCell
 */

/** @typedef {{ left: number, width: number }} MapColumn */

/**
 * Returns how dark a slot is at a step, 0 to 1: its confidence or entropy, or how early it was written in the end.
 * @param {Run} run @param {Frame} frame @param {number} step @param {number} at @param {PageState["score"]} score
 * @returns {number | null}
 */
function mapLevel(run, frame, step, at, score) {
  if (!asked(frame, step, at)) return null;
  if (score === "entropy") return Math.min(1, frame.entropy[at] / NATS / TOP_NATS);
  if (score === "confidence") {
    // A step that takes a token back need not have asked about it.
    return frame.remask.includes(at) && !frame.confidence[at] ? null : frame.confidence[at] / 255;
  }
  const when = frameAt(run, run.latest)?.when[at] ?? 0;
  return when ? 1 - (when - 1) / Math.max(1, run.latest) : null;
}

/** Returns whether a step wrote a slot. @param {Frame} frame @param {number} step @param {number} at */
export const mapWritten = (frame, step, at) => frame.pieces[at] !== null && frame.when[at] > 0 && asked(frame, step, at);

/**
 * Returns the cells of the map by step (from 0) and slot. A step that has not arrived has empty cells.
 * @param {Run} run @param {PageState["score"]} score @returns {MapCell[][]}
 */
export function mapCells(run, score) {
  const count = frameAt(run, run.latest)?.pieces.length ?? 0;
  return Array.from({ length: run.latest + 1 }, (_, step) => Array.from({ length: count }, (_, at) => {
    const frame = run.frames[step];
    if (!frame) return { level: null, written: false, taken: false, given: false };
    return {
      level: mapLevel(run, frame, step, at, score), written: mapWritten(frame, step, at),
      taken: frame.remask.includes(at), given: standing(frame, at),
    };
  }));
}

/**
 * Returns the columns of equal width for a run whose words do not stand on one line.
 * @param {number} count @param {number} width in px @param {boolean} rtl @returns {MapColumn[]}
 */
export function evenColumns(count, width, rtl) {
  const each = Math.min(MAP_COLUMN, width / count);
  return Array.from({ length: count }, (_, at) => ({ left: rtl ? width - (at + 1) * each : at * each, width: each }));
}

/**
 * Returns columns of equal width in the order in which the slots stand in the text: the gaps follow the direction of the
 * given text, and the slots of a gap that of what is written in it.
 * @param {Run} run @param {number} count @param {number} width in px @returns {MapColumn[]}
 */
export function textColumns(run, count, width) {
  const { given, gaps } = run.opening ?? { given: [], gaps: [] };
  const along = directionOf(given.join("")) || "ltr";
  const columns = evenColumns(count, width, along === "rtl");
  return gaps.flatMap((length, gap) => {
    const own = columns.slice(startOf(gaps, gap), startOf(gaps, gap) + length);
    return (gapDirection(run, gap) || along) === along ? own : own.reverse();
  });
}

/** Returns the smallest column that holds some others. @param {MapColumn[]} columns @returns {MapColumn} */
function spanOf(columns) {
  const left = Math.min(...columns.map((column) => column.left));
  return { left, width: Math.max(...columns.map((column) => column.left + column.width)) - left };
}

/**
 * Returns whether columns can be drawn: one for each slot, and all within the map.
 * @param {MapColumn[]} columns @param {number} count @param {number} width in px @returns {boolean}
 */
export const columnsFit = (columns, count, width) =>
  columns.length === count && columns.every((column) => column.left > -2 && column.left + column.width < width + 2);

/**
 * Returns where the border between a column and the next one stands.
 * @param {MapColumn} before @param {MapColumn} after @returns {number}
 */
export const borderBetween = (before, after) => after.left >= before.left
  ? (before.left + before.width + after.left) / 2
  : (after.left + after.width + before.left) / 2;

/** Returns the column at x, or the nearest one. @param {MapColumn[]} columns @param {number} x @returns {number} */
export function columnAt(columns, x) {
  const away = columns.map(({ left, width }) => Math.max(left - x, x - left - width, 0));
  return away.indexOf(Math.min(...away));
}

/** Returns the place of a slot in words. @param {Run} run @param {number} at @returns {string} */
export function slotName(run, at) {
  const gaps = run.opening?.gaps ?? [];
  if (gaps.length < 2) return t("position {place}", { place: at + 1 });
  const [gap, within] = gapOf(gaps, at);
  return t("position {place} of gap {gap}", { place: within + 1, gap: gap + 1 });
}

/**
 * Returns what a cell of the map shows, in words.
 * @param {Run} run @param {number} step @param {number} at @returns {string}
 */
export function cellText(run, step, at) {
  const frame = frameAt(run, step);
  if (!frame) return "";
  const piece = frame.pieces[at];
  const share = percent(frame.confidence[at]);
  const state = standing(frame, at) ? t("“{piece}”, given", { piece: visible(piece ?? "") })
    : frame.remask.includes(at) ? t("taken back")
      : piece !== null ? t("“{piece}”, written in step {step} at {share}", { piece: visible(piece), step: frame.when[at], share })
        : step ? t("masked, best guess at {share}", { share }) : t("masked");
  return t("step {step}, {slot}: {state}", { step, slot: slotName(run, at), state });
}

const SCORES = /** @type {const} */ ({
  confidence: [phrase("confidence"), phrase("surer")], entropy: [phrase("entropy"), phrase("less sure")], order: [phrase("order"), phrase("written earlier")],
});

/**
 * Builds the order map. `columnsOf` says where the cells of the passage stand, in px from the map's left edge, if they
 * stand on one line.
 * @param {HTMLElement} root @param {Store} store
 * @param {{ columnsOf: (run: Run) => MapColumn[] | null }} options
 */
export function createMap(root, store, { columnsOf }) {
  const state = store.state;
  const base = document.createElement("canvas"); // one pixel for each cell
  let width = 0;
  let painted = "";
  let baseKey = "";
  let baseStep = 0; // last step on it
  /** @type {[step: number, at: number, taken: boolean][]} */
  let marks = []; // dots and crosses of the steps on it
  let tableKey = "";
  /** @type {MapColumn[]} */
  let columns = [];
  let rowHeight = 1;
  /** @type {Record<string, string>} */
  let colours = {};

  const score = h("select", { className: "mp-score", "aria-label": t("What the map shows"), onchange: () => {
    store.change({ score: /** @type {PageState["score"]} */ (score.value) });
  } }, ...Object.entries(SCORES).map(([name, [label]]) => h("option", { value: name }, t(label))));
  const legend = h("span", { className: "mp-legend" });
  const title = h("h2", { className: "mp-title" }, t("Order map"));
  // A slider, because screen readers pass the arrow keys on to it and read its value aloud.
  const canvas = h("canvas", {
    className: "mp-canvas", role: "slider", tabIndex: 0, "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0,
    "aria-label": t("Order map: up and down arrows choose a step, left and right arrows a position"),
    onclick: press, onkeydown: key, onpointermove: hover,
  });
  const table = h("table", {});
  root.classList.add("mp");
  root.append(
    h("div", { className: "mp-head" }, title, score, legend),
    h("div", { className: "mp-frame" }, canvas), h("div", { className: "pg-hidden" }, table),
  );
  new ResizeObserver(() => {
    const now = canvas.parentElement?.clientWidth ?? 0;
    if (now === width) return;
    width = now;
    requestAnimationFrame(paint);
  }).observe(root);
  // The class of the body changes with dark mode.
  new MutationObserver(() => requestAnimationFrame(() => { colours = {}; paint(); })).observe(document.body, { attributeFilter: ["class"] });

  /** @param {Run} run @param {number} step @param {number} at */
  function choose(run, step, at) {
    const time = timeOf(state, run, step);
    store.change({ time, following: step >= run.latest && unfinished(run), place: at, pane: run.key });
  }

  /** Returns the step and the slot under the pointer. @param {MouseEvent} event @param {Run} run @returns {[number, number]} */
  function under(event, run) {
    const at = columnAt(columns, event.offsetX);
    const y = event.offsetY - MAP_STRIP - MAP_SPACE;
    // The strip leads to the step that wrote the slot.
    const step = y < 0 ? frameAt(run, run.latest)?.when[at] || frameNow(state, run)[0] : Math.floor(y / rowHeight) + 1;
    return [Math.min(run.latest, step), at];
  }

  /** @param {MouseEvent} event */
  function press(event) {
    const run = paneRun(state);
    if (run && columns.length) choose(run, ...under(event, run));
  }

  /** @param {PointerEvent} event */
  function hover(event) {
    const run = paneRun(state);
    const text = run && columns.length ? cellText(run, ...under(event, run)) : "";
    if (canvas.title !== text) canvas.title = text;
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const run = paneRun(state);
    if (!run || !columns.length || event.altKey || event.ctrlKey || event.metaKey) return;
    const now = stepOf(state, run, state.time);
    const place = state.pane === run.key ? state.place : -1;
    const sideways = (/** @type {number} */ by) => { // as the columns stand, whichever way the text runs
      const order = columns.map((_, at) => at).sort((a, b) => columns[a].left - columns[b].left);
      const at = order.indexOf(place);
      choose(run, now, at < 0 ? 0 : order[Math.max(0, Math.min(order.length - 1, at + by))]);
    };
    const vertically = (/** @type {1 | -1} */ direction) => {
      let time = state.time;
      for (let last = NaN; time !== last && stepOf(state, run, time) === now;) [last, time] = [time, nextTime(state, time, direction)];
      store.change({ time, following: direction > 0 && unfinished(run) && stepOf(state, run, time) >= run.latest });
    };
    /** @type {Record<string, () => void>} */
    const moves = {
      ArrowLeft: () => sideways(-1), ArrowRight: () => sideways(1), ArrowUp: () => vertically(-1), ArrowDown: () => vertically(1),
      Home: () => choose(run, now, 0), End: () => choose(run, now, columns.length - 1),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    moves[event.key]();
  }

  function readColours() {
    const style = getComputedStyle(root);
    const read = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const dark = document.body.classList.contains("dark");
    colours = {
      text: read("--pg-text"), quiet: read("--pg-quiet"), line: read("--pg-line"), paper: read("--pg-paper"), shade: read("--pg-shade"),
      weak: read("--pg-model-weak"), now: read("--pg-now"), nowInk: read("--pg-now-ink"), nowLine: read("--pg-now-line"),
      back: read("--pg-back"), font: `${style.fontFamily || "sans-serif"}`,
      low: dark ? "52,52,86" : "224,227,243", high: dark ? "176,171,255" : "55,48,140", dark: dark ? "dark" : "",
    };
  }

  /** Returns the steps that have a row: during a run all that it may take, so that the map does not grow. @param {Run} run */
  const rowsOf = (run) => Math.max(1, run.latest, unfinished(run) ? run.opening?.request.steps ?? 0 : 0);

  function paint() {
    const run = paneRun(state);
    if (score.value !== state.score) score.value = state.score;
    const frame = run && frameNow(state, run)[1];
    const count = frame ? frame.pieces.length : 0;
    if (!run || !frame || !count || !width) return paintNothing();
    if (!colours.text) readColours();
    const found = columnsOf(run);
    columns = found && columnsFit(found, count, width) ? found : textColumns(run, count, width);
    const rows = rowsOf(run);
    const step = stepOf(state, run, state.time);
    const place = state.pane === run.key || state.shown.length === 1 ? state.place : -1;
    const ratio = window.devicePixelRatio || 1;
    const named = state.shown.length > 1 ? run.label : "";
    const drawn = [run.key, run.name, run.ended, run.begun, rows, count, state.score, colours.dark].join();
    const places = columns.map((column) => `${column.left}:${column.width}`).join();
    const wanted = [drawn, named, run.latest, step, place, width, ratio, places].join();
    if (wanted === painted) return;
    painted = wanted;
    rowHeight = Math.min(MAP_ROW, MAP_ROWS / rows);
    legend.textContent = legendText(run);
    title.textContent = named ? t("Order map of {label}", { label: named }) : t("Order map");
    paintValue(run, step, place);
    if (drawn !== baseKey || run.latest < baseStep || state.score === "order") clearBase(rows, count);
    baseKey = drawn;
    paintBase(run, count);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round((MAP_STRIP + MAP_SPACE + MAP_ROWS + MAP_EDGE) * ratio);
    const ink = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    ink.scale(ratio, ratio);
    paintStrip(ink, run, frame, step);
    ink.translate(0, MAP_STRIP + MAP_SPACE);
    paintRows(ink, run, rows);
    paintFrames(ink, run, rows, step, place);
    paintMarks(ink, step);
    paintTable(run);
  }

  function paintNothing() {
    if (painted === "nothing") return;
    painted = "nothing";
    columns = [];
    canvas.width = canvas.height = 1;
    legend.textContent = t("appears as soon as a run has a state");
    canvas.setAttribute("aria-valuetext", t("empty"));
    table.replaceChildren();
    tableKey = "";
  }

  /** @param {Run} run */
  function legendText(run) {
    const frame = frameAt(run, run.latest);
    const given = frame?.pieces.some((_, at) => standing(frame, at));
    const back = run.frames.some((each) => each?.remask.length);
    const what = t(SCORES[state.score][1]);
    const darker = colours.dark ? t("brighter: {what}", { what }) : t("darker: {what}", { what });
    return [t("rows: steps"), t("dot: written"), back && t("x: taken back"), given && t("hatched: given"), darker]
      .filter(Boolean).join(" · ");
  }

  /** @param {Run} run @param {number} step @param {number} place */
  function paintValue(run, step, place) {
    canvas.setAttribute("aria-valuemax", String(run.latest));
    canvas.setAttribute("aria-valuenow", String(step));
    canvas.setAttribute("aria-valuetext", place < 0 ? t("step {step}", { step }) : cellText(run, step, place));
  }

  /** @param {number} rows @param {number} count */
  function clearBase(rows, count) {
    base.width = count;
    base.height = rows;
    baseStep = 0;
    marks = [];
  }

  /** Draws every level as one pixel, for the steps that came since the last time. @param {Run} run @param {number} count */
  function paintBase(run, count) {
    const steps = run.latest - baseStep;
    if (!steps) return;
    const pen = /** @type {CanvasRenderingContext2D} */ (base.getContext("2d"));
    const image = pen.createImageData(count, steps);
    const [low, high] = [colours.low, colours.high].map((each) => each.split(",").map(Number));
    for (let row = 0; row < steps; row++) {
      const step = baseStep + row + 1;
      const frame = run.frames[step];
      for (let at = 0; frame && at < count; at++) {
        if (mapWritten(frame, step, at)) marks.push([step, at, false]);
        const level = mapLevel(run, frame, step, at, state.score);
        if (level === null) continue;
        const pixel = 4 * (row * count + at);
        for (let each = 0; each < 3; each++) image.data[pixel + each] = low[each] + (high[each] - low[each]) * level;
        image.data[pixel + 3] = 255;
      }
      for (const at of frame?.remask ?? []) marks.push([step, at, true]);
    }
    pen.putImageData(image, 0, baseStep);
    baseStep = run.latest;
  }

  /** @param {CanvasRenderingContext2D} ink @param {Run} run @param {Frame} frame @param {number} step */
  function paintStrip(ink, run, frame, step) {
    const last = frameAt(run, run.latest) ?? frame;
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    ink.font = `600 11px ${colours.font}`;
    columns.forEach(({ left, width }, at) => {
      const wide = width >= MAP_NUMBER;
      const inset = width > 6 ? 1 : 0;
      const box = /** @type {const} */ ([left + inset, 0, Math.max(1, width - 2 * inset), MAP_STRIP]);
      const when = frame.when[at];
      const fresh = mapWritten(frame, step, at);
      ink.fillStyle = fresh ? colours.now : when ? colours.weak : colours.shade;
      ink.fillRect(...box);
      if (standing(frame, at)) return hatch(ink, ...box);
      // A slot that is still masked has the number of the step that will write it, in a quiet colour.
      const number = when || (run.closing ? last.when[at] : 0);
      if (number && wide) {
        ink.fillStyle = fresh ? colours.nowInk : when ? colours.text : colours.quiet;
        ink.fillText(String(number), left + width / 2, MAP_STRIP / 2 + 0.5, width);
      } else if (when && !fresh) {
        ink.globalAlpha = 1 - (when - 1) / Math.max(1, run.latest);
        ink.fillStyle = `rgb(${colours.high})`;
        ink.fillRect(...box);
        ink.globalAlpha = 1;
      }
    });
  }

  /** @param {CanvasRenderingContext2D} ink @param {number} left @param {number} top @param {number} width @param {number} height */
  function hatch(ink, left, top, width, height) {
    ink.save();
    ink.beginPath();
    ink.rect(left, top, width, height);
    ink.clip();
    ink.beginPath();
    for (let x = left - height; x < left + width; x += 5) {
      ink.moveTo(x, top + height);
      ink.lineTo(x + height, top);
    }
    ink.strokeStyle = colours.quiet;
    ink.globalAlpha = 0.55;
    ink.lineWidth = 1;
    ink.stroke();
    ink.restore();
  }

  /** @param {CanvasRenderingContext2D} ink @param {Run} run @param {number} rows */
  function paintRows(ink, run, rows) {
    ink.imageSmoothingEnabled = rowHeight < 1;
    const last = frameAt(run, run.latest);
    columns.forEach(({ left, width }, at) => {
      const inset = width > 6 ? 1 : 0;
      const box = /** @type {const} */ ([left + inset, 0, Math.max(1, width - 2 * inset), rowHeight * rows]);
      ink.fillStyle = colours.shade;
      ink.fillRect(...box);
      ink.drawImage(base, at, 0, 1, rows, ...box);
      if (!last) return;
      // From the first step on, as long as nothing was written there.
      let steps = 0;
      for (let each; steps <= run.latest && (each = frameAt(run, steps)) && standing(each, at);) steps++;
      if (steps) hatch(ink, box[0], 0, box[2], steps > run.latest ? box[3] : (steps - 1) * rowHeight);
    });
    if (rowHeight < 5) return;
    ink.fillStyle = colours.paper;
    for (let row = 1; row < rows; row++) ink.fillRect(0, row * rowHeight - 0.5, width, 1);
  }

  /** @param {CanvasRenderingContext2D} ink @param {number} now */
  function paintMarks(ink, now) {
    for (const [step, at, taken] of marks) {
      const { left, width } = columns[at];
      const dot = Math.max(1, Math.min(width, rowHeight) * 0.3);
      const [x, y] = [left + width / 2, (step - 0.5) * rowHeight];
      if (taken) {
        cross(ink, x, y, Math.max(2.5, Math.min(4.5, dot)));
        continue;
      }
      ink.beginPath();
      ink.arc(x, y, Math.min(4.5, dot), 0, 2 * Math.PI);
      ink.fillStyle = step === now ? colours.now : "#fff";
      ink.strokeStyle = "#000";
      ink.lineWidth = dot < 2 ? 0.5 : 1;
      ink.fill();
      ink.stroke();
    }
  }

  /** @param {CanvasRenderingContext2D} ink @param {number} x @param {number} y @param {number} arm */
  function cross(ink, x, y, arm) {
    ink.beginPath();
    ink.moveTo(x - arm, y - arm);
    ink.lineTo(x + arm, y + arm);
    ink.moveTo(x + arm, y - arm);
    ink.lineTo(x - arm, y + arm);
    for (const [colour, thick] of /** @type {[string, number][]} */ ([[colours.paper, 5], [colours.back, 2.2]])) {
      ink.strokeStyle = colour;
      ink.lineWidth = thick;
      ink.stroke();
    }
  }

  /** @param {CanvasRenderingContext2D} ink @param {Run} run @param {number} rows @param {number} step @param {number} place */
  function paintFrames(ink, run, rows, step, place) {
    const height = rowHeight * rows;
    ink.fillStyle = colours.text;
    const gaps = run.opening?.gaps ?? [];
    for (let gap = 1; gap < gaps.length; gap++) {
      const [before, after] = [gap - 1, gap].map((each) => columns.slice(startOf(gaps, each), startOf(gaps, each) + gaps[each]));
      if (!before.length || !after.length) continue;
      ink.fillRect(borderBetween(spanOf(before), spanOf(after)) - 0.5, -MAP_STRIP - MAP_SPACE, 1, height + MAP_STRIP + MAP_SPACE);
    }
    const left = Math.min(...columns.map((column) => column.left));
    const right = Math.max(...columns.map((column) => column.left + column.width));
    // The frames stand around the cells, because a cell may be as thin as their lines.
    const clear = rowHeight < 5 ? 1 : 0;
    ink.strokeStyle = colours.nowLine;
    ink.lineWidth = clear ? 1.2 : 2;
    if (step) ink.strokeRect(left + 1, (step - 1) * rowHeight - clear, right - left - 2, rowHeight + 2 * clear);
    const column = columns[place];
    if (!column) return;
    const thin = column.width < 6 ? 1 : 0;
    ink.strokeStyle = colours.text;
    ink.lineWidth = thin ? 1.2 : 2;
    ink.strokeRect(column.left - thin + 0.5, 1 - MAP_STRIP - MAP_SPACE, column.width + 2 * thin - 1, height + MAP_STRIP + MAP_SPACE - 1);
  }

  /** Says the same in a table, once the run has ended. @param {Run} run */
  function paintTable(run) {
    const last = frameAt(run, run.latest);
    const wanted = [run.key, run.closing ? run.latest : "goes on"].join();
    if (wanted === tableKey || !last) return;
    tableKey = wanted;
    if (!run.closing) return table.replaceChildren(h("caption", {}, t("The table of the order follows when the run has ended.")));
    const backs = last.pieces.map((_, at) => run.frames.flatMap((frame, step) => (frame?.remask.includes(at) ? [step] : [])));
    table.replaceChildren(
      h("caption", {}, t("Order in which the positions were written")),
      h("thead", {}, h("tr", {}, ...[t("position"), t("token"), t("written in step"), t("confidence"), t("taken back in steps")].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, ...last.pieces.map((piece, at) => h("tr", {},
        h("th", { scope: "row" }, slotName(run, at)), h("td", {}, piece === null ? t("masked") : visible(piece)),
        h("td", {}, standing(last, at) ? t("given") : String(last.when[at] || t("not written"))),
        h("td", {}, last.when[at] ? percent(last.confidence[at]) : t("none")), h("td", {}, backs[at].join(", ") || t("never"))))),
    );
  }

  return { paint };
}
