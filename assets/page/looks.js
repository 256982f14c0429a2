// What is written in the passage, stretch by stretch, and marks on it that change no element.

import { frameAt } from "./messages.js";
import { stepOf } from "./timeline.js";

/** @import { Store } from "./store.js" */

/**
 * One stretch of the passage: given text, a token of a gap, or masks. `node` is the text that a mark can lie under.
 * @typedef {{ text: string, masks: number, node: Text | null, place: number }} Stretch
 */

/**
 * Returns the stretches from left to right as the model reads them, and what they depend on. `place` is the slot of a
 * token, or -1. Slots of a gap that no run fills are masks.
 * @param {HTMLElement} box the passage @param {Store} store @returns {{ stretches: Stretch[], key: string }}
 */
export function readPassage(box, store) {
  const run = store.state.shown.length === 1 ? store.shown[0] : undefined;
  const step = run ? stepOf(store.state, run, store.state.time) : 0;
  const pieces = run ? frameAt(run, step)?.pieces ?? [] : [];
  /** @type {Stretch[]} */
  const stretches = [];
  for (const node of box.childNodes) {
    if (node instanceof Text) stretches.push({ text: node.data.replace(/\u00a0/g, " "), masks: 0, node, place: -1 });
    else if (node instanceof HTMLBRElement) stretches.push({ text: "end" in node.dataset ? "" : "\n", masks: 0, node: null, place: -1 });
    else if (node instanceof HTMLElement) {
      for (const cell of node.querySelectorAll("[data-place]")) {
        const place = Number(cell.getAttribute("data-place"));
        const shown = cell.querySelector(".pg-token")?.firstChild;
        const written = shown instanceof Text ? pieces[place] ?? null : null;
        stretches.push(written === null ? { text: "", masks: 1, node: null, place } : { text: written, masks: 0, node: /** @type {Text} */ (shown), place });
      }
    }
  }
  const key = JSON.stringify([run?.key ?? "", run?.name ?? "", step, stretches.map(({ text, masks }) => masks || text)]);
  return { stretches: withoutDoubleSpaces(stretches), key };
}

/**
 * Drops the space before a gap whose first token has its own. @param {Stretch[]} stretches @returns {Stretch[]}
 */
export function withoutDoubleSpaces(stretches) {
  return stretches.map((stretch, at) => {
    const next = stretches[at + 1];
    return stretch.place < 0 && next && next.place >= 0 && next.text.startsWith(" ") ? { ...stretch, text: stretch.text.replace(/ $/, "") } : stretch;
  });
}

/**
 * Returns texts and numbers of masks for the server: neighbours of a kind are joined, and what is empty is left out.
 * @param {Stretch[]} stretches @returns {(string | number)[]}
 */
export function partsOf(stretches) {
  /** @type {(string | number)[]} */
  const parts = [];
  for (const { text, masks } of stretches) {
    const part = masks || text;
    const last = parts.at(-1);
    if (!part) continue;
    if (typeof part === "string" && typeof last === "string") parts[parts.length - 1] = last + part;
    else if (typeof part === "number" && typeof last === "number") parts[parts.length - 1] = last + part;
    else parts.push(part);
  }
  return parts;
}

/**
 * Returns where the characters from `from` to `to` of the joined texts stand: in which stretches, from where to where.
 * @param {Stretch[]} stretches @param {number} from @param {number} to @returns {{ at: number, from: number, to: number }[]}
 */
export function placesOf(stretches, from, to) {
  /** @type {{ at: number, from: number, to: number }[]} */
  const places = [];
  let read = 0;
  stretches.forEach(({ text }, at) => {
    const [start, stop] = [Math.max(from, read), Math.min(to, read + text.length)];
    if (start < stop) places.push({ at, from: start - read, to: stop - read });
    read += text.length;
  });
  return places;
}

/**
 * Puts marks of a name (see the style sheets: `::highlight`) under parts of stretches, in place of the former ones. The
 * whole token is marked where a mark touches one.
 * @param {string} name @param {Stretch[]} stretches @param {{ at: number, from: number, to: number }[]} places
 */
export function markPassage(name, stretches, places) {
  const registry = typeof CSS === "undefined" ? undefined : CSS.highlights;
  if (!registry) return; // an older browser: what is marked is also said in words
  const ranges = places.flatMap(({ at, from, to }) => {
    const { node, place } = stretches[at];
    if (!node?.isConnected) return [];
    const range = document.createRange();
    range.setStart(node, place < 0 ? Math.min(from, node.length) : 0);
    range.setEnd(node, place < 0 ? Math.min(to, node.length) : node.length);
    return [range];
  });
  if (ranges.length) registry.set(name, new Highlight(...ranges));
  else registry.delete(name);
}
