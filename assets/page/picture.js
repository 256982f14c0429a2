// A picture of the order of a run for a slide or a paper: one SVG that needs nothing else.
// app/export/picture.py draws the same.

import { asked, frameAt, startOf, visible } from "./messages.js";
import { counted, masksLeft } from "./timeline.js";
import { historyOf, readsFromRight, stateOfSlot } from "./history.js";
import { t, told } from "./language.js";

/** @import { Run } from "./types.d.ts" */

const PICTURE_LIGHT = {
  paper: "#ffffff", ink: "#1f2937", quiet: "#545b69", line: "#d5d9e0", back: "#b3261e", low: [236, 238, 252], high: [49, 46, 129],
};
const PICTURE_DARK = {
  paper: "#111827", ink: "#f3f4f6", quiet: "#b4bac6", line: "#3b4252", back: "#ff8a80", low: [35, 38, 64], high: [199, 196, 255],
};
const PICTURE_FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', Arial, sans-serif";
const PICTURE_LEFT = 48, PICTURE_RIGHT = 20, PICTURE_WIDEST = 1132, PICTURE_GUTTER = 10; // px; the gutter is between gaps
const PICTURE_HEAD = 13, PICTURE_SMALL = 11, PICTURE_TITLE = 16; // px, sizes of text
const PICTURE_SHADES = 16;

