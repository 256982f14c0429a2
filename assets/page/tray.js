// The tray: a card for every run, with its text and its order, from which a run is shown, compared, branched and kept.

import { spacesBefore, startOf } from "./messages.js";
import { counted, unfinished } from "./timeline.js";
import { parentOf, treeOf } from "./branch.js";
import { h } from "./dom.js";
import { phrase, t, told } from "./language.js";

/** @import { Frame, Run, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

/**
 * @typedef {object} TrayActions
 * @property {(run: Run) => void} show puts the run on the stage
 * @property {(run: Run) => void} branch puts the run on the stage and says how one branches from it
 * @property {(run: Run) => void} share copies a link to the run
 * @property {(root: HTMLElement, run: Run) => void} keepMenu mounts the menu of keep.js into an empty element
 * @property {(file: File) => void} [open] opens a recorded run
 * @property {(text: string) => void} say shows a sentence and has it spoken
 */

/** @typedef {{ text: string, kind: "given" | "fill" | "mask" | "cut", count?: number }} TrayPart */

const MOST_COMPARED = 4;
const UNDO_MS = 8000;
const CARD_TEXT = 92; // characters of a card's text
const LEAST_GIVEN = 12; // characters of given text that stay beside a fill
const ORDER_WORDS = 24; // slots whose order is said in words

/**
 * Returns when each slot was written: 1 for the first step that wrote something, 0 for masked and given slots.
 * @param {Frame | undefined} frame @returns {number[]}
 */
export function orderRanks(frame) {
  if (!frame) return [];
  const written = frame.pieces.map((piece, at) => (piece === null ? 0 : frame.when[at]));
  const steps = [...new Set(written)].filter(Boolean).sort((a, b) => a - b);
  return written.map((step) => steps.indexOf(step) + 1);
}

/** Says an order in words. @param {number[]} ranks */
export function orderWords(ranks) {
  if (!ranks.some(Boolean)) return t("order: nothing written yet");
  const said = ranks.slice(0, ORDER_WORDS).map((rank) => rank || "–").join(", ");
  const more = ranks.length - ORDER_WORDS;
  return more > 0 ? t("order: {ranks}, and {count} more", { ranks: said, count: more }) : t("order: {ranks}", { ranks: said });
}

/**
 * Paints the order of a run's slots as a row of shades, the darkest written first. `last` is the rank that is lightest.
 * @param {HTMLElement} strip @param {Frame | undefined} frame @param {number} [last]
 */
export function paintStrip(strip, frame, last) {
  const ranks = orderRanks(frame);
  const most = last ?? Math.max(0, ...ranks);
  const wanted = `${most}:${ranks.join()}:${frame?.pieces.map((piece) => (piece === null ? 0 : 1)).join("")}`;
  if (strip.dataset.painted === wanted) return;
  strip.dataset.painted = wanted;
  const words = orderWords(ranks);
  strip.setAttribute("aria-label", words);
  strip.title = words;
  const wide = 100 / Math.max(1, ranks.length);
  const stops = ranks.map((rank, at) => {
    const given = !rank && frame?.pieces[at] !== null;
    const share = most > 1 ? (rank - 1) / (most - 1) : 0;
    const colour = rank ? `color-mix(in srgb, var(--pg-model) ${Math.round(95 - 80 * share)}%, var(--pg-paper))` : given ? "var(--pg-quiet)" : "transparent";
    return `${colour} ${(wide * at).toFixed(2)}% ${(wide * (at + 1)).toFixed(2)}%`;
  });
  strip.style.setProperty("--pg-slot", `${wide}%`);
  strip.style.setProperty("--pg-shades", ranks.length ? `linear-gradient(to right, ${stops.join(", ")})` : "none");
}

/** Returns an empty strip for `paintStrip`. */
export const orderStrip = () => h("div", { className: "pg-strip", role: "img", "aria-label": t("order: nothing written yet") });

/**
 * Returns a run's text in parts, with given text cut in its middle (at its outer end before the first gap and after the
 * last) so that all fills fit into `room` characters; fills are cut only if they alone are longer.
 * @param {Run} run @param {Frame} frame @param {number} [room] @returns {TrayPart[]}
 */
