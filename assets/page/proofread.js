// "Which word looks wrong?": the words that the model believes least, under a wavy line; a press makes a gap of one.

import { h } from "./dom.js";
import { markPassage, partsOf, placesOf, readPassage } from "./looks.js";
import { counted } from "./timeline.js";
import { phrase, t, told } from "./language.js";

/** @import { BelievedWord, Server, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */
/** @import { Segment } from "./template.js" */
/** @import { Stretch } from "./looks.js" */

const WRONG = "pg-wrong"; // the mark's name
const SHARE = 0.1; // of the words, marked at first

/**
 * Returns the share of the words with the least belief, at least one, in the order of the text.
 * @param {BelievedWord[]} words @param {number} share
 */
export function leastBelieved(words, share) {
  const count = Math.max(1, Math.round(share * words.length));
  const least = [...words].sort((a, b) => a.belief - b.belief).slice(0, count);
  return words.filter((word) => least.includes(word));
}

/**
 * Returns the passage as it reads now, with a word as a gap of as many masks as it has tokens; masks stay gaps.
 * @param {Stretch[]} stretches @param {BelievedWord} word @returns {Segment[]}
 */
export function withWordAsGap(stretches, word) {
  /** @type {Segment[]} */
  const segments = [];
  const gap = { gap: { length: word.tokens, pins: [] } };
  let read = 0;
  let made = false;
  for (const part of partsOf(stretches)) {
    if (typeof part === "number") {
      segments.push({ gap: { length: part, pins: [] } });
      continue;
    }
    const [start, stop] = [word.from - read, word.to - read];
    if (!made && start >= 0 && start < part.length) {
      segments.push({ text: part.slice(0, start) }, gap, { text: part.slice(stop) });
      made = true;
    } else segments.push({ text: part });
    read += part.length;
  }
  return segments.filter((segment) => !("text" in segment) || segment.text);
}

/** Returns a belief as a probability in words. @param {number} belief in nats */
const beliefText = (belief) => `${(100 * Math.exp(belief)).toPrecision(2)} %`;

/**
 * Adds the button to the passage's tools, and the words below the passage.
 * @param {HTMLElement} stage @param {Setup} setup @param {Store} store
 * @param {{ server: Server, box: HTMLElement, replace: (segments: Segment[]) => void, pause: () => void, say: (text: string, bad?: boolean) => void }} options
 */
export function createProofread(stage, setup, store, { server, box, replace, pause, say }) {
  const button = h("button", {
    type: "button", dataset: { part: "proofread" }, onclick: ask,
    title: t("One look at the whole text: which words does the model believe least where they stand?"),
  }, t("Which word looks wrong?"));
  const slider = h("input", { type: "range", min: "0.02", max: "0.5", step: "0.02", value: String(SHARE), "aria-label": t("Share of the words to mark"), oninput: () => paintWords() });
  const list = h("span", { className: "pf-words", role: "group", "aria-label": t("Words with the least belief; a press turns one into a gap") });
  const close = h("button", { type: "button", "aria-label": t("Close “which word looks wrong”"), onclick: () => drop(true) }, "×");
  const count = h("span", { className: "pg-quiet" });
  const panel = h("div", { className: "pf", hidden: true, dataset: { part: "wrong-words" } }, h("label", { className: "pf-share" }, t("fewer"), slider, t("more")), count, list, close);
  stage.querySelector(".pg-tools")?.append(button);
  stage.append(panel);

  /** @type {{ words: BelievedWord[], stretches: Stretch[], key: string } | null} */
  let found = null;
  let asking = false;

  async function ask() {
    pause(); // or else the passage would be another one when the answer comes
    const { stretches, key } = readPassage(box, store);
    if (!stretches.some(({ text }) => text.trim())) return say(t("Write some words first."));
    asking = true;
    paint();
    const answer = await server.proofread({ parts: partsOf(stretches), model: store.state.draft.model })
      .catch(() => ({ error: phrase("the server did not answer: press again"), words: undefined }));
    asking = false;
    if (!answer.words) say(told(answer.error ?? ""), true);
    else if (readPassage(box, store).key === key) {
      found = { words: answer.words, stretches, key };
      paintWords();
    } else say(t("The text has changed meanwhile; press again."));
    paint();
  }

  /** @param {boolean} [byHand] */
  function drop(byHand = false) {
    found = null;
    markPassage(WRONG, [], []);
    panel.hidden = true;
    if (byHand) button.focus();
  }

  function paintWords() {
    if (!found) return;
    const { words, stretches } = found;
    const least = leastBelieved(words, Number(slider.value));
    markPassage(WRONG, stretches, least.flatMap(({ from, to }) => placesOf(stretches, from, to)));
    const text = stretches.map((stretch) => stretch.text).join("");
    count.textContent = t("{words} of {all}:", { words: counted(least.length, "word"), all: words.length });
    list.replaceChildren(...least.map((word) => {
      const name = text.slice(word.from, word.to);
      return h("button", {
        type: "button", className: "pf-word", title: t("The model's belief in it: {share}. Press to make it a gap of {masks}.", { share: beliefText(word.belief), masks: counted(word.tokens, "mask") }),
        "aria-label": t("{name}, {share}: make it a gap of {masks}", { name, share: beliefText(word.belief), masks: counted(word.tokens, "mask") }), onclick: () => openGap(word),
      }, name, h("small", {}, beliefText(word.belief)));
    }));
    panel.hidden = false;
  }

  /** @param {BelievedWord} word */
  function openGap(word) {
    if (!found) return;
    if (box.contentEditable === "false") return say(t("A run goes on; stop it first (Esc)."), true);
    const segments = withWordAsGap(found.stretches, word);
    if (segments.filter((segment) => "gap" in segment).length > setup.limits.gaps) return say(t("A passage has at most {count} gaps; fill it in parts.", { count: setup.limits.gaps }));
    drop();
    replace(segments);
    say(t("The word is a gap now; Fill writes another one in its place."));
    box.focus();
  }

  function paint() {
    button.disabled = asking || !setup.can_look;
    if (!setup.can_look) button.hidden = true;
    if (found && (store.state.shown.length > 1 || readPassage(box, store).key !== found.key)) drop();
  }
  return { paint };
}
