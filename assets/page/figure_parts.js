// What the figures of lessons are made of: sliders, bars, a line with a mark, and numbers in words.

import { h, roving } from "./dom.js";
import { svgShape } from "./shapes.js";

/**
 * Returns a slider with its name and what it stands at.
 * @param {string} name @param {{ min: number, max: number, step: number, value: number }} range
 * @param {(value: number) => string} written @param {(value: number) => void} moved
 */
export function figureSlider(name, { min, max, step, value }, written, moved) {
  const output = h("output", {}, written(value));
  const input = h("input", { type: "range", min: String(min), max: String(max), step: String(step), value: String(value), "aria-label": name, "aria-valuetext": written(value) });
  const set = (/** @type {number} */ to) => {
    output.textContent = written(to);
    input.setAttribute("aria-valuetext", written(to));
  };
  input.addEventListener("input", () => {
    set(Number(input.value));
    moved(Number(input.value));
  });
  const element = h("label", { className: "fg-slider" }, h("span", {}, name), output, input);
  return { element };
}

/**
 * Returns rows of a name, a bar and a number. The longest bar is `most`.
 * @param {{ name: string, value: number, written: string, mark?: string }[]} rows @param {number} [most]
 */
export function figureBars(rows, most) {
  const longest = most ?? Math.max(...rows.map((row) => row.value), 1e-9);
  return h("div", { className: "fg-bars", role: "list" }, ...rows.map(({ name, value, written, mark = "" }) =>
    h("div", { className: `fg-bar-row ${mark}`, role: "listitem" },
      h("span", { className: "fg-name" }, name),
      h("span", { className: "fg-track" }, h("span", { className: "fg-bar", style: { width: `${Math.max(0, Math.min(100, (100 * value) / longest)).toFixed(2)}%` } })),
      h("span", { className: "fg-value" }, written))));
}

/**
 * Draws a line over numbers from left to right. Returns the figure, and what moves its mark to a place on the x axis.
 * @param {{ xs: number[], ys: (number | null)[], label: string, x: string, y: string }} asked
 */
export function figureCurve({ xs, ys, label, x, y }) {
  const [width, height, left, right, top, bottom] = [320, 150, 40, 8, 18, 30];
  const all = ys.filter((value) => value !== null);
  const least = Math.min(...all), most = Math.max(...all);
  const first = xs[0], last = xs[xs.length - 1];
  const atX = (/** @type {number} */ value) => left + ((value - first) / (last - first || 1)) * (width - left - right);
  const atY = (/** @type {number} */ value) => height - bottom - ((value - least) / (most - least || 1)) * (height - top - bottom);
  const mark = svgShape("line", { y1: top, y2: height - bottom, class: "fg-mark" });
  const svg = svgShape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    ...[least, (least + most) / 2, most].flatMap((value) => [
      svgShape("line", { x1: left, x2: width - right, y1: atY(value), y2: atY(value), class: "fg-grid" }),
      svgShape("text", { x: left - 5, y: atY(value) + 4, "text-anchor": "end" }, value.toFixed(Math.abs(most - least) < 3 ? 1 : 0)),
    ]),
    svgShape("text", { x: 2, y: 10 }, y),
    svgShape("text", { x: left, y: height - 16, "text-anchor": "middle" }, String(first)),
    svgShape("text", { x: width - right, y: height - 16, "text-anchor": "end" }, String(last)),
    svgShape("text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" }, x),
    svgShape("polyline", { points: ys.map((value, at) => (value === null ? "" : `${atX(xs[at]).toFixed(1)},${atY(value).toFixed(1)}`)).join(" ") }),
    mark);
  return {
    element: h("div", { className: "fg-lines" }, svg),
    /** @param {number} value */
    mark(value) {
      for (const end of ["x1", "x2"]) mark.setAttribute(end, atX(value).toFixed(1));
    },
  };
}

/** Returns a small generator of numbers in [0, 1), the same for the same seed (mulberry32). @param {number} seed */
export function figureRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Returns a row of buttons of which one is chosen.
 * @param {string} label @param {{ name: string, label?: string }[]} entries @param {number} at the one chosen first
 * @param {(at: number) => void} choose
 */
export function figureChoice(label, entries, at, choose) {
  const press = (/** @type {number} */ chosen) => buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === chosen)));
  const buttons = entries.map((entry, index) => h("button", { type: "button", "aria-label": entry.label ?? null, onclick: () => {
    press(index);
    choose(index);
  } }, entry.name));
  const row = h("div", { className: "ls-places", role: "toolbar", "aria-label": label }, ...buttons);
  roving(row, buttons);
  press(at);
  return row;
}

/** Returns tokens as spans, a masked one hatched. @param {{ text: string, masked?: boolean, className?: string, note?: string }[]} tokens */
export const figureTokens = (tokens) => h("p", { className: "fg-tokens" }, ...tokens.map(({ text, masked = false, className = "", note = "" }) =>
  h("span", { className: `fg-token ${masked ? "fg-masked" : ""} ${className}`, dataset: note ? { note } : {} }, text)));
