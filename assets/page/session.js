// Keeps what a visitor has made in the browser's session, so that a refresh, "back" or a lost server loses nothing.

import { checkedDraft, tooDeep } from "./link.js";
import { newRun, receive } from "./messages.js";
import { t } from "./language.js";
/** @import { Draft, PageState, Run, Setup } from "./types.d.ts" */

/** @typedef {{ getItem(key: string): string | null, setItem(key: string, value: string): void, removeItem(key: string): void }} SessionStorage */
/** @typedef {{ draft: Draft, runs: Run[], shown: string[], time: number, trouble: string[] }} Restored */

const SESSION_KEY = "infilling-playground";
const SESSION_VERSION = 1;
const SESSION_BYTES = 4_000_000; // as UTF-16; browsers give 5 MB at least
const SESSION_RUNS = 64;

/**
 * Keeps the draft, the runs, what is shown and the step. Where there is too little room, the oldest runs lose what they
 * wrote, but not their names, by which the server may still know them. Returns whether it was kept; never throws.
 * @param {SessionStorage | null} storage @param {Pick<PageState, "draft" | "runs" | "shown" | "time">} state
 */
export function saveSession(storage, { draft, runs, shown, time }) {
  try {
    const rest = JSON.stringify({ version: SESSION_VERSION, draft, shown, time }); // an infinite time becomes null
    const kept = runs.slice(-SESSION_RUNS).map(({ key, label, source, name, closing }) => {
      const about = { key, label, source, name };
      const bare = JSON.stringify(about);
      return { bare, written: closing ? JSON.stringify({ ...about, closing }) : bare };
    });
    const length = () => kept.reduce((sum, { written }) => sum + written.length + 1, rest.length + 10);
    const dropOldest = () => {
      const oldest = kept.find(({ bare, written }) => bare !== written);
      if (oldest) oldest.written = oldest.bare;
      return oldest || kept.shift();
    };
    while (length() > SESSION_BYTES / 2) if (!dropOldest()) return false;
    const text = () => `${rest.slice(0, -1)},"runs":[${kept.map(({ written }) => written).join(",")}]}`;
    while (!sessionPut(storage, text())) if (!storage || !dropOldest()) return false;
    return true;
  } catch {
    return false; // something in the state that JSON cannot hold must not stop the page
  }
}

/** @param {SessionStorage | null} storage @param {string} text */
function sessionPut(storage, text) {
  try {
    if (!storage) return false;
    storage.setItem(SESSION_KEY, text);
    return true;
  } catch {
    return false; // full, or forbidden by the visitor
  }
}

/**
 * Returns what `saveSession` kept, null if there is nothing. A run without `closing` is known by its name only: the
 * server may still have it. Broken parts are left out, and `trouble` says so; never throws.
 * @param {SessionStorage | null} storage @param {Setup} setup @returns {Restored | null}
 */
export function restoreSession(storage, setup) {
  try {
    const text = storage?.getItem(SESSION_KEY);
    if (!text) return null;
    const found = JSON.parse(text);
    if (found?.version !== SESSION_VERSION || tooDeep(found)) return null;
    /** @type {string[]} */
    const trouble = [];
    const draft = checkedDraft(found.draft, setup, trouble, t("The last visit's"));
    const listed = Array.isArray(found.runs) ? found.runs.slice(0, SESSION_RUNS) : [];
    /** @type {Run[]} */
    const runs = [];
    for (const each of listed) {
      const run = restoredRun(each);
      if (run && !runs.some((other) => other.key === run.key)) runs.push(run);
    }
    if (runs.length < listed.length) trouble.push(t("Some runs of the last visit could not be read; they were left out."));
    const shown = (Array.isArray(found.shown) ? found.shown : []).filter((/** @type {any} */ key) => runs.some((run) => run.key === key)).slice(0, 4);
    const time = found.time === null ? Infinity : Number.isInteger(found.time) && found.time >= 0 ? found.time : 0;
    return { draft, runs, shown, time, trouble };
  } catch {
    return null;
  }
}

/** Returns a kept run; null if it cannot be read. @param {any} kept @returns {Run | null} */
function restoredRun(kept) {
  const texts = [kept?.key, kept?.label, kept?.source, kept?.name];
  if (!texts.every((text) => typeof text === "string") || !kept.key) return null;
  if (!["live", "recorded", "opened", "link"].includes(kept.source)) return null;
  const run = newRun(kept.key, kept.label, kept.source);
  run.name = kept.name;
  run.fitted = true; // it is not streamed again
  if (!kept.closing) return kept.name ? run : null;
  try {
    if (!kept.closing.opening || !Array.isArray(kept.closing.states)) return null;
    run.name = kept.closing.run;
    receive(run, kept.closing);
    return run;
  } catch {
    return null;
  }
}