export function trayParts(run, frame, room = CARD_TEXT) {
  const opening = run.opening;
  if (!opening) return [];
  /** @type {TrayPart[]} */
  const parts = [];
  opening.given.forEach((text, gap) => {
    if (gap === opening.gaps.length) return parts.push({ text, kind: "given" });
    parts.push({ text: text + spacesBefore(run, frame, gap), kind: "given" });
    const start = startOf(opening.gaps, gap);
    for (const piece of frame.pieces.slice(start, start + opening.gaps[gap])) {
      const last = /** @type {TrayPart} */ (parts.at(-1));
      if (piece === null && last.kind === "mask") last.count = (last.count ?? 0) + 1;
      else if (piece === null) parts.push({ text: "", kind: "mask", count: 1 });
      else if (last.kind === "fill") last.text += piece;
      else parts.push({ text: piece, kind: "fill" });
    }
  });
  const shown = parts.filter((part) => part.text || part.count).map((part) => ({
    ...part, text: part.kind === "mask" ? "▒".repeat(Math.min(6, part.count ?? 1)) : part.text.replace(/\s+/g, " "),
  }));
  const long = (/** @type {TrayPart["kind"]} */ kind) => shown.filter((part) => part.kind === kind).map((part) => [...part.text].length);
  const sum = (/** @type {number[]} */ lengths) => lengths.reduce((total, length) => total + length, 0);
  const given = long("given");
  const left = room - sum(long("fill")) - sum(long("mask"));
  if (sum(given) <= left) return shown;
  const each = Math.max(LEAST_GIVEN, trayShare(given, left));
  const forFills = room - sum(given.map((length) => Math.min(length, each))) - sum(long("mask"));
  const most = left < each * given.length ? Math.max(LEAST_GIVEN, trayShare(long("fill"), forFills)) : room;
  return shown.flatMap((part, at) => {
    if (part.kind === "mask") return [part];
    const keep = part.kind === "given" ? each : most;
    const outer = part.kind === "given" ? (at === 0 ? "start" : at === shown.length - 1 ? "end" : "middle") : "middle";
    return trayCut(part, keep, outer);
  });
}

/**
 * Returns how many characters each text may keep for all to have `room` together; short ones leave theirs to the others.
 * @param {number[]} lengths @param {number} room
 */
function trayShare(lengths, room) {
  let left = room;
  const sorted = [...lengths].sort((a, b) => a - b);
  for (const [at, length] of sorted.entries()) {
    const share = left / (sorted.length - at);
    if (length > share) return Math.max(0, Math.floor(share));
    left -= length;
  }
  return sorted.at(-1) ?? 0;
}

/**
 * @param {TrayPart} part @param {number} keep @param {"start" | "middle" | "end"} outer where it is cut
 * @returns {TrayPart[]}
 */
function trayCut(part, keep, outer) {
  const letters = [...part.text];
  if (letters.length <= keep) return [part];
  const head = outer === "start" ? 0 : outer === "end" ? keep : Math.ceil(keep / 2);
  const some = (/** @type {string[]} */ kept) => (kept.length ? [{ ...part, text: kept.join("") }] : []);
  /** @type {TrayPart} */
  const dots = { text: "…", kind: "cut" };
  const tail = keep - head;
  return [...some(letters.slice(0, head)), dots, ...some(tail ? letters.slice(-tail) : [])];
}

/** Returns in a word or two how a run stands. @param {Run} run */
export function runEnding(run) {
  if (run.ended === "running" && run.paused) return t("paused");
  if (run.ended === "asked") return t("waiting");
  if (run.ended === "running" && !run.begun) return run.choosing.calls ? t("choosing the length") : t("waiting");
  return told(run.ended);
}

/** Returns who wrote a run. @param {Run} run */
export function runAuthor(run) {
  const opening = run.opening;
  return !opening ? "" : opening.by === "diffusion" ? opening.model : told(opening.by);
}

