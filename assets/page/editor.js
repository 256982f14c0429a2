// The passage: one types into it, opens gaps in it, and sees a run write into the same cells.

import { buildCells, cellColumns, directionOf, gapDirection, layOutCells, paintCells } from "./cells.js";
import { frameAt, startOf } from "./messages.js";
import { MAX_GAP, formatTemplate, parseTemplate, pinProblem } from "./template.js";
import { stepOf } from "./timeline.js";
import { h, roving } from "./dom.js";
import { t } from "./language.js";

/** @import { Run, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */
/** @import { Cell } from "./cells.js" */
/** @import { Gap, Segment } from "./template.js" */

/** @typedef {{ element: HTMLElement, box: HTMLElement, number: HTMLInputElement, auto: HTMLButtonElement, gap: Gap, cells: Cell[], laid: string }} Chip */
/** @typedef {{ text: string, from: number, to: number } | { chip: Chip, slots: number[] }} Item one stretch of the passage, and the selected part of it */

const MASKS_PER_WORD = 1.3;
/** Cells that an `auto` gap shows before its length is known. */
const AUTO_CELLS = 5;
/** Masks on either side of words that are pinned. */
const AROUND_PIN = 3;

/** About how many tokens a text has. @param {string} text */
const guessedMasks = (text) => Math.max(1, Math.round(text.split(/\s+/).filter(Boolean).length * MASKS_PER_WORD));

/**
 * Returns the passage with its selection turned into a gap; spaces at its ends stay outside. Without a selection the gap
 * opens at the caret.
 * @param {{ text?: string, gap?: Gap, from: number, to: number, slots?: string[] }[]} items what is selected of each stretch
 * @param {(inside: { text: string, masks: number }) => Gap} gapOf
 * @returns {Segment[]}
 */
export function withGap(items, gapOf) {
  /** @type {Segment[]} */
  const before = [];
  /** @type {Segment[]} */
  const after = [];
  let text = "";
  let masks = 0;
  let opened = false;
  for (const item of items) {
    if (item.gap) {
      if (item.to > item.from) {
        masks += item.gap.length ?? AUTO_CELLS;
        opened = true;
      } else (opened ? after : before).push({ gap: item.gap });
      continue;
    }
    const whole = item.text ?? "";
    const inside = whole.slice(item.from, item.to);
    if (item.from >= 0 && item.to >= item.from && (inside || item.from === item.to)) {
      if (!opened) before.push({ text: whole.slice(0, item.from) });
      opened = true;
      text += inside;
      after.push({ text: whole.slice(item.to) });
    } else (opened ? after : before).push({ text: whole });
  }
  const lead = /^\s*/.exec(text)?.[0] ?? "";
  const rest = text.slice(lead.length);
  const trail = /\s*$/.exec(rest)?.[0] ?? "";
  const core = rest.slice(0, rest.length - trail.length);
  const gap = gapOf({ text: core, masks: masks + (core ? guessedMasks(core) : 0) });
  return joined([...before, { text: lead }, { gap }, { text: trail }, ...after]);
}

/** Joins texts that follow one another. @param {Segment[]} segments @returns {Segment[]} */
function joined(segments) {
  /** @type {Segment[]} */
  const whole = [];
  for (const segment of segments) {
    const last = whole.at(-1);
    if ("text" in segment && last && "text" in last) last.text += segment.text;
    else whole.push("text" in segment ? { text: segment.text } : segment);
  }
  return whole.filter((segment) => !("text" in segment) || segment.text);
}

/**
 * Returns the passage as text with every gap replaced by what a run wrote, except for the selection, which becomes a gap.
 * @param {{ text: string, selected: boolean, slot: boolean }[]} pieces from left to right
 * @returns {Segment[]}
 */
