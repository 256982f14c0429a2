// The menu "Keep": a run as text, link, picture, GIF, table, web page and trace.

import { h, offer } from "./dom.js";
import { frameAt, textOf } from "./messages.js";
import { fileNameOf } from "./history.js";
import { svgOf, pngOf } from "./picture.js";
import { gifOf } from "./gif.js";
import { csvOf } from "./csv.js";
import { webPageOf } from "./page_file.js";
import { t, told } from "./language.js";

/** @import { Run, Server } from "./types.d.ts" */

/**
 * What the menu needs. The server's answers may hold `error`, whose text is shown.
 * @typedef {object} KeepParts
 * @property {() => Run | undefined} runOf the run to keep
 * @property {(run: Run) => string} [titleOf] its strategy in plain words; without it the paper's name is taken
 * @property {(run: Run) => ReturnType<Server["replay"]>} replayOf
 * @property {() => ReturnType<Server["shell"]>} shell the web page's text before and after the replay
 * @property {(run: Run) => ReturnType<Server["recorded"]>} recorded the trace in JSON
 * @property {(run: Run) => string | Promise<string>} linkOf
 * @property {(text: string) => void} say shows a sentence and has it spoken
 */

/** @typedef {{ label: string, note: string, busy: string, keep: (run: Run, title: string) => Promise<string> }} KeepWay */

/**
 * Adds the menu to an element: a button with a list. An element that is a popover, which somebody else opens, gets the
 * list alone.
 * @param {HTMLElement} root @param {KeepParts} parts
 */
export function createKeepMenu(root, parts) {
  const shared = root.hasAttribute("popover");
  let busy = false;
  const list = h("div", { className: "pg-keep-list", role: "group", "aria-label": t("Keep this run as"), id: keepName(), hidden: !shared });
  const choices = keepWays(parts).map((way) => h("button", { type: "button", onclick: () => keep(way) }, h("span", {}, way.label), h("span", { className: "pg-quiet" }, way.note)));
  list.append(...choices);
  const button = h("button", { type: "button", className: "pg-keep-button", "aria-expanded": "false", "aria-controls": list.id, onclick: () => open(list.hidden === true) }, t("Keep"));
  const box = h("div", { className: `pg-keep${shared ? " pg-keep-shared" : ""}` }, !shared && button, list);

  const open = (/** @type {boolean} */ opened) => {
    if (shared) return root.hidePopover(); // whoever owns the popover opens it
    list.hidden = !opened;
    button.setAttribute("aria-expanded", String(opened));
    if (!opened) return;
    list.style.marginLeft = "";
    const { left, right } = list.getBoundingClientRect();
    list.style.marginLeft = `${Math.max(8 - left, Math.min(0, document.documentElement.clientWidth - 8 - right))}px`; // on the screen
    choices[0].focus();
  };
  const close = () => {
    const inside = list.contains(document.activeElement);
    open(false);
    if (inside && !shared) button.focus();
  };
  const keep = async (/** @type {KeepWay} */ way) => {
    if (busy) return;
    const run = parts.runOf();
    close();
    if (!run || !frameAt(run, run.latest)) return parts.say(t("There is no run to keep yet."));
    busy = true;
    button.setAttribute("aria-busy", "true");
    button.textContent = t("Keeping…");
    if (way.busy) parts.say(way.busy);
    try {
      parts.say(await way.keep(run, parts.titleOf?.(run) || run.opening?.request?.strategy || ""));
    } catch (error) {
      parts.say(t("Not kept: {error}", { error: told(error instanceof Error ? error.message : String(error)) }));
    } finally {
      busy = false;
      button.removeAttribute("aria-busy");
      button.textContent = t("Keep");
    }
  };
  box.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const at = choices.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const move = { ArrowDown: at + 1, ArrowUp: at < 0 ? choices.length - 1 : at - 1, Home: 0, End: choices.length - 1 }[event.key];
    if (event.key === "Escape") close();
    else if (move !== undefined) choices[(move + choices.length) % choices.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation(); // Escape also stops a run, and arrows step through it
  });
  box.addEventListener("focusout", (event) => {
    if (!shared && !list.hidden && !(event.relatedTarget instanceof Node && box.contains(event.relatedTarget))) open(false);
  });
  root.append(box);
  return { element: box, close };
}

