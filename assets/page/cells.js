// The cells of a gap: one a token, with its text, the model's confidence as a bar, and the step that wrote it.

import { asked, gapOf, percent, pinned, standing, startOf, visible } from "./messages.js";
import { h } from "./dom.js";
import { t } from "./language.js";

/** @import { Frame, Run } from "./types.d.ts" */

/** @typedef {{ element: HTMLElement, token: HTMLElement, bar: HTMLElement, when: HTMLElement, width: number, font: string, painted: string }} Cell */

/** Width in em of a cell whose token is not known yet. */
const OPEN_CELL = 2.4;

/**
 * Builds the cells of one gap inside an element. `first` is the slot number of the gap's first token.
 * @param {HTMLElement} gap @param {number} count @param {number} first @returns {Cell[]}
 */
export function buildCells(gap, count, first) {
  const cells = Array.from({ length: count }, (_, at) => {
    const token = h("span", { className: "pg-token" });
    const bar = h("span", { className: "pg-bar" });
    const when = h("span", { className: "pg-when", "aria-hidden": "true" });
    const element = h("span", { className: "pg-cell", role: "button", tabIndex: -1, dataset: { place: first + at } }, token, bar, when);
    return { element, token, bar, when, width: 0, font: "", painted: "" };
  });
  gap.replaceChildren(...cells.map((cell) => cell.element));
  return cells;
}

// A token without its leading space, which the layout puts between words; a line break is made visible.
/** @param {string} piece */
const bareToken = (piece) => (/^\s+$/.test(piece) ? piece : piece.replace(/^\s+/, "")).replace(/\n/g, "↵");

/** @type {CanvasRenderingContext2D | null} */
let cellRuler = null;

/** @type {Map<string, number>} */
const cellWidths = new Map();

/** Returns how wide a text is in a font, in px. @param {string} font @param {string} text */
function widthOf(font, text) {
  const key = `${font}\u0000${text}`;
  let width = cellWidths.get(key);
  if (width === undefined) {
    cellRuler ??= /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
    cellRuler.font = font;
    width = cellRuler.measureText(text).width;
    if (cellWidths.size > 5000) cellWidths.clear();
    cellWidths.set(key, width);
  }
  return width;
}

/**
 * Lays out the cells of one gap. In a run whose states are all known, every cell is as wide as its widest token over
 * all steps, and the parts of a word stand together; in a run that is or was streamed, all cells have the same width.
 * So no step moves the text, and neither does the end of a run. `spaced` says that a space stands before the gap, so that
 * the first token needs none.
 * @param {HTMLElement} gap @param {Cell[]} cells @param {Run | null} run @param {number} first @param {boolean} [spaced]
 */
export function layOutCells(gap, cells, run, first, spaced = false) {
  const { font, fontSize } = getComputedStyle(gap);
  const size = parseFloat(fontSize) || 16;
  for (const cell of cells) cell.font = font;
  gap.classList.toggle("pg-fitted", Boolean(run?.fitted));
  const last = run?.frames[run.latest];
  if (!run?.fitted || !last) {
    for (const cell of cells) {
      cell.width = OPEN_CELL * size;
      cell.element.style.width = `${OPEN_CELL}em`;
    }
    gap.replaceChildren(...cells.map((cell) => cell.element));
    return;
  }
  /** @type {HTMLElement | null} */
  let word = null;
  /** @type {Node[]} */
  const parts = [];
  cells.forEach((cell, at) => {
    const place = first + at;
    const final = last.pieces[place];
    let width = final === null ? OPEN_CELL * size : 0;
    for (const frame of run.frames) {
      const piece = frame?.pieces[place];
      if (piece !== null && piece !== undefined) width = Math.max(width, widthOf(font, bareToken(piece) || "·"));
    }
    cell.width = Math.max(width, 0.45 * size);
    cell.element.style.width = `${(cell.width / size).toFixed(3)}em`;
    if (!word || final === null || /^\s/.test(final)) {
      word = h("span", { className: "pg-word" });
      if (parts.length || (!spaced && final !== null && /^\s+\S/.test(final))) parts.push(document.createTextNode(" "));
      parts.push(word);
    }
    word.append(cell.element);
  });
  gap.replaceChildren(...parts);
}

/**
 * Paints the cells of a state. `differing` are slots to underline as different from another run's.
 * @param {Cell[]} cells @param {number} first @param {Run | null} run @param {Frame | undefined} frame @param {number} step
 * @param {{ place?: number, differing?: Set<number> }} [options]
 */
