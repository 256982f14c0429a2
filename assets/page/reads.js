// "What the gap reads": the share of the attention that every word gets when the gap's masks are predicted.

import { h } from "./dom.js";
import { markPassage, readPassage } from "./looks.js";
import { frameNow, unfinished } from "./timeline.js";
import { startOf, visible } from "./messages.js";
import { phrase, t, told } from "./language.js";

/** @import { Server, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */
/** @import { Stretch } from "./looks.js" */

const LEVELS = 5; // marks pg-reads-1 to pg-reads-5, each thicker
const NAMED = 5; // tokens that are named in the line below
const DELAY = 150; // ms without a move before the server is asked

/**
 * Returns how thick the line under each share is, from 0 (none) to LEVELS; the thickest is the largest share. The root
 * makes small shares visible.
 * @param {number[]} shares
 */
export function thickness(shares) {
  const most = Math.max(...shares, 1e-9);
  return shares.map((share) => Math.round(LEVELS * Math.sqrt(share / most)));
}

/** @typedef {{ at: number, from: number, to: number, share: number, text: string }} Placed a share, and which part of which stretch has it */

/**
 * Returns where the shares of a state lie, from left to right: of each token of given text, and of each slot.
 * @param {Stretch[]} stretches @param {number[]} gaps slots of each gap
 * @param {[text: string, share: number][][]} given @param {number[]} slots @returns {Placed[]}
 */
export function placeShares(stretches, gaps, given, slots) {
  const starts = gaps.map((_, gap) => startOf(gaps, gap));
  /** @type {Placed[]} */
  const placed = [];
  /** @type {number[][]} */
  const parts = given.map(() => []); // the stretches of each part of the given text
  let last = -1;
  stretches.forEach(({ place, text }, at) => {
    if (place < 0) return parts[starts.filter((start) => start <= last).length]?.push(at);
    last = place;
    placed.push({ at, from: 0, to: text.length, share: slots[place] ?? 0, text });
  });
  parts.forEach((some, part) => placed.push(...placePart(stretches, some, given[part], part === 0)));
  return placed.sort((one, other) => one.at - other.at || one.from - other.from);
}

/**
 * The model may have read less of a part than is typed, and with other spaces at its ends.
 * @param {Stretch[]} stretches @param {number[]} some @param {[text: string, share: number][]} tokens @param {boolean} first
 */
function placePart(stretches, some, tokens, first) {
  const typed = some.map((at) => stretches[at].text).join("");
  const read = tokens.map(([text]) => text).join("");
  const core = read.trim();
  const found = first ? typed.lastIndexOf(core) : typed.indexOf(core);
  /** @type {Placed[]} */
  const placed = [];
  if (!core || found < 0) return placed;
  let end = found - (read.length - read.trimStart().length);
  for (const [text, share] of tokens) {
    const begin = end + (text.length - text.trimStart().length);
    end += text.length;
    let before = 0;
    for (const at of some) {
      const { length } = stretches[at].text;
      const [from, to] = [Math.max(begin, before), Math.min(end, before + length)];
      if (from < to) placed.push({ at, from: from - before, to: to - before, share, text });
      before += length;
    }
  }
  return placed;
}

/**
 * Adds the button to the passage's tools, and the line below the passage.
 * @param {HTMLElement} stage @param {Setup} setup @param {Store} store
 * @param {{ server: Server, box: HTMLElement, say: (text: string, bad?: boolean) => void, schedule: () => void }} options
 */
export function createReads(stage, setup, store, { server, box, say, schedule }) {
  const button = h("button", {
    type: "button", dataset: { part: "reads" }, "aria-pressed": "false", onclick: toggle,
    title: t("The thicker the line under a word, the more of the attention goes there when the masks of the step shown are predicted: the mean over layers and heads"),
  }, t("What the gap reads"));
  const line = h("p", { className: "rd-line pg-quiet", hidden: true, dataset: { part: "most-read" } });
  stage.querySelector(".pg-tools")?.append(button);
  stage.append(line);

  let on = false;
  let wanted = ""; // state that is shown or asked for
  let timer = 0;

  function toggle() {
    on = !on;
    button.setAttribute("aria-pressed", String(on));
    stage.classList.toggle("rd-on", on);
    if (!on) clear();
    schedule();
  }

  function clear() {
    wanted = "";
    clearTimeout(timer);
    line.hidden = true;
    for (let level = 1; level <= LEVELS; level++) markPassage(`pg-reads-${level}`, [], []);
  }

  /** @param {string} key */
  async function ask(key) {
    const run = store.shown[0];
    const answer = await server.reads({ run: run.name, step: frameNow(store.state, run)[0] })
      .catch(() => ({ error: phrase("the server did not answer"), given: undefined, slots: undefined }));
    if (!on || wanted !== key) return;
    if (!answer.given || !answer.slots) {
      toggle();
      return say(told(answer.error ?? ""), true);
    }
    const { stretches } = readPassage(box, store);
    const placed = placeShares(stretches, run.opening?.gaps ?? [], answer.given, answer.slots);
    const levels = thickness(placed.map(({ share }) => share));
    for (let level = 1; level <= LEVELS; level++) markPassage(`pg-reads-${level}`, stretches, placed.filter((_, at) => levels[at] === level));
    const most = [...placed].sort((a, b) => b.share - a.share).filter(({ text }) => text).slice(0, NAMED);
    line.textContent = t("Read most: {tokens}. Attention says what is read, not why.", { tokens: most.map(({ text, share }) => `“${visible(text.trim() || text)}” ${(100 * share).toFixed(1)} %`).join(t(", ")) });
    line.hidden = false;
  }

  return {
    paint() {
      const run = store.state.shown.length === 1 ? store.shown[0] : undefined;
      const fits = setup.can_look && run?.opening?.by === "diffusion" && !run.expired && !store.state.stale && (!unfinished(run) || run.paused);
      button.hidden = !setup.can_look;
      button.disabled = !fits && !on;
      if (!on) return;
      const key = fits && run ? readPassage(box, store).key : "";
      if (key === wanted) return;
      clear();
      wanted = key;
      if (key) timer = window.setTimeout(() => void ask(key), DELAY);
    },
  };
}
