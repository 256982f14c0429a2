// An animated GIF of a run: the passage in every state, on a layout that never moves.
// app/export/gif.py draws the same look.

import { frameAt, pinned, standing } from "./messages.js";
import { counted, masksLeft } from "./timeline.js";
import { gifItems, gifPlace, gifToken } from "./gif_layout.js";
import { historyOf, readsFromRight } from "./history.js";
import { gifenc } from "./vendor/gifenc.cjs";
import { t } from "./language.js";

/** @import { Frame, Run } from "./types.d.ts" */
/** @import { GifItem } from "./gif_layout.js" */

const GIF_COLOURS = {
  paper: "#ffffff", ink: "#1f2937", quiet: "#545b69", line: "#b9bfca", shade: "#eef0f4", model: "#4f46e5", weak: "#e4e7fc",
  now: "#ffe08a", nowLine: "#8a5a00", back: "#b3261e",
};
const GIF_FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', Arial, sans-serif";
const GIF_TEXT = 22, GIF_SMALL = 12, GIF_LINE = 50, GIF_CELL = 32, GIF_EDGE = 24, GIF_FOOT = 44; // px
const GIF_HOLD = 3000; // ms of the last frame
const GIF_PALETTE = 31; // colours, besides the one for "as before"

/**
 * Returns the GIF of a run, one frame a state; the last one is held for three seconds.
 * @param {Run} run @param {{ width?: number, delay?: number, title?: string }} options `delay` of a frame in ms
 * @returns {Promise<Blob>}
 */
export async function gifOf(run, { width = 720, delay = 400, title = "" } = {}) {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (!pen) throw new Error(t("this browser cannot draw pictures"));
  pen.font = `${GIF_TEXT}px ${GIF_FONT}`;
  const measure = (/** @type {string} */ text) => pen.measureText(text).width;
  const mirrored = readsFromRight(run);
  const items = gifItems(run, measure);
  for (const item of items) item.width = Math.min(item.width, width - 2 * GIF_EDGE); // drawn narrower
  const lines = gifPlace(items, { width: width - 2 * GIF_EDGE, space: Math.max(6, measure(" ")), mirrored });
  canvas.width = width;
  canvas.height = GIF_EDGE + lines * GIF_LINE + GIF_FOOT;
  const history = historyOf(run);
  const states = Array.from({ length: history.steps + 1 }, (_, step) => step);
  const draw = (/** @type {number} */ step) => {
    gifDraw(pen, run, items, step, history, mirrored, title);
    return pen.getImageData(0, 0, canvas.width, canvas.height).data;
  };

  const palette = gifPalette(states, history.taken.flat(), draw);
  const gif = gifenc.GIFEncoder();
  /** @type {Uint8Array | null} */
  let before = null;
  for (const step of states) {
    await new Promise((resolve) => setTimeout(resolve)); // lets the page answer clicks
    const image = gifenc.applyPalette(draw(step), palette);
    const written = image.slice();
    if (before) for (let at = 0; at < image.length; at++) if (image[at] === before[at]) written[at] = GIF_PALETTE;
    gif.writeFrame(written, canvas.width, canvas.height, {
      palette: before ? undefined : Array.from({ length: GIF_PALETTE + 1 }, (_, at) => palette[at] ?? [0, 0, 0]), colorDepth: 5,
      delay: step === history.steps ? GIF_HOLD : step ? delay : Math.max(delay, 900),
      transparent: Boolean(before), transparentIndex: GIF_PALETTE, dispose: 1,
    });
    before = image;
  }
  gif.finish();
  return new Blob([gif.bytes()], { type: "image/gif" });
}

/**
 * Returns the colours of all frames, from a few of them: the ends, the middle, and some that take tokens back.
 * @param {number[]} states @param {number[]} taken @param {(step: number) => Uint8ClampedArray} draw
 */
function gifPalette(states, taken, draw) {
  const last = states.length - 1;
  const some = [...new Set([0, Math.min(1, last), last >> 1, last, ...taken.slice(0, 2)])].map((step) => draw(step).slice());
  const all = new Uint8Array(some.reduce((sum, data) => sum + data.length, 0));
  let at = 0;
  for (const data of some) {
    all.set(data, at);
    at += data.length;
  }
  return gifenc.quantize(all, GIF_PALETTE);
}

/**
 * Draws one state.
 * @param {CanvasRenderingContext2D} pen @param {Run} run @param {GifItem[]} items @param {number} step
 * @param {ReturnType<typeof historyOf>} history @param {boolean} mirrored @param {string} title
 */
