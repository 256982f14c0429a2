// The keyboard: one table of keys that drives both the handler and the list that "?" shows.

import { h } from "./dom.js";
import { phrase, t } from "./language.js";

/**
 * @typedef {object} KeyActions what the keys do; a key whose action is missing is neither shown nor handled
 * @property {() => void} [fill]
 * @property {() => void} [stop]
 * @property {() => void} [gap]
 * @property {() => void} [play] plays, or pauses
 * @property {(by: number) => void} [step]
 * @property {() => void} [first]
 * @property {() => void} [last]
 * @property {(by: number) => void} [slot]
 * @property {(rank: number) => void} [candidate] from 0
 * @property {() => void} [mask]
 * @property {() => void} [lock]
 * @property {() => void} [present]
 */

/** @typedef {{ action: keyof KeyActions | "help", argument?: number }} KeyChoice */
/**
 * @typedef {object} KeyRow
 * @property {string[]} shown the keys as they are printed
 * @property {string} does
 * @property {Record<string, number | undefined>} keys `event.key` in lower case -> the action's argument
 * @property {keyof KeyActions | "help"} action
 * @property {boolean} [control] with Ctrl, or with Command
 * @property {boolean} [anywhere] also while typing
 * @property {boolean} [repeats] while it is held down
 */

/** @type {KeyRow[]} */
export const KEY_ROWS = [
  { shown: ["Ctrl", "Enter"], does: phrase("Fill the gaps"), keys: { enter: undefined }, action: "fill", control: true, anywhere: true },
  { shown: ["Ctrl", "G"], does: phrase("Make a gap of the selected words, or at the caret"), keys: { g: undefined }, action: "gap", control: true, anywhere: true },
  { shown: ["Esc"], does: phrase("Stop the run"), keys: { escape: undefined }, action: "stop", anywhere: true },
  { shown: ["Space"], does: phrase("Play or pause"), keys: { " ": undefined }, action: "play" },
  { shown: ["←", "→"], does: phrase("One step back, one step on"), keys: { arrowleft: -1, arrowright: 1 }, action: "step", repeats: true },
  { shown: ["Home"], does: phrase("To the beginning of the run"), keys: { home: undefined }, action: "first" },
  { shown: ["End"], does: phrase("To the end of the run"), keys: { end: undefined }, action: "last" },
  { shown: ["↑", "↓"], does: phrase("The position before, the position after"), keys: { arrowup: -1, arrowdown: 1 }, action: "slot", repeats: true },
  { shown: ["1", "…", "5"], does: phrase("Go on with that candidate"), keys: { 1: 0, 2: 1, 3: 2, 4: 3, 5: 4 }, action: "candidate" },
  { shown: ["m"], does: phrase("Mask the chosen position again"), keys: { m: undefined }, action: "mask" },
  { shown: ["l"], does: phrase("Lock the chosen position"), keys: { l: undefined }, action: "lock" },
  { shown: ["f"], does: phrase("Presenter size, and back"), keys: { f: undefined }, action: "present" },
  { shown: ["?"], does: phrase("Show these keys"), keys: { "?": undefined }, action: "help" },
];

/**
 * Returns what a key does, null if nothing.
 * @param {Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey" | "repeat" | "isComposing">} event
 * @param {boolean} inField whether the focus is where one types, or where the key has a meaning of its own
 * @returns {KeyChoice | null}
 */
export function actionOf(event, inField) {
  if (event.isComposing || event.altKey) return null;
  const control = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  const row = KEY_ROWS.find((each) => Object.hasOwn(each.keys, key) && Boolean(each.control) === control);
  if (!row || (inField && !row.anywhere) || (event.repeat && !row.repeats)) return null;
  if (event.shiftKey && key.length > 1) return null; // Shift and an arrow select text
  const argument = row.keys[key];
  return argument === undefined ? { action: row.action } : { action: row.action, argument };
}

const KEYS_TYPED = 'input, select, textarea, [contenteditable=""], [contenteditable="true"], [contenteditable="plaintext-only"]';
const KEYS_OWN = 'button, a[href], summary, [role="button"], [role="option"], [role="tab"], [role="menuitem"]';

/** Returns whether a key belongs to the element that has the focus. @param {EventTarget | undefined} target @param {string} key */
function keysBelongTo(target, key) {
  if (!(target instanceof Element)) return false;
  const chip = target.closest('[contenteditable="false"]');
  const typed = target.closest(KEYS_TYPED);
  if (typed && !(chip && typed.contains(chip))) return true;
  return key === " " && Boolean(target.closest(KEYS_OWN));
}

/**
 * Handles the keys of the whole page and builds the dialog that lists them. Whoever uses a key first, such as a gap or
 * an open list, keeps it by `preventDefault`.
 * @param {HTMLElement} root @param {KeyActions} actions
 */
export function createKeys(root, actions) {
  const rows = KEY_ROWS.filter(({ action }) => action === "help" || actions[action]);
  const dialog = h("dialog", { className: "pg-keys", "aria-labelledby": "pg-keys-title" },
    h("div", { className: "pg-keys-head" },
      h("h2", { id: "pg-keys-title" }, t("Keys")),
      h("button", { type: "button", "aria-label": t("Close"), title: t("Close (Esc)"), onclick: () => dialog.close() }, "×")),
    h("table", {},
      h("tbody", {}, ...rows.map(({ shown, does, control }) => h("tr", {},
        h("th", { scope: "row" }, ...shown.flatMap((key, index) => [index ? (control ? " + " : " ") : "", key === "…" ? "…" : h("kbd", {}, key)])),
        h("td", {}, t(does)))))),
    h("p", { className: "pg-quiet" }, t("While you type, only Ctrl+Enter, Ctrl+G and Esc work. On a Mac, Command is Ctrl.")));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  root.append(dialog);

  function open() {
    if (!dialog.open) dialog.showModal();
  }

  /** @param {KeyboardEvent} event */
  function handle(event) {
    if (event.defaultPrevented || document.querySelector("dialog[open], :popover-open")) return;
    const choice = actionOf(event, keysBelongTo(event.composedPath()[0], event.key));
    if (!choice) return;
    const act = choice.action === "help" ? open : actions[choice.action];
    if (!act) return;
    event.preventDefault();
    /** @type {(argument?: any) => void} */ (act)(choice.argument);
  }

  document.addEventListener("keydown", handle);
  return { open, paint() {}, remove: () => document.removeEventListener("keydown", handle) };
}
