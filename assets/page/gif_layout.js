// Where the words and cells of a GIF stand: a layout that no step changes. app/export/gif.py lays out by the same rules.

import { directionOf } from "./cells.js";
import { frameAt, spacesBefore, startOf } from "./messages.js";

/** @import { Run } from "./types.d.ts" */

const GIF_GIVEN = 240; // characters of the given text that are drawn on each side of a gap

/**
 * A piece of the passage on the layout: given text, or the cell of a slot.
 * @typedef {{ text: string, at: number, width: number, space: boolean, breaks: boolean, direction: "ltr" | "rtl" | "", x: number, y: number }} GifItem
 */

/**
 * Returns a given text cut to what stands near gaps.
 * @param {string} text @param {boolean} before whether a gap comes before it @param {boolean} after
 */
export function gifGiven(text, before, after) {
  const characters = [...text];
  if (characters.length <= GIF_GIVEN * (Number(before) + Number(after))) return text;
  const begin = before ? characters.slice(0, GIF_GIVEN).join("") : "";
  return `${begin}…${after ? characters.slice(-GIF_GIVEN).join("") : ""}`;
}

/** Returns a token as its cell shows it. @param {string} piece */
export const gifToken = (piece) => (/^\s+$/.test(piece) ? piece.replace(/ /g, "␣") : piece.replace(/^ +/, "")).replace(/\n/g, "↵").replace(/\t/g, "⇥") || "·";

/**
 * Cuts the passage into words and cells. A cell is as wide as the widest token that any step writes into its slot.
 * @param {Run} run @param {(text: string) => number} measure @returns {GifItem[]}
 */
export function gifItems(run, measure) {
  const opening = run.opening, last = frameAt(run, run.latest);
  if (!opening || !last) return [];
  const widths = last.pieces.map(() => measure("0") * 2.2);
  for (const frame of run.frames) {
    frame?.pieces.forEach((piece, at) => { if (piece !== null) widths[at] = Math.max(widths[at], measure(gifToken(piece)) + 12); });
  }
  /** @type {GifItem[]} */
  const items = [];
  const give = (/** @type {string} */ text) => {
    for (const [word] of text.matchAll(/\n|[^\S\n]+|\S+/g)) {
      const item = items.at(-1);
      if (word === "\n") {
        if (item) item.breaks = true;
      } else if (/^\s/.test(word)) {
        if (item) item.space = true;
      } else items.push({ text: word, at: -1, width: measure(word), space: false, breaks: false, direction: directionOf(word), x: 0, y: 0 });
    }
  };
  opening.given.forEach((text, gap) => {
    give(gifGiven(text, gap > 0, gap < opening.gaps.length));
    if (gap === opening.gaps.length) return;
    give(spacesBefore(run, last, gap));
    const start = startOf(opening.gaps, gap);
    last.pieces.slice(start, start + opening.gaps[gap]).forEach((piece, within) => {
      const before = items.at(-1);
      if (before && (piece === null || /^\s/.test(piece))) before.space = true;
      items.push({
        text: "", at: start + within, width: Math.ceil(widths[start + within]), space: false, breaks: Boolean(piece?.includes("\n")),
        direction: directionOf(piece ?? ""), x: 0, y: 0,
      });
    });
  });
  return items;
}

/**
 * Gives every item its place on lines of a width, and returns the number of lines. Words of the other direction keep
 * their own order within a line.
 * @param {GifItem[]} items @param {{ width: number, space: number, mirrored: boolean }} page `space` is that of a space
 */
export function gifPlace(items, { width, space, mirrored }) {
  /** @type {GifItem[][]} */
  const lines = [];
  let used = Infinity;
  items.forEach((item, at) => {
    const before = items[at - 1];
    // Words without a space between them stay on one line if they fit.
    let together = item.width;
    for (let next = at; items[next + 1] && !items[next].space && !items[next].breaks; next++) together += items[next + 1].width + 2;
    const joined = before && !before.space && !before.breaks;
    const needed = joined || together > width ? item.width : together;
    const gap = before?.space ? space : 2;
    if (!lines.length || before?.breaks || used + gap + needed > width) {
      lines.push([]);
      used = item.width;
    } else used += gap + item.width;
    lines[lines.length - 1].push(item);
  });
  lines.forEach((line, number) => {
    let x = 0;
    for (const [item, spaced] of gifOrder(line, mirrored)) {
      item.x = mirrored ? width - x - item.width : x;
      item.y = number;
      x += item.width + (spaced ? space : 2);
    }
  });
  return lines.length;
}

/**
 * Returns a line's items in the order of the page's direction, each with whether a space comes after it.
 * @param {GifItem[]} line @param {boolean} mirrored @returns {[GifItem, boolean][]}
 */
function gifOrder(line, mirrored) {
  const other = mirrored ? "ltr" : "rtl";
  /** @type {[GifItem, boolean][]} */
  const ordered = [];
  for (let at = 0; at < line.length;) {
    let end = at;
    for (let next = at; next < line.length && (line[next].direction === other || !line[next].direction); next++) {
      if (line[next].direction === other) end = next + 1; // what has no direction belongs to both its neighbours or to neither
    }
    if (line[at].direction !== other) end = at;
    end = Math.max(end, at + 1);
    for (let next = end - 1; next >= at; next--) ordered.push([line[next], line[next > at ? next - 1 : end - 1].space]);
    at = end;
  }
  return ordered;
}