export function refilled(pieces) {
  const first = pieces.findIndex((piece) => piece.selected);
  const last = pieces.map((piece) => piece.selected).lastIndexOf(true);
  const inside = pieces.slice(first, last + 1);
  const words = inside.filter((piece) => !piece.slot).map((piece) => piece.text).join("");
  const length = inside.filter((piece) => piece.slot).length + (words.trim() ? guessedMasks(words) : 0);
  const text = (/** @type {{ text: string }[]} */ some) => some.map((piece) => piece.text).join("");
  const all = text(inside);
  const lead = /^\s*/.exec(all)?.[0] ?? "";
  return joined([{ text: text(pieces.slice(0, first)) + lead }, { gap: { length: Math.max(1, Math.min(MAX_GAP, length)), pins: [] } }, { text: text(pieces.slice(last + 1)) }]);
}

/**
 * @param {HTMLElement} root @param {Setup} setup @param {Store} store
 * @param {{ choose: (run: Run, place: number) => void, say: (text: string) => void, fill: () => void }} actions
 */
export function createEditor(root, setup, store, { choose, say, fill }) {
  const box = h("div", { className: "pg-passage", dir: "auto", role: "textbox", tabIndex: 0, "aria-multiline": "true", "aria-label": t("Passage: type a text and open gaps in it"), spellcheck: false, dataset: { part: "passage" } });
  const raw = h("textarea", { className: "pg-raw", hidden: true, rows: 4, "aria-label": t("Passage as raw text: [[3]] is a gap of 3 tokens, [[auto]] one whose length the model chooses"), dataset: { part: "raw" } });
  const fault = h("p", { className: "pg-fault", role: "alert", hidden: true });
  const tool = (/** @type {string} */ name, /** @type {string} */ title, /** @type {(event: MouseEvent) => void} */ act) =>
    h("button", { type: "button", title, dataset: { tool: name }, onclick: act, onmousedown: (/** @type {Event} */ event) => event.preventDefault() });
  const makeGap = tool("gap", t("Turn the selected words into a gap, or open one at the caret (Ctrl+G)"), (event) => openGap(event.detail === 0));
  makeGap.textContent = t("Make a gap");
  const pin = tool("pin", t("Keep the selected words in place and let the model write around them"), pinWords);
  pin.textContent = t("Pin");
  const refill = tool("refill", t("Keep the text as it reads now and let the model write the selected words anew"), refillWords);
  refill.textContent = t("Refill");
  const rawButton = tool("raw", t("Edit the passage as plain text with [[3]] for a gap of 3 tokens"), toggleRaw);
  rawButton.textContent = t("Raw text");
  rawButton.setAttribute("aria-pressed", "false");
  const tools = h("div", { className: "pg-tools", role: "toolbar", "aria-label": t("Gaps") }, makeGap, pin, refill, rawButton);
  root.append(tools, box, raw, fault);
  try {
    box.contentEditable = "plaintext-only";
  } catch { // older Firefox
    box.contentEditable = "true";
  }

  /** @type {Chip[]} */
  let chips = [];
  let own = /** @type {string | null} */ (null); // the text that the passage shows
  /** @type {Range | null} */
  let selected = null;
  let lastCaret = 0; // when a run began
  /** @type {{ text: string, caret: number }[]} */
  const past = [];
  /** @type {{ text: string, caret: number }[]} */
  let future = [];

  /** Where the cells stood when they were last measured: measuring in every frame would lay out the page in every frame. */
  let columns = { key: "", found: /** @type {{ left: number, width: number }[] | null} */ (null) };
  const resized = new ResizeObserver(() => { columns.key = ""; });
  resized.observe(box);

  // ---- from the draft to the passage and back ----

  /** @param {string} text */
  function show(text) {
    own = text;
    const segments = parseTemplate(text);
    if (!Array.isArray(segments)) {
      fault.textContent = segments.error;
      fault.hidden = false;
      setRaw(true);
      raw.value = text;
      return;
    }
    fault.hidden = true;
    chips = [];
    box.replaceChildren(...segments.map((segment) => ("text" in segment ? document.createTextNode(segment.text) : newChip(segment.gap).element)), endMark());
    if (raw.value !== text) raw.value = text;
    box.dir = directionOf(segments.map((segment) => ("text" in segment ? segment.text : "")).join("")) || "ltr";
  }

  // A break at the end, so that the caret can stand behind a last gap and on a last empty line.
  const endMark = () => h("br", { dataset: { end: "" } });

  /** @returns {Segment[]} */
  function read() {
    /** @type {Segment[]} */
    const segments = [];
    for (const node of box.childNodes) {
      const chip = chips.find((each) => each.element === node);
      if (chip) segments.push({ gap: chip.gap });
      else if (node instanceof HTMLBRElement) segments.push({ text: "end" in node.dataset ? "" : "\n" });
      else segments.push({ text: (node.textContent ?? "").replace(/\u00a0/g, " ") });
    }
    return joined(segments);
  }

  /** Takes the passage over into the draft. @param {Segment[]} [segments] what it is to be; as it reads if left out */
  function push(segments) {
    const now = segments ?? read();
    const text = formatTemplate(now);
    if (text === own) return;
    past.push({ text: own ?? "", caret: caretOffset() });
    if (past.length > 200) past.shift();
    future = [];
    if (segments) show(text);
    own = text;
    raw.value = text;
    box.dir = directionOf(now.map((segment) => ("text" in segment ? segment.text : "")).join("")) || "ltr";
    if (!box.lastChild || !("end" in (/** @type {HTMLElement} */ (box.lastChild).dataset ?? {}))) box.append(endMark());
    store.change({ draft: { ...store.state.draft, text, start: null } });
  }

  /** @param {Gap} gap @returns {Chip} */
  function newChip(gap) {
    const cells = h("span", { className: "pg-gap" });
    const number = h("input", { type: "number", className: "pg-number", min: "1", max: String(setup.limits.length), title: t("Number of masks. Type a to let the model choose it."), "aria-keyshortcuts": "a", "aria-label": t("Masks in the gap"), value: gap.length === null ? "" : String(gap.length) });
    const auto = h("button", { type: "button", className: "pg-auto", tabIndex: -1, title: t("Let the model choose how many") }, t("auto"));
    const remove = h("button", { type: "button", className: "pg-remove", tabIndex: -1, title: t("Remove the gap"), "aria-label": t("Remove the gap") }, "×");
    const dial = h("span", { className: "pg-dial" }, number, h("span", { className: "pg-more" }, auto, remove));
    const element = h("span", { className: "pg-chip", contentEditable: "false", draggable: false }, cells, dial);
    /** @type {Chip} */
    const chip = { element, box: cells, number, auto, gap, cells: [], laid: "" };
    chips.push(chip);
    /** @param {Partial<Gap>} values */
    const set = (values) => {
      chip.gap = { ...chip.gap, ...values };
      push();
      showNumber(chip);
      paintChip(chip);
    };
    number.addEventListener("change", () => {
      const wanted = Math.round(Number(number.value));
      const length = Math.max(1, Math.min(setup.limits.length, wanted || 1));
      if (wanted !== length) say(t("A gap has 1 to {most} masks; this one now has {length}.", { most: setup.limits.length, length }));
      set({ length });
    });
    number.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        number.dispatchEvent(new Event("change"));
        if (!event.ctrlKey && !event.metaKey) {
          event.preventDefault(); // or else the passage, where the caret is then, gets a line break
          caretAfter(element);
        }
      } else if (event.key === "a" && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        auto.click();
      } else if (!["ArrowUp", "ArrowDown"].includes(event.key)) return event.stopPropagation();
      else {
        event.preventDefault();
        set({ length: Math.max(1, Math.min(setup.limits.length, (Number(number.value) || (chip.gap.length ?? AUTO_CELLS)) + (event.key === "ArrowUp" ? 1 : -1))) });
      }
      if (!(event.ctrlKey || event.metaKey)) event.stopPropagation();
    });
    number.addEventListener("input", (event) => event.stopPropagation());
    auto.addEventListener("click", () => set({ length: chip.gap.length === null ? AUTO_CELLS : null }));
    remove.addEventListener("click", () => {
      element.remove();
      push();
      say(t("Gap removed; Ctrl+Z brings it back."));
      box.focus();
    });
    return chip;
  }

  // ---- a run in the cells ----

  const runOf = () => (store.state.shown.length === 1 ? store.shown[0] : undefined);

  /** Returns the run whose text a gap shows; none if the gap has another length by now. @param {number} gap */
  function runIn(gap) {
    const run = runOf();
    const lengths = run?.opening?.gaps;
    if (!run || !lengths || lengths.length !== chips.length) return null;
    const { length } = chips[gap].gap;
    return length === null || length === lengths[gap] ? run : null;
  }

  /** @param {Chip} chip */
  function showNumber({ number, gap }) {
    const value = gap.length === null ? "" : String(gap.length);
    if (number.value !== value) number.value = value;
  }

  /** @param {Chip} chip */
  function paintChip(chip) {
    const index = chips.indexOf(chip);
    const run = runIn(index);
    const lengths = run?.opening?.gaps ?? chips.map((each) => each.gap.length ?? AUTO_CELLS);
    const count = lengths[index];
    const first = startOf(lengths, index);
    const laid = [run?.key, run?.name, count, first, run?.fitted && run.latest, chip.gap.pins.map((each) => `${each.place}:${each.words}`).join()].join("\u0000");
    if (laid !== chip.laid) {
      chip.laid = laid;
      chip.cells = buildCells(chip.box, count, first);
      layOutCells(chip.box, chip.cells, run, first, /\s$/.test(chip.element.previousSibling?.textContent ?? ""));
    }
    const direction = (run && gapDirection(run, index)) || "";
    if (chip.box.dir !== direction) chip.box.dir = direction;
    const step = run ? stepOf(store.state, run, store.state.time) : 0;
    paintCells(chip.cells, first, run, run ? frameAt(run, step) : undefined, step, { place: store.state.place });
    if (!run) showPins(chip);
    const several = chips.length > 1;
    chip.number.setAttribute("aria-label", several ? t("Masks in gap {gap}", { gap: index + 1 }) : t("Masks in the gap"));
    if (document.activeElement !== chip.number) showNumber(chip); // or else it may be half typed
    chip.number.placeholder = t("auto");
    chip.auto.setAttribute("aria-pressed", String(chip.gap.length === null));
    chip.auto.setAttribute("aria-label", several ? t("Let the model choose the length of gap {gap}", { gap: index + 1 }) : t("Let the model choose the length of the gap"));
  }

  /** @param {Chip} chip */
  function showPins(chip) {
    for (const { place, words } of chip.gap.pins) {
      const cell = chip.cells[place - 1];
      if (!cell) continue;
      cell.token.textContent = words.trim();
      cell.element.style.width = "auto";
      cell.element.classList.remove("pg-masked");
      cell.element.classList.add("pg-pinned");
      cell.when.dataset.text = t("given");
      cell.painted = "";
    }
  }

  // ---- the selection ----

  /** @returns {Range | null} */
  function rangeInside() {
    const selection = document.getSelection();
    if (!selection?.rangeCount) return null;
    const range = selection.getRangeAt(0);
    return box.contains(range.commonAncestorContainer) ? range : null;
  }
  document.addEventListener("selectionchange", () => {
    const range = rangeInside();
    if (range) selected = range.cloneRange();
    paintTools();
  });

  /** The passage from left to right, with what is selected of each stretch. @param {Range} range */
  function items(range) {
    /** @type {Item[]} */
    const found = [];
    for (const node of box.childNodes) {
      const chip = chips.find((each) => each.element === node);
      if (chip) {
        const slots = chip.cells.flatMap((cell, at) => (!range.collapsed && range.intersectsNode(cell.element) ? [at] : []));
        found.push({ chip, slots });
        continue;
      }
      const text = node instanceof HTMLBRElement ? ("end" in node.dataset ? "" : "\n") : node.textContent ?? "";
      const length = text.length;
      if (!range.intersectsNode(node)) found.push({ text, from: -1, to: -1 });
      else if (node.nodeType !== Node.TEXT_NODE) found.push({ text, from: 0, to: range.collapsed ? 0 : length });
      else {
        const from = range.startContainer === node ? range.startOffset : range.comparePoint(node, 0) < 0 ? length : 0;
        const to = range.endContainer === node ? range.endOffset : range.comparePoint(node, length) > 0 ? 0 : length;
        found.push(to < from ? { text, from: -1, to: -1 } : { text, from, to });
      }
    }
    return found;
  }

  const flat = (/** @type {Item[]} */ some) => some.map((item) => ("chip" in item
    ? { gap: item.chip.gap, from: 0, to: item.slots.length }
    : { text: item.text, from: item.from, to: item.to }));

  function rangeOrEnd() {
    selected = rangeInside()?.cloneRange() ?? selected; // the event that tells of a caret comes late
    if (selected && box.contains(selected.commonAncestorContainer)) return selected;
    const range = document.createRange();
    range.selectNodeContents(box);
    range.collapse(false);
    return range;
  }

  /** @param {boolean} [byKey] whether the focus goes to the new gap's number */
  function openGap(byKey = false) {
    if (makeGap.disabled) return;
    const segments = read();
    if (segments.filter((segment) => "gap" in segment).length >= setup.limits.gaps) return say(t("A passage has at most {count} gaps; fill it in parts.", { count: setup.limits.gaps }));
    const range = rangeOrEnd();
    const all = items(range);
    if (range.collapsed && !all.some((item) => "text" in item && item.from >= 0)) all.push({ text: "", from: 0, to: 0 });
    /** @type {Gap} */
    const made = { length: 6, pins: [] };
    const opened = withGap(flat(onlyOnce(all, range)), ({ masks }) => Object.assign(made, { length: Math.min(setup.limits.length, masks || 6) }));
    push(opened);
    selected = null;
    const at = opened.flatMap((segment) => ("gap" in segment ? [segment.gap] : [])).indexOf(made);
    if (byKey) chips[at]?.number.select();
    say(t("Gap made. Arrow keys in its number make it longer or shorter; Enter goes back to the text."));
  }

  // A caret at the border of two stretches touches both; the first one takes it.
  /** @param {Item[]} all @param {Range} range */
  function onlyOnce(all, range) {
    if (!range.collapsed) return all;
    let taken = false;
    return all.map((item) => {
      if ("chip" in item || item.from < 0) return item;
      const mine = taken ? { ...item, from: -1, to: -1 } : item;
      taken = true;
      return mine;
    });
  }

  function pinWords() {
    if (!selected || selected.collapsed) return say(t("Select the words to pin first."));
    const all = items(selected);
    const written = all.find((item) => "chip" in item && item.slots.length);
    const run = runOf();
    if (written && "chip" in written && run) {
      const index = chips.indexOf(written.chip);
      const first = startOf(run.opening?.gaps ?? [], index);
      const frame = frameAt(run, stepOf(store.state, run, store.state.time));
      const words = written.slots.map((at) => frame?.pieces[first + at] ?? "").join("");
      if (!words.trim() || written.slots.some((at) => frame?.pieces[first + at] === null)) return say(t("Only words that are written can be pinned."));
      const problem = pinProblem(words.trim());
      if (problem) return say(t("Not pinned: {problem}.", { problem }));
      const pins = written.chip.gap.pins.filter((each) => each.place - 1 < written.slots[0] || each.place - 1 > (written.slots.at(-1) ?? 0));
      written.chip.gap = { length: run.opening?.gaps[index] ?? written.chip.gap.length, pins: [...pins, { place: written.slots[0] + 1, words: words.trim() }].sort((a, b) => a.place - b.place) };
      push();
      store.change({ place: -1 });
      return say(t("Pinned “{words}”; Fill writes the rest of the gap anew.", { words: words.trim() }));
    }
    const problem = pinProblem(String(selected));
    if (problem) return say(t("Not pinned: {problem}.", { problem }));
    push(withGap(flat(all), ({ text }) => ({ length: guessedMasks(text) + 2 * AROUND_PIN + 1, pins: [{ place: AROUND_PIN + 1, words: text }] })));
    selected = null;
    say(t("The words are pinned in a gap; the model writes around them."));
  }

  function refillWords() {
    const run = runOf();
    if (!selected || selected.collapsed) return say(t("Select the words to be written anew first."));
    if (!run || run.frames[run.latest]?.masks) return openGap();
    const last = run.frames[run.latest];
    const pieces = items(selected).flatMap((item) => {
      if (!("chip" in item)) {
        const [from, to] = item.from < 0 ? [0, 0] : [item.from, item.to];
        return [[0, from, false], [from, to, true], [to, item.text.length, false]].filter(([a, b]) => b > a)
          .map(([a, b, chosen]) => ({ text: item.text.slice(Number(a), Number(b)), selected: Boolean(chosen), slot: false }));
      }
      const first = startOf(run.opening?.gaps ?? [], chips.indexOf(item.chip));
      return item.chip.cells.map((_, at) => ({ text: last.pieces[first + at] ?? "", selected: item.slots.includes(at), slot: true }));
    });
    for (let at = 1; at < pieces.length; at++) { // one of the spaces before a gap is its first token's own
      if (pieces[at].slot && !pieces[at - 1].slot && pieces[at].text.startsWith(" ")) pieces[at - 1].text = pieces[at - 1].text.replace(/ $/, "");
    }
    if (!pieces.some((piece) => piece.selected)) return say(t("Select the words to be written anew first."));
    push(refilled(pieces));
    selected = null;
    fill();
  }

  // ---- typing ----

  /** Caret as a number of characters from the start, a gap counting as one. */
  function caretOffset() {
    const range = rangeInside();
    if (!range) return 0;
    let offset = 0;
    for (const node of box.childNodes) {
      if (node === range.startContainer) return offset + range.startOffset;
      if (node.contains(range.startContainer)) return offset;
      offset += node.nodeType === Node.TEXT_NODE ? node.textContent?.length ?? 0 : 1;
    }
    return offset;
  }

  /** @param {number} offset */
  function setCaret(offset) {
    const range = document.createRange();
    range.selectNodeContents(box);
    range.collapse(false);
    for (const node of box.childNodes) {
      const length = node.nodeType === Node.TEXT_NODE ? node.textContent?.length ?? 0 : 1;
      if (offset <= length && node.nodeType === Node.TEXT_NODE) {
        range.setStart(node, offset);
        break;
      }
      if (offset < length) {
        range.setStartBefore(node);
        break;
      }
      offset -= length;
    }
    range.collapse(true);
    const selection = document.getSelection();
    selection?.removeAllRanges();
    selection?.addRange(range);
  }

  /** @param {Node} node */
  function caretAfter(node) {
    box.focus();
    document.getSelection()?.collapse(box, [...box.childNodes].indexOf(/** @type {ChildNode} */ (node)) + 1);
  }

  /** @param {{ text: string, caret: number }[]} from @param {{ text: string, caret: number }[]} to */
  function travel(from, to) {
    const entry = from.pop();
    if (!entry) return;
    to.push({ text: own ?? "", caret: caretOffset() });
    show(entry.text);
    setCaret(entry.caret);
    store.change({ draft: { ...store.state.draft, text: entry.text, start: null } });
  }

  box.addEventListener("input", (event) => {
    if (event.target === box) push();
  });
  box.addEventListener("beforeinput", (event) => {
    if (event.target !== box) return;
    if (event.inputType === "historyUndo" || event.inputType === "historyRedo") {
      event.preventDefault();
      if (event.inputType === "historyUndo") travel(past, future);
      else travel(future, past);
    } else if (event.inputType === "insertParagraph" || event.inputType === "insertLineBreak") {
      event.preventDefault();
      insert("\n");
    }
  });
  /** @param {string} text */
  function insert(text) {
    const range = rangeInside();
    if (!range) return;
    range.deleteContents();
    const node = document.createTextNode(text);
    range.insertNode(node);
    range.setStartAfter(node);
    range.collapse(true);
    push();
  }
  box.addEventListener("paste", (event) => {
    if (event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    insert((event.clipboardData?.getData("text/plain") ?? "").replace(/\r\n?/g, "\n"));
  });
  box.addEventListener("drop", (event) => event.preventDefault());
  box.addEventListener("keydown", (event) => {
    const undo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if (!undo || event.target !== box || box.contentEditable === "false") return;
    event.preventDefault();
    if (event.shiftKey) travel(future, past);
    else travel(past, future);
  });
  raw.addEventListener("input", () => {
    const text = raw.value;
    const segments = parseTemplate(text);
    fault.textContent = Array.isArray(segments) ? "" : segments.error;
    fault.hidden = Array.isArray(segments);
    own = text;
    store.change({ draft: { ...store.state.draft, text, start: null } });
  });

  function toggleRaw() {
    if (!raw.hidden && !Array.isArray(parseTemplate(raw.value))) return say(t("Mend the text first: its gaps cannot be read."));
    setRaw(Boolean(raw.hidden));
    if (raw.hidden) {
      show(raw.value);
      chips.forEach(paintChip);
    }
    (raw.hidden ? box : raw).focus();
  }
  /** @param {boolean} on */
  function setRaw(on) {
    raw.hidden = !on;
    box.hidden = on;
    rawButton.setAttribute("aria-pressed", String(on));
  }

  // ---- slots ----

  /** @param {Event} event */
  function chosen(event) {
    const cell = /** @type {HTMLElement} */ (event.target).closest?.("[data-place]");
    const run = cell && runIn(chips.findIndex((chip) => chip.element.contains(cell)));
    if (run) choose(run, Number(cell.getAttribute("data-place")));
  }
  for (const kind of ["pointerover", "focusin", "click"]) box.addEventListener(kind, chosen);

  function paintTools() {
    const range = selected && !selected.collapsed && box.contains(selected.commonAncestorContainer);
    pin.disabled = !range;
    refill.disabled = !range || !runOf() || runOf()?.ended === "running";
    makeGap.disabled = Boolean(box.hidden) || box.contentEditable === "false";
    for (const button of tools.querySelectorAll("button")) if (!toolButtons.includes(button)) toolButtons.push(button); // of other modules
    settleTools();
  }

  const toolButtons = [makeGap, pin, refill, rawButton];
  const settleTools = roving(tools, toolButtons);

  return {
    paint() {
      const { draft } = store.state;
      const held = document.activeElement instanceof HTMLElement && box.contains(document.activeElement) ? document.activeElement.dataset.place : undefined;
      if (draft.text !== own) show(draft.text);
      const run = runOf();
      const busy = run?.ended === "running" || run?.ended === "asked";
      const editable = busy ? "false" : "plaintext-only";
      if (box.contentEditable !== editable) {
        const caret = document.activeElement === box ? (busy ? lastCaret = caretOffset() : lastCaret) : -1;
        try {
          box.contentEditable = editable;
        } catch {
          box.contentEditable = busy ? "false" : "true";
        }
        box.setAttribute("aria-readonly", String(busy));
        if (caret >= 0) { // the browser takes the focus away
          box.focus({ preventScroll: true });
          if (!busy) setCaret(caret);
        }
        raw.readOnly = busy;
        for (const chip of chips) chip.number.disabled = chip.auto.disabled = busy;
      }
      chips = chips.filter((chip) => box.contains(chip.element))
        .sort((a, b) => (a.element.compareDocumentPosition(b.element) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
      box.classList.toggle("pg-stale", store.state.stale);
      chips.forEach(paintChip);
      paintTools();
      const cells = chips.flatMap((chip) => chip.cells);
      const focusable = Math.max(0, store.state.place);
      cells.forEach((cell, at) => { cell.element.tabIndex = at === focusable && run ? 0 : -1; });
      // A new run builds its cells anew; the focus stays at its place.
      if (held !== undefined && document.activeElement?.getAttribute("data-place") !== held) cells[Number(held)]?.element.focus({ preventScroll: true });
    },
    /** Moves the focus to a slot. @param {number} place */
    focusSlot(place) {
      chips.flatMap((chip) => chip.cells)[place]?.element.focus({ preventScroll: true });
    },
    /** Where the cells stand in `frame`, if they are all on one line. @param {HTMLElement} frame */
    columns(frame) {
      if (box.hidden) return null;
      resized.observe(frame); // again and again is the same as once
      const wanted = chips.map((chip) => chip.laid).join("\n");
      if (columns.key !== wanted) columns = { key: wanted, found: cellColumns(chips.flatMap((chip) => chip.cells), frame) };
      return columns.found;
    },
    /** Opens a gap at the selection or the caret; the focus goes to its number. */
    makeGap: () => openGap(true),
    /** Puts other text and gaps into the passage; undo brings back what was there. @param {Segment[]} segments */
    replace: (segments) => push(segments),
    element: box,
  };
}