/** Returns the figures of a run in a line. @param {Run} run */
export function runFacts(run) {
  const frame = run.frames[run.latest];
  if (!frame || !run.opening) return runEnding(run);
  const [rows, { steps }] = [run.choosing.rows, run.opening.request];
  const passes = counted(frame.nfe, "pass", "passes");
  return [
    t(steps === 1 ? "{step} of {steps} step" : "{step} of {steps} steps", { step: run.latest, steps }),
    rows ? t("{passes} + {count} for length", { passes, count: rows }) : passes,
    t("{seconds} s", { seconds: frame.seconds.toFixed(1) }),
    runEnding(run),
    runAuthor(run),
  ].join(" · ");
}

/** Returns where a run comes from, in words; "" for one that was made here. @param {Run[]} runs @param {Run} run */
export function runOrigin(runs, run) {
  const origin = run.opening?.origin;
  const parent = parentOf(runs, run);
  const step = origin?.step ?? 0;
  const branched = origin && (parent ? t("from step {step} of {label}", { step, label: parent.label }) : t("from step {step}, whose run is not here", { step }));
  const source = { live: "", recorded: t("recorded"), opened: t("opened from a file"), link: t("from a link") }[run.source];
  return [branched, source].filter(Boolean).join(t(", "));
}

/** @param {Element} element @param {string} text */
const traySay = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/** @param {HTMLElement} element @param {boolean} hidden */
const trayHide = (element, hidden) => {
  if (element.hidden !== hidden) element.hidden = hidden;
};

/**
 * @param {HTMLElement} root @param {Setup} setup @param {Store} store @param {TrayActions} actions
 */
