// Keeps what a visitor has made in the browser's session, so that a refresh, "back" or a lost server loses nothing.

import { checkedDraft, draftToKeep, tooDeep } from "./link.js";
import { newRun, receive } from "./messages.js";
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
 * @param {SessionStorage | null} storage @param {Pick<PageState, "draft" | "runs" | "shown" | "time">} state @param {Setup} setup
 */
export function saveSession(storage, { draft, runs, shown, time }, setup) {
  try {
    const kept = runs.slice(-SESSION_RUNS).map((run) => {
      const { key, label, source, name, closing } = run;
      const about = { key, label, source, name };
      return { bare: JSON.stringify({ ...about, closing: null }), whole: JSON.stringify({ ...about, closing }), full: Boolean(closing) };
    });
    const rest = JSON.stringify({ version: SESSION_VERSION, draft: draftToKeep(draft, setup), shown, time }).slice(0, -1);
    const written = () => `${rest},"runs":[${kept.map((run) => (run.full ? run.whole : run.bare)).join(",")}]}`;
    let room = SESSION_BYTES / 2 - rest.length - 16;
    for (const run of kept.toReversed()) {
      run.full &&= room > run.whole.length;
      room -= (run.full ? run.whole : run.bare).length + 1;
      if (!run.full) continue;
    }
    while (!sessionPut(storage, written())) {
      const oldest = kept.find((run) => run.full);
      if (oldest) oldest.full = false;
      else if (kept.length) kept.shift();
      else return false;
    }
    return true;
  } catch {
    return false; // a cyclic or otherwise odd value in the state must not stop the page
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
    const draft = checkedDraft(found.draft, setup, trouble, "The last visit's");
    const listed = Array.isArray(found.runs) ? found.runs.slice(0, SESSION_RUNS) : [];
    /** @type {Run[]} */
    const runs = [];
    for (const each of listed) {
      const run = restoredRun(each);
      if (run && !runs.some((other) => other.key === run.key)) runs.push(run);
    }
    if (runs.length < listed.length) trouble.push("Some runs of the last visit could not be read; they were left out.");
    const shown = (Array.isArray(found.shown) ? found.shown : []).filter((/** @type {any} */ key) => runs.some((run) => run.key === key)).slice(0, 4);
    return { draft, runs, shown, time: Number.isInteger(found.time) && found.time >= 0 ? found.time : 0, trouble };
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

/** Forgets everything. @param {SessionStorage | null} storage */
export function clearSession(storage) {
  try {
    storage?.removeItem(SESSION_KEY);
  } catch {
    return; // it was not there to be kept either
  }
}