function gifDraw(pen, run, items, step, history, mirrored, title) {
  const { width, height } = pen.canvas;
  const frame = frameAt(run, step);
  pen.fillStyle = GIF_COLOURS.paper;
  pen.fillRect(0, 0, width, height);
  pen.textBaseline = "alphabetic";
  if (!frame) return;
  for (const item of items) {
    const x = GIF_EDGE + item.x, y = GIF_EDGE + item.y * GIF_LINE;
    pen.direction = item.direction || (mirrored ? "rtl" : "ltr");
    if (item.at >= 0) gifCell(pen, run, frame, item, x, y, step, history);
    else gifWords(pen, item.text, x + item.width / 2, y + 23, item.width, GIF_TEXT, GIF_COLOURS.ink);
  }
  pen.direction = "ltr";
  const foot = height - GIF_FOOT;
  pen.fillStyle = GIF_COLOURS.shade;
  pen.fillRect(GIF_EDGE, foot, width - 2 * GIF_EDGE, 4);
  pen.fillStyle = GIF_COLOURS.model;
  pen.fillRect(GIF_EDGE, foot, (width - 2 * GIF_EDGE) * (history.steps ? step / history.steps : 0), 4);
  const facts = [t("step {step} of {steps}", { step, steps: history.steps }), counted(frame.nfe, "pass", "passes"), masksLeft(frame.masks)].join(" · ");
  gifWords(pen, facts, GIF_EDGE, foot + 25, width * 0.6, GIF_SMALL + 2, GIF_COLOURS.quiet, "left");
  if (title) gifWords(pen, title, width - GIF_EDGE, foot + 25, width * 0.35, GIF_SMALL + 2, GIF_COLOURS.quiet, "right");
}

/**
 * Draws the cell of a slot: hatched if it is masked, amber if this step wrote it, with a red edge if it took it back.
 * @param {CanvasRenderingContext2D} pen @param {Run} run @param {Frame} frame @param {GifItem} item
 * @param {number} x @param {number} y @param {number} step @param {ReturnType<typeof historyOf>} history
 */
function gifCell(pen, run, frame, item, x, y, step, history) {
  const piece = frame.pieces[item.at], fresh = history.written[item.at].includes(step), back = history.taken[item.at].includes(step);
  const given = standing(frame, item.at);
  pen.fillStyle = piece === null ? GIF_COLOURS.shade : fresh ? GIF_COLOURS.now : given ? GIF_COLOURS.paper : GIF_COLOURS.weak;
  pen.fillRect(x, y, item.width, GIF_CELL);
  if (piece === null) gifHatch(pen, x, y, item.width);
  pen.strokeStyle = back ? GIF_COLOURS.back : fresh ? GIF_COLOURS.nowLine : given ? GIF_COLOURS.quiet : GIF_COLOURS.line;
  pen.lineWidth = back ? 3 : 1;
  const inset = pen.lineWidth / 2;
  pen.strokeRect(x + inset, y + inset, item.width - 2 * inset, GIF_CELL - 2 * inset);
  if (piece !== null) gifWords(pen, gifToken(piece), x + item.width / 2, y + 23, item.width - 6, GIF_TEXT, GIF_COLOURS.ink);
  const written = history.written[item.at].filter((each) => each <= step).at(-1);
  const below = back && piece === null ? "×" : piece === null ? "" : given ? (pinned(run, frame, item.at) ? t("given") : t("kept")) : String(written ?? "");
  gifWords(pen, below, x + item.width / 2, y + GIF_CELL + 13, item.width, GIF_SMALL, back && piece === null ? GIF_COLOURS.back : GIF_COLOURS.quiet);
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {number} width */
function gifHatch(pen, x, y, width) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, width, GIF_CELL);
  pen.clip();
  pen.beginPath();
  for (let along = -GIF_CELL; along < width; along += 8) {
    pen.moveTo(x + along, y + GIF_CELL);
    pen.lineTo(x + along + GIF_CELL, y);
  }
  pen.strokeStyle = GIF_COLOURS.line;
  pen.lineWidth = 1;
  pen.stroke();
  pen.restore();
}

/**
 * Writes a text, squeezed if it is wider than the room.
 * @param {CanvasRenderingContext2D} pen @param {string} text @param {number} x @param {number} y @param {number} room
 * @param {number} size @param {string} colour @param {CanvasTextAlign} [align]
 */
function gifWords(pen, text, x, y, room, size, colour, align = "center") {
  pen.font = `${size}px ${GIF_FONT}`;
  pen.fillStyle = colour;
  pen.textAlign = align;
  pen.fillText(text, x, y, Math.max(1, room));
}