export function createTray(root, setup, store, actions) {
  /** @typedef {ReturnType<typeof makeCard>} Card */
  /** @type {Map<string, Card>} */
  const cards = new Map();
  /** @type {string[]} */
  let selected = []; // in the order in which they were picked: the first is what the others are compared with
  /** @type {{ run: Run, at: number, shown: boolean, time: number }[]} */
  let removed = [];
  let undoTimer = 0;
  let active = ""; // the card that Tab reaches

  const list = h("ol", { className: "pg-tray-list" });
  const empty = h("p", { className: "pg-quiet pg-tray-empty" }, t("Every run gets a card here."));
  const compare = h("button", { type: "button", className: "pg-tray-compare", onclick: compareSelected });
  const hint = h("span", { className: "pg-quiet", role: "status" });
  const undone = h("span", {});
  const undo = h("div", { className: "pg-tray-undo", hidden: true, role: "status" }, undone, h("button", { type: "button", onclick: restore }, t("Undo")));
  const title = h("h2", { id: "pg-tray-title", tabIndex: -1 }, t("Runs"));
  const file = h("input", { type: "file", accept: ".json,application/json", hidden: true, onchange: () => {
    const [chosen] = file.files ?? [];
    if (chosen) actions.open?.(chosen);
    file.value = "";
  } });
  const open = h("button", { type: "button", className: "pg-tray-open", hidden: !actions.open, title: t("Open a run that was kept as a trace"), onclick: () => file.click() }, t("Open a file…"));
  root.append(h("section", { className: "pg-tray", "aria-labelledby": "pg-tray-title" },
    h("div", { className: "pg-tray-side" }, title, compare, hint, undo, open, file), empty, list));

  function compareSelected() {
    const keys = selected.filter((key) => store.run(key));
    if (keys.length < 2) return;
    selected = [];
    store.change({ shown: keys, time: Infinity, following: true, place: -1, pane: keys[0] });
  }

  /** @param {string} key @param {boolean} on */
  function select(key, on) {
    selected = on ? [...selected.filter((each) => each !== key), key].slice(0, MOST_COMPARED) : selected.filter((each) => each !== key);
    paint();
  }

  /** @param {Run} run */
  function remove(run) {
    if (unfinished(run)) return actions.say(t("The run goes on; stop it first (Esc)."));
    const rows = treeOf(store.state.runs).map((row) => row.run.key);
    const at = rows.indexOf(run.key);
    const next = rows[at + 1] ?? rows[at - 1];
    const focused = cards.get(run.key)?.article.contains(document.activeElement);
    removed.push({ run, at: store.state.runs.indexOf(run), shown: store.state.shown.includes(run.key), time: store.state.time });
    selected = selected.filter((key) => key !== run.key);
    store.change({ runs: store.state.runs.filter((other) => other !== run), shown: store.state.shown.filter((key) => key !== run.key) });
    clearTimeout(undoTimer);
    undoTimer = window.setTimeout(forget, UNDO_MS);
    paint();
    if (focused) focusCard(next);
  }

  function forget() {
    if (undo.contains(document.activeElement)) {
      undoTimer = window.setTimeout(forget, UNDO_MS);
      return;
    }
    removed = [];
    paint();
  }

  function restore() {
    const runs = [...store.state.runs];
    const shown = [...store.state.shown];
    for (const { run, at, shown: was } of [...removed].reverse()) {
      if (runs.some((other) => other.key === run.key)) continue;
      runs.splice(at, 0, run);
      if (was && shown.length < MOST_COMPARED) shown.push(run.key);
    }
    const back = removed.at(-1)?.run.key;
    const time = removed.find((each) => each.shown)?.time ?? store.state.time; // the step on the screen before the first of them went
    removed = [];
    clearTimeout(undoTimer);
    store.change({ runs, shown, time });
    paint();
    focusCard(back);
  }

  /** @param {string | undefined} key */
  function focusCard(key) {
    const card = key === undefined ? undefined : cards.get(key);
    if (!card) return title.focus();
    setActive(card.key);
    card.article.focus();
  }

  /** Scrolls the row of cards, and never the page, to a card. @param {string} key */
  function reveal(key) {
    const item = cards.get(key)?.item;
    if (!item) return;
    const [inner, outer] = [item.getBoundingClientRect(), list.getBoundingClientRect()];
    if (inner.right > outer.right) list.scrollLeft += inner.right - outer.right;
    else if (inner.left < outer.left) list.scrollLeft += inner.left - outer.left;
  }

  /** Lets Tab reach the controls of one card only, so that a long tray takes few tabs. @param {string} key */
  function setActive(key) {
    active = key;
    for (const card of cards.values()) {
      const index = card.key === key ? 0 : -1;
      for (const element of [card.article, ...card.controls()]) if (element.tabIndex !== index) element.tabIndex = index;
    }
  }

  /** @param {KeyboardEvent} event @param {Run} run */
  function pressed(event, run) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.matches('input[type="text"]') || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = treeOf(store.state.runs).map((row) => row.run.key);
    const at = keys.indexOf(run.key);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: keys.length - 1 }[event.key];
    if (to !== undefined) focusCard(keys[Math.max(0, Math.min(keys.length - 1, to))]);
    else if (event.key === "Delete") remove(run);
    else if (event.key === "Enter" && target.matches("article")) actions.show(run);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Puts an open menu where the row of cards does not cut it off. @param {HTMLElement} holder */
  function placeMenu(holder) {
    const button = holder.querySelector("button");
    const menu = /** @type {HTMLElement | null} */ (holder.querySelector(".pg-keep-list:not([hidden])"));
    if (!button || !menu) return;
    const at = button.getBoundingClientRect();
    const size = menu.getBoundingClientRect();
    const above = at.top - size.height - 4;
    const top = above > 8 ? above : Math.min(at.bottom + 4, innerHeight - size.height - 8);
    menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
    menu.style.top = `${Math.max(8, top)}px`;
  }

  /** @param {Run} run */
  function makeCard({ key }) {
    /** The run may be another object by now. */
    const run = () => /** @type {Run} */ (store.run(key));
    const name = h("span", { className: "pg-card-label" });
    const strategy = h("span", { className: "pg-card-title" });
    const id = h("span", { className: "pg-card-id" });
    const heading = h("h3", { id: `pg-card-${key}` }, name, " ", strategy, " ", id);
    const origin = h("span", { className: "pg-card-origin" });
    const facts = h("p", { className: "pg-card-facts" });
    const text = h("p", { className: "pg-card-text", dir: "auto" });
    const strip = orderStrip();
    const note = h("span", { className: "pg-card-note" });
    const notes = h("div", { className: "pg-card-notes" }, origin, note);
    const box = h("input", { type: "checkbox", onchange: () => select(key, box.checked) });
    const field = h("input", { type: "text", maxLength: 60, className: "pg-card-field", hidden: true });
    /** @param {string} label @param {() => void} act @param {string} [sign] */
    const button = (label, act, sign) => h("button", { type: "button", dataset: { act: label.toLowerCase() }, onclick: act }, sign ?? t(label));
    const buttons = {
      Show: button(phrase("Show"), () => actions.show(run())),
      Branch: button(phrase("Branch"), () => actions.branch(run())),
      Share: button(phrase("Share"), () => actions.share(run())),
      Rename: button(phrase("Rename"), rename, "✎"),
      Remove: button(phrase("Remove"), () => remove(run()), "✕"),
    };
    const keep = h("div", { className: "pg-card-keep", onclick: () => placeMenu(keep) });
    const article = h("article", { className: "pg-card", tabIndex: -1, "aria-labelledby": `pg-card-${key}`, dataset: { key } },
      heading, field, facts, text, notes, strip,
      h("div", { className: "pg-card-tools" }, h("label", { className: "pg-card-pick" }, box, t("Compare")), buttons.Show, buttons.Branch, buttons.Share, keep, buttons.Rename, buttons.Remove));
    article.addEventListener("keydown", (event) => pressed(event, run()));
    article.addEventListener("focusin", () => active !== key && setActive(key));
    const item = h("li", {}, article);

    function rename() {
      field.value = run().label;
      field.hidden = false;
      heading.hidden = true;
      field.focus();
      field.select();
    }
    /** @param {boolean} take */
    function renamed(take) {
      if (field.hidden) return;
      const focused = document.activeElement === field;
      const changed = take && field.value.trim() !== "" && field.value !== run().label;
      field.hidden = true;
      heading.hidden = false;
      if (focused) buttons.Rename.focus();
      if (!changed) return;
      run().label = field.value;
      store.change({ runs: store.state.runs });
    }
    field.addEventListener("blur", () => renamed(true));
    field.addEventListener("keydown", (event) => {
      if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
      event.preventDefault();
      event.stopPropagation();
      renamed(event.key === "Enter");
    });

    let painted = "";
    /** @type {Run | null} */
    let mounted = null;
    /** @param {number} depth @param {boolean} full whether as many runs are picked as can be compared */
    function paintCard(depth, full) {
      const now = run();
      if (mounted !== now) { // an example that was opened again is another run with the same key
        mounted = now;
        painted = "";
        keep.replaceChildren();
        actions.keepMenu(keep, now);
        if (active === key) setActive(key);
      }
      const frame = now.frames[now.latest];
      const shown = store.state.shown.includes(key);
      const picked = selected.includes(key);
      const from = runOrigin(store.state.runs, now);
      const wanted = JSON.stringify([depth, full, shown, picked, from, now.label, now.latest, now.ended, now.begun, now.paused, now.expired,
        now.choosing.rows, now.opening?.gaps, now.opening?.model, Boolean(now.closing), Boolean(frame), now.name]);
      if (wanted === painted) return;
      painted = wanted;
      const request = now.opening?.request;
      const known = setup.strategies.find((each) => each.name === request?.strategy);
      const plain = now.opening && now.opening.by !== "diffusion" ? (now.opening.by === "parent" ? t("Parent, left to right") : t("Parent, best of 16")) : told(known?.title ?? request?.strategy ?? "");
      traySay(name, now.label);
      traySay(strategy, plain);
      traySay(id, now.opening?.by === "diffusion" && known ? known.name : "");
      traySay(facts, runFacts(now));
      facts.title = facts.textContent ?? "";
      heading.title = heading.textContent ?? "";
      traySay(origin, from && (depth ? `↳ ${from}` : from));
      origin.hidden = !from;
      note.hidden = !now.expired;
      if (now.expired && !note.childNodes.length) note.append(t("Expired: no candidates, no branch"), h("span", { className: "pg-card-more" }, t("; the text and order are still here.")));
      text.replaceChildren(...(frame ? trayParts(now, frame).map(trayPartElement) : ["…"]));
      text.title = now.closing?.text ?? "";
      paintStrip(strip, frame);
      strip.hidden = !frame;
      item.style.setProperty("--pg-depth", String(Math.min(depth, 4)));
      item.classList.toggle("pg-child", depth > 0);
      article.classList.toggle("pg-shown", shown);
      notes.hidden = !from && !now.expired;
      article.classList.toggle("pg-noted", !notes.hidden);
      buttons.Show.setAttribute("aria-pressed", String(shown));
      box.checked = picked;
      box.disabled = full && !picked;
      box.setAttribute("aria-label", t("Compare {label}", { label: now.label }));
      field.setAttribute("aria-label", t("New name of run {label}", { label: now.label }));
      for (const [word, each] of Object.entries(buttons)) each.setAttribute("aria-label", t("{act} {label}", { act: t(word), label: now.label }));
      for (const word of /** @type {const} */ (["Rename", "Remove"])) buttons[word].title = t(word);
      const diffusion = now.opening?.by === "diffusion";
      buttons.Branch.disabled = now.expired || !diffusion || !frame;
      buttons.Branch.title = now.expired ? t("The server does not have this run any more") : !diffusion && now.opening ? t("Only a run of the diffusion model can be branched") : t("Go on from one of its steps");
      buttons.Share.disabled = !now.opening;
      keep.querySelector("button")?.setAttribute("aria-label", t("{act} {label}", { act: t("Keep"), label: now.label }));
      buttons.Remove.disabled = unfinished(now);
      if (buttons.Remove.disabled) buttons.Remove.title = t("Stop it first");
    }
    return { key, article, item, controls: () => /** @type {NodeListOf<HTMLElement>} */ (article.querySelectorAll("button, input")), paint: paintCard };
  }

  function paintBar() {
    const some = store.state.runs.length > 1;
    trayHide(compare, !some);
    compare.disabled = selected.length < 2;
    traySay(compare, selected.length > 1 ? t("Compare {count} runs", { count: selected.length }) : t("Compare"));
    traySay(hint, !some ? "" : !selected.length ? t("Pick two to four runs.") : selected.length === 1 ? t("Pick one more.") : t("Compared with {label}.", { label: store.run(selected[0])?.label ?? "" }));
    trayHide(undo, !removed.length);
    trayHide(hint, removed.length > 0 || !hint.textContent);
    traySay(undone, removed.length ? t("Removed {labels}.", { labels: removed.map(({ run }) => run.label).join(t(", ")) }) : "");
  }

  function paint() {
    const rows = treeOf(store.state.runs);
    const keys = new Set(rows.map((row) => row.run.key));
    selected = selected.filter((key) => keys.has(key));
    for (const [key, card] of cards) {
      if (keys.has(key)) continue;
      card.item.remove();
      cards.delete(key);
    }
    const focused = /** @type {HTMLElement | null} */ (list.contains(document.activeElement) ? document.activeElement : null);
    let added = "";
    rows.forEach(({ run, depth }, at) => {
      let card = cards.get(run.key);
      if (!card) {
        card = makeCard(run);
        cards.set(run.key, card);
        added = run.key;
      }
      card.paint(depth, selected.length >= MOST_COMPARED);
      if (list.children[at] !== card.item) list.insertBefore(card.item, list.children[at] ?? null);
    });
    if (focused && document.activeElement !== focused) focused.focus({ preventScroll: true });
    if (!keys.has(active) || (added && !focused)) setActive(added || rows[0]?.run.key || "");
    if (added) {
      setActive(active);
      reveal(keys.has(store.state.shown[0]) ? store.state.shown[0] : added);
    }
    trayHide(empty, rows.length > 0);
    trayHide(list, !rows.length);
    paintBar();
  }
  paint();
  return { paint };
}

/** @param {TrayPart} part */
function trayPartElement(part) {
  if (part.kind === "fill") return h("mark", {}, part.text);
  if (part.kind === "mask") return h("span", { className: "pg-card-masks" }, h("span", { "aria-hidden": "true" }, part.text), h("span", { className: "pg-hidden" }, ` ${counted(part.count ?? 1, "mask")} `));
  return part.text;
}