/** Escapes a text for XML; characters that XML cannot hold become U+FFFD. @param {string} text */
export const pictureText = (text) => text
  .replace(/[\ud800-\udfff\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/gu, "\ufffd")
  .replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

/** @param {number} number of pixels; they are written with one decimal */
const pictureNumber = (number) => String(Math.floor(number * 10 + 0.5) / 10);

/** Estimates the width of a text in pixels, on the large side. @param {string} text @param {number} size */
export function pictureWidth(text, size) {
  let width = 0;
  for (const character of text) width += /\p{M}/u.test(character) ? 0 : (character.codePointAt(0) ?? 0) >= 0x2e80 ? 1.05 : 0.62;
  return width * size;
}

/** Cuts a text to a width in pixels. @param {string} text @param {number} size @param {number} room */
function pictureFitting(text, size, room) {
  const characters = [...text];
  if (pictureWidth(text, size) <= room) return text;
  while (characters.length && pictureWidth(`${characters.join("")}…`, size) > room) characters.pop();
  return `${characters.join("")}…`;
}

/** Returns a token as a column's head: without the space before it, at most 16 characters. @param {string | null} piece */
export function pictureHead(piece) {
  if (piece === null) return "–";
  const bare = /^[ \t\r\n]*$/.test(piece) ? visible(piece) : visible(piece.replace(/^ +/, ""));
  const characters = [...bare];
  return characters.length > 16 ? `${characters.slice(0, 15).join("")}…` : bare;
}

/**
 * Returns the SVG of a run's order map: columns are slots, rows are steps, shades are confidence.
 * @param {Run} run @param {{ title: string, dark?: boolean }} options `title` is the strategy's in plain words
 */
export function svgOf(run, { title, dark = false }) {
  const colours = dark ? PICTURE_DARK : PICTURE_LIGHT;
  const history = historyOf(run);
  const last = frameAt(run, run.latest);
  const pieces = last?.pieces ?? [];
  const place = picturePlaces(run, pieces.map(pictureHead), history.steps);
  const captions = pictureCaptions(run, title, Math.max(360, place.width) - 2 * PICTURE_RIGHT);
  const width = Math.max(360, place.width);
  const bottom = place.top + place.row * Math.max(1, history.steps);
  const height = bottom + 40 + captions.length * 20 + 12;
  const parts = [
    `<rect width="${pictureNumber(width)}" height="${pictureNumber(height)}" fill="${colours.paper}"/>`,
    ...pictureHeads(run, place, pieces, colours),
    ...pictureStrip(run, place, history, colours),
    ...pictureRows(run, place, history.steps, colours),
    ...pictureMarks(place, history, colours),
    ...pictureLegend(run, history, bottom + 24, colours),
    ...captions.map(({ text, strong }, line) =>
      pictureWords(text, PICTURE_RIGHT, bottom + 58 + line * 20, strong ? PICTURE_TITLE : PICTURE_HEAD, strong ? colours.ink : colours.quiet, strong ? ' font-weight="600"' : "")),
  ];
  const size = `width="${pictureNumber(width)}" height="${pictureNumber(height)}" viewBox="0 0 ${pictureNumber(width)} ${pictureNumber(height)}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" font-family="${PICTURE_FONT}">\n`
    + `<title>${pictureText(t("Order map: {facts}", { facts: captions.map(({ text }) => text).join(" · ") }))}</title>\n${parts.join("\n")}\n</svg>\n`;
}

/**
 * Lays the map out: the left edge of every column, sizes of cells, and whether the heads lie flat, stand or are left out.
 * @param {Run} run @param {string[]} heads @param {number} steps
 */
function picturePlaces(run, heads, steps) {
  const gaps = run.opening?.gaps ?? [heads.length];
  const widest = Math.max(0, ...heads.map((head) => pictureWidth(head, PICTURE_HEAD)));
  const room = PICTURE_WIDEST - PICTURE_LEFT - PICTURE_RIGHT - PICTURE_GUTTER * (gaps.length - 1);
  const most = room / Math.max(1, heads.length);
  const cell = most < 24 ? most : Math.floor(Math.min(most, Math.max(24, Math.ceil(widest + 8))));
  const heading = widest + 8 <= cell ? "flat" : cell >= 14 ? "standing" : "none";
  const body = cell * heads.length + PICTURE_GUTTER * (gaps.length - 1);
  const mirrored = readsFromRight(run);
  /** @type {number[]} */
  const left = [];
  gaps.forEach((length, gap) => {
    for (let within = 0; within < length; within++) {
      const along = left.length * cell + gap * PICTURE_GUTTER;
      left.push(PICTURE_LEFT + (mirrored ? body - along - cell : along));
    }
  });
  const names = gaps.length > 1 ? 20 : 0;
  const headHeight = heading === "flat" ? 22 : heading === "standing" ? widest + 10 : 4;
  const strip = 16 + names + headHeight; // the strip's upper edge
  return {
    left, cell, heading, mirrored, strip, names: names ? 26 : 0, top: strip + 26, row: Math.max(2, Math.min(22, 720 / Math.max(1, steps))),
    width: PICTURE_LEFT + body + PICTURE_RIGHT,
  };
}

/** @typedef {ReturnType<typeof picturePlaces>} PicturePlaces @typedef {typeof PICTURE_LIGHT} PictureColours */
/** @typedef {ReturnType<typeof historyOf>} PictureHistory */

/**
 * @param {string} text @param {number} x @param {number} y @param {number} size @param {string} colour
 * @param {string} [more] attributes
 */
const pictureWords = (text, x, y, size, colour, more = "") =>
  `<text x="${pictureNumber(x)}" y="${pictureNumber(y)}" font-size="${size}" fill="${colour}"${more}>${pictureText(text)}</text>`;

/** @param {Run} run @param {PicturePlaces} place @param {(string | null)[]} pieces @param {PictureColours} colours */
function pictureHeads(run, place, pieces, colours) {
  /** @type {string[]} */
  const parts = [];
  const gaps = run.opening?.gaps ?? [];
  if (place.names) {
    gaps.forEach((length, gap) => {
      const first = startOf(gaps, gap);
      const middle = (place.left[first] + place.left[first + length - 1] + place.cell) / 2;
      if (length * place.cell >= 14) {
        const name = length * place.cell >= 44 ? t("gap {gap}", { gap: gap + 1 }) : String(gap + 1);
        parts.push(pictureWords(name, middle, place.names, PICTURE_SMALL, colours.quiet, ' text-anchor="middle"'));
      }
    });
  }
  pieces.forEach((piece, at) => {
    if (place.heading === "none") return;
    const middle = place.left[at] + place.cell / 2, y = place.strip - 8;
    const style = ["pinned", "inherited"].includes(stateOfSlot(run, at)) ? ' font-style="italic"' : "";
    if (place.heading === "flat") {
      parts.push(pictureWords(pictureHead(piece), middle, y, PICTURE_HEAD, colours.ink, `${style} text-anchor="middle"`));
    } else {
      const x = middle + PICTURE_HEAD * 0.35;
      const turn = ` transform="rotate(-90 ${pictureNumber(x)} ${pictureNumber(y)})"`;
      parts.push(pictureWords(pictureHead(piece), x, y, PICTURE_HEAD, colours.ink, style + turn));
    }
  });
  return parts;
}

/**
 * The strip above the rows: the step that wrote each slot, as a number where there is room and as a bar otherwise.
 * @param {Run} run @param {PicturePlaces} place @param {PictureHistory} history @param {PictureColours} colours
 */
function pictureStrip(run, place, history, colours) {
  const digits = String(history.steps).length;
  const numbers = place.cell >= digits * 7 + 4;
  const parts = [pictureWords(t("step"), PICTURE_LEFT - 8, place.strip + 13, PICTURE_SMALL, colours.quiet, ' text-anchor="end"')];
  place.left.forEach((left, at) => {
    const state = stateOfSlot(run, at), step = history.written[at].at(-1), x = left + place.cell / 2;
    if (state === "pinned" || state === "inherited") {
      parts.push(`<rect x="${pictureNumber(left + place.cell * 0.1)}" y="${pictureNumber(place.strip + 7)}" width="${pictureNumber(place.cell * 0.8)}" height="4" fill="${colours.quiet}"/>`);
    } else if (state === "written" && step !== undefined && numbers) {
      parts.push(pictureWords(String(step), x, place.strip + 13, PICTURE_SMALL, colours.ink, ' text-anchor="middle"'));
    } else if (state === "written" && step !== undefined) {
      const height = Math.max(1, 18 * step / history.steps);
      parts.push(`<rect x="${pictureNumber(left + place.cell * 0.1)}" y="${pictureNumber(place.strip + 18 - height)}" width="${pictureNumber(place.cell * 0.8)}" height="${pictureNumber(height)}" fill="${colours.quiet}"/>`);
    }
  });
  return parts;
}

/** @param {Run} run @param {PicturePlaces} place @param {number} steps @param {PictureColours} colours */
function pictureRows(run, place, steps, colours) {
  const parts = [];
  const every = [1, 2, 5, 10, 20, 50, 100].find((step) => step * place.row >= 16) ?? 200;
  /** @type {string[][]} */
  const paths = Array.from({ length: PICTURE_SHADES }, () => []); // cells of one shade make one path
  for (let step = 1; step <= steps; step++) {
    const y = place.top + (step - 1) * place.row;
    if (step === 1 || step % every === 0) {
      parts.push(pictureWords(String(step), PICTURE_LEFT - 8, y + place.row / 2 + 4, PICTURE_SMALL, colours.quiet, ' text-anchor="end"'));
    }
    const frame = run.frames[step];
    if (!frame) continue;
    place.left.forEach((left, at) => {
      if (!asked(frame, step, at)) return;
      const shade = Math.floor(frame.confidence[at] * PICTURE_SHADES / 256);
      const [w, h] = [place.cell, place.row].map((size) => pictureNumber(size >= 6 ? size - 1 : size));
      paths[shade].push(`M${pictureNumber(left)} ${pictureNumber(y)}h${w}v${h}h-${w}z`);
    });
  }
  paths.forEach((path, shade) => {
    if (path.length) parts.push(`<path fill="${pictureShade(shade, colours)}" d="${path.join("")}"/>`);
  });
  return parts;
}

/** @param {number} shade from 0 @param {PictureColours} colours */
const pictureShade = (shade, colours) =>
  `rgb(${colours.low.map((low, at) => Math.floor(low + (colours.high[at] - low) * shade / (PICTURE_SHADES - 1) + 0.5)).join(",")})`;

/** @param {PicturePlaces} place @param {PictureHistory} history @param {PictureColours} colours */
function pictureMarks(place, history, colours) {
  const radius = Math.max(1, Math.min(place.cell, place.row) * 0.24);
  const stroke = pictureNumber(Math.max(0.5, radius / 3.5));
  /** @type {string[]} */
  const dots = [];
  /** @type {string[]} */
  const crosses = [];
  place.left.forEach((left, at) => {
    const x = left + place.cell / 2;
    const y = (/** @type {number} */ step) => place.top + (step - 0.5) * place.row;
    for (const step of history.taken[at]) {
      const both = pictureNumber(2 * radius);
      crosses.push(`M${pictureNumber(x - radius)} ${pictureNumber(y(step) - radius)}l${both} ${both}m-${both} 0l${both} -${both}`);
    }
    for (const step of history.written[at]) {
      dots.push(`<circle cx="${pictureNumber(x)}" cy="${pictureNumber(y(step))}" r="${pictureNumber(radius)}"/>`);
    }
  });
  const parts = [`<g fill="#ffffff" stroke="#111111" stroke-width="${stroke}">${dots.join("")}</g>`];
  if (crosses.length) parts.push(`<path fill="none" stroke="${colours.back}" stroke-width="${pictureNumber(Math.max(1, radius / 2))}" d="${crosses.join("")}"/>`);
  return parts;
}

/** @param {Run} run @param {PictureHistory} history @param {number} y @param {PictureColours} colours */
function pictureLegend(run, history, y, colours) {
  const parts = [];
  let x = PICTURE_RIGHT;
  const say = (/** @type {string} */ text) => {
    parts.push(pictureWords(text, x, y, PICTURE_SMALL, colours.quiet));
    x += pictureWidth(text, PICTURE_SMALL) + 14;
  };
  for (let shade = 0; shade < PICTURE_SHADES; shade += 5, x += 12) {
    parts.push(`<rect x="${x}" y="${pictureNumber(y - 10)}" width="12" height="12" fill="${pictureShade(shade, colours)}"/>`);
  }
  x += 4;
  say(t("confidence, 0 to 100 %"));
  parts.push(`<circle cx="${pictureNumber(x + 4)}" cy="${pictureNumber(y - 4)}" r="4" fill="#ffffff" stroke="#111111"/>`);
  x += 14;
  say(t("written"));
  if (history.taken.some((steps) => steps.length)) {
    parts.push(`<path fill="none" stroke="${colours.back}" stroke-width="2" d="M${pictureNumber(x)} ${pictureNumber(y - 8)}l8 8m-8 0l8 -8"/>`);
    x += 14;
    say(t("taken back"));
  }
  const states = history.written.map((_, at) => stateOfSlot(run, at));
  if (states.includes("pinned") || states.includes("inherited")) {
    parts.push(`<rect x="${pictureNumber(x)}" y="${pictureNumber(y - 6)}" width="12" height="4" fill="${colours.quiet}"/>`);
    x += 18;
    say(states.includes("inherited") ? t("given or taken over") : t("given"));
  }
  return parts;
}

/**
 * Returns the lines below the map: the strategy, then steps, passes, how the run ended and the model.
 * @param {Run} run @param {string} title @param {number} room in pixels
 */
function pictureCaptions(run, title, room) {
  const frame = frameAt(run, run.latest);
  const name = run.opening?.request?.strategy ?? "";
  const facts = [counted(run.latest, "step"), counted(frame?.nfe ?? 0, "pass", "passes")];
  if (frame?.masks) facts.push(`${run.ended === "complete" ? "" : `${told(run.ended)}${t(", ")}`}${masksLeft(frame.masks)}`);
  if (run.opening?.model) facts.push(run.opening.model);
  /** @type {{ text: string, strong: boolean }[]} */
  const lines = [];
  const add = (/** @type {string[]} */ parts, /** @type {boolean} */ strong) => {
    const size = strong ? PICTURE_TITLE : PICTURE_HEAD;
    let line = "";
    for (const part of parts.map((each) => pictureFitting(each, size, room))) {
      const longer = line ? `${line} · ${part}` : part;
      if (line && pictureWidth(longer, size) > room) {
        lines.push({ text: line, strong });
        line = part;
      } else line = longer;
    }
    lines.push({ text: line, strong });
  };
  add([title, name].filter((each, at, all) => each && all.indexOf(each) === at), true);
  add(facts, false);
  return lines;
}

/**
 * Draws the SVG at twice its size. Throws if the browser cannot draw it.
 * @param {Run} run @param {{ title: string, dark?: boolean }} options @returns {Promise<Blob>}
 */
export async function pngOf(run, options) {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgOf(run, options))}`;
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * picture.width;
  canvas.height = 2 * picture.height;
  const pen = canvas.getContext("2d");
  if (!pen) throw new Error(t("this browser cannot draw pictures"));
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => blob ? resolve(blob) : reject(new Error(t("the picture is too large"))), "image/png"));
}