let keepMenus = 0;
const keepName = () => `pg-keep-${++keepMenus}`;

/** @param {KeepParts} parts @returns {KeepWay[]} */
function keepWays(parts) {
  const file = (/** @type {Blob | string} */ content, /** @type {string} */ title, /** @type {string} */ ending, type = "") => {
    const name = fileNameOf(title, ending);
    offer(content, name, type);
    return t("Saved as {name}.", { name });
  };
  const dark = () => document.body.classList.contains("dark");
  return [
    { label: t("Copy text"), note: t("the filled text"), busy: "", keep: async (run) => keepCopy(textOf(run, /** @type {any} */ (frameAt(run, run.latest)), "░"), t("Text copied.")) },
    { label: t("Copy link"), note: t("the request, to fill again"), busy: "", keep: async (run) => keepCopy(await parts.linkOf(run), t("Link copied.")) },
    { label: t("Picture (PNG)"), note: t("the order map, for a slide"), busy: "", keep: async (run, title) => file(await pngOf(run, { title: told(title), dark: dark() }), title, "png") },
    { label: t("Picture (SVG)"), note: t("the order map, for a paper"), busy: "", keep: async (run, title) => file(svgOf(run, { title: told(title) }), title, "svg", "image/svg+xml") },
    { label: t("GIF"), note: t("the text, step by step"), busy: t("Drawing the GIF…"), keep: async (run, title) => file(await gifOf(run, { title: told(title) }), title, "gif") },
    { label: t("Order (CSV)"), note: t("a row for each token"), busy: "", keep: async (run, title) => file(csvOf(run), title, "csv", "text/csv") },
    {
      label: t("Web page (HTML)"), note: t("replays without a server"), busy: t("Making the page…"),
      keep: async (run, title) => file(await keepPage(run, parts), title, "html", "text/html"),
    },
    { label: t("Trace (JSON)"), note: t("to open here again"), busy: "", keep: async (run, title) => file(keepAnswer(await parts.recorded(run), "trace"), title, "json", "application/json") },
  ];
}

/**
 * Returns the web page of a run. One that came with its candidates needs no server for them.
 * @param {Run} run @param {KeepParts} parts
 */
async function keepPage(run, parts) {
  const { closing, candidates } = run;
  const replay = closing && candidates ? { ...closing, candidates } : keepAnswer(await parts.replayOf(run), "replay");
  const shell = await parts.shell();
  return webPageOf(replay, [keepAnswer(shell, "before"), keepAnswer(shell, "after")]);
}

/**
 * Returns a part of the server's answer. Throws what went wrong.
 * @template {object} T @template {keyof T} K
 * @param {T & { error?: string }} answer @param {K} name @returns {NonNullable<T[K]>}
 */
function keepAnswer(answer, name) {
  const found = answer[name];
  if (found === undefined || found === null) throw new Error(told(answer.error ?? "") || t("the server did not answer"));
  return /** @type {NonNullable<T[K]>} */ (found);
}

/** Copies a text and returns what to say. @param {string} text @param {string} done */
async function keepCopy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or neither https nor localhost
    const focused = document.activeElement;
    const box = h("textarea", { value: text, className: "pg-hidden", "aria-hidden": "true" });
    document.body.append(box);
    box.select();
    const copied = document.execCommand("copy");
    box.remove();
    if (focused instanceof HTMLElement) focused.focus();
    if (!copied) throw new Error(t("the browser does not allow copying"));
  }
  return done;
}
