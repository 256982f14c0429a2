// One line about the run on the stage: what it waits for, how it ended, what one should know about it.

import { h } from "./dom.js";
import { inOneLine, phrase, t, told, toldClauses } from "./language.js";

/** @import { Run, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

const RUN_ENDINGS = { asked: phrase("Waiting for the model…"), running: "", complete: "", stopped: phrase("Stopped."), "time limit": phrase("Stopped by the time limit."), failed: phrase("The run ended early.") };

/** @param {number} rate */
const speedOf = (rate) => rate.toFixed(rate < 10 ? 1 : 0);

/**
 * Returns what to say about a run.
 * @param {Run | undefined} run @param {boolean} stale
 */
export function statusOf(run, stale) {
  if (!run) return "";
  if (run.ended === "asked") return t(RUN_ENDINGS.asked);
  if (run.ended === "running") return run.paused ? t("Paused: the model waits.") : run.waiting ? told(run.waiting) : run.begun ? "" : told(run.opening?.notices.at(-1) ?? "");
  if (stale) return t("The text or the settings have changed since this run. Fill again to see what they do.");
  const rates = run.closing?.rates;
  const [rate, within] = [rates?.effective ? speedOf(rates.effective) : "", rates?.in_step ? speedOf(rates.in_step) : ""];
  const speed = !rate || run.source !== "live" ? ""
    : within && within !== rate ? t("{rate} tokens a second, {within} within its steps.", { rate, within }) : t("{rate} tokens a second.", { rate });
  const replayed = run.source === "recorded" ? t("Recorded: no model runs.") : run.source === "opened" ? t("Replay of an opened trace.") : "";
  return inOneLine(replayed, t(RUN_ENDINGS[run.ended]), toldClauses(run.closing?.verdict ?? ""), speed);
}

/** @param {HTMLElement} root @param {Setup} setup @param {Store} store */
export function createStatus(root, setup, store) {
  const line = h("p", { className: "pg-line", dataset: { part: "verdict" } });
  const notices = h("p", { className: "pg-notices", hidden: true, dataset: { part: "notices" } });
  const said = h("p", { className: "pg-said", role: "status", dataset: { part: "said" } });
  root.append(line, notices, said);
  let warning = "";
  let timer = 0;
  return {
    paint() {
      const run = store.shown.length === 1 ? store.shown[0] : undefined;
      const note = run?.source === "recorded" && !store.state.stale ? setup.examples.find((each) => run.key === `example-${each.id}`)?.note : "";
      const text = inOneLine(statusOf(run, store.state.stale), told(note ?? ""));
      if (line.textContent !== text) line.textContent = text;
      line.classList.toggle("pg-stale-note", store.state.stale);
      const all = inOneLine(told(warning), ...(run?.begun ? run.opening?.notices ?? [] : []).map(told));
      if (notices.textContent !== all) notices.textContent = all;
      notices.hidden = !all;
    },
    /** Says something for a while; a bad thing stays until the next one. @param {string} text @param {boolean} [bad] */
    say(text, bad = false) {
      clearTimeout(timer);
      said.textContent = "";
      said.classList.toggle("pg-bad", bad);
      setTimeout(() => { said.textContent = text; }, 30); // so that a repeated text is spoken again
      timer = window.setTimeout(() => { said.textContent = ""; }, bad ? 60_000 : 6_000);
    },
    /** Warns about the text before it is filled. @param {string} text */
    warn(text) {
      warning = text;
    },
  };
}