export function paintCells(cells, first, run, frame, step, { place = -1, differing } = {}) {
  cells.forEach((cell, index) => {
    const at = first + index;
    const piece = frame?.pieces[at] ?? null;
    const when = frame?.when[at] ?? 0;
    const sure = frame?.confidence[at] ?? 0;
    const fresh = Boolean(frame && when > 0 && asked(frame, step, at));
    const given = Boolean(run && frame && pinned(run, frame, at));
    const kept = Boolean(frame && standing(frame, at)) && !given;
    const taken = Boolean(frame?.remask.includes(at));
    const differs = Boolean(differing?.has(at));
    const painted = [piece, fresh, taken, sure, when, at === place, given, kept, differs, cell.width].join("\u0000");
    if (painted === cell.painted) return;
    cell.painted = painted;
    const { element, token, bar } = cell;
    const text = piece === null ? "" : bareToken(piece) || "·";
    token.textContent = text;
    const needed = text && cell.width ? widthOf(cell.font, text) : 0;
    token.style.transform = needed > cell.width + 0.5 ? `scaleX(${(cell.width / needed).toFixed(3)})` : "";
    element.classList.toggle("pg-masked", piece === null);
    element.classList.toggle("pg-fresh", fresh);
    element.classList.toggle("pg-taken", taken);
    element.classList.toggle("pg-chosen", at === place);
    element.classList.toggle("pg-pinned", given);
    element.classList.toggle("pg-kept", kept);
    element.classList.toggle("pg-differs", differs);
    bar.style.transform = `scaleX(${given || kept ? 0 : (sure / 255).toFixed(3)})`;
    cell.when.dataset.text = given ? t("given") : kept ? t("kept") : String(when || "");
    element.setAttribute("aria-label", cellLabel(run, frame, at, given, kept));
  });
}

/**
 * Says in words what a cell shows.
 * @param {Run | null} run @param {Frame | undefined} frame @param {number} at @param {boolean} given @param {boolean} kept
 */
function cellLabel(run, frame, at, given, kept) {
  const gaps = run?.opening?.gaps ?? [];
  const [gap, within] = gapOf(gaps, at);
  const name = gaps.length > 1 ? t("Gap {gap}, position {place}", { gap: gap + 1, place: within + 1 }) : t("Position {place}", { place: at + 1 });
  const piece = frame?.pieces[at] ?? null;
  if (!frame || piece === null) {
    if (!frame?.confidence[at]) return t("{name}: masked", { name });
    return t("{name}: masked, draft at {share}", { name, share: percent(frame.confidence[at]) });
  }
  const word = bareToken(piece) || visible(piece) || "·";
  if (given) return t("{name}: {word}, given", { name, word });
  if (kept) return t("{name}: {word}, taken over from the run before", { name, word });
  return t("{name}: {word}, written in step {step} at {share}", { name, word, step: frame.when[at], share: percent(frame.confidence[at]) });
}

const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/**
 * Returns the direction of a text by its first letter; "" if it has none.
 * @param {string} text @returns {"" | "ltr" | "rtl"}
 */
export function directionOf(text) {
  const letter = /\p{L}/u.exec(text)?.[0];
  return !letter ? "" : RIGHT_TO_LEFT.test(letter) ? "rtl" : "ltr";
}

/**
 * Returns the direction of what is written in a gap; "" if nothing with a direction is.
 * @param {Run} run @param {number} gap
 */
export function gapDirection(run, gap) {
  const gaps = run.opening?.gaps ?? [];
  const start = startOf(gaps, gap);
  const frame = run.frames[run.latest];
  return directionOf((frame?.pieces ?? []).slice(start, start + (gaps[gap] ?? 0)).map((piece) => piece ?? " ").join(""));
}

/**
 * Returns where the cells of a run stand, relative to the left edge of `frame`, if all of them are on one line.
 * @param {Cell[]} cells @param {HTMLElement} frame @returns {{ left: number, width: number }[] | null}
 */
export function cellColumns(cells, frame) {
  const boxes = cells.map((cell) => cell.element.getBoundingClientRect());
  if (!boxes.length || boxes.some((box) => Math.abs(box.top - boxes[0].top) > 4)) return null;
  const edge = frame.getBoundingClientRect().left;
  return boxes.map((box) => ({ left: box.left - edge, width: box.width }));
}
