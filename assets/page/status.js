// One line about the run on the stage: what it waits for, how it ended, what one should know about it.

import { h } from "./dom.js";

/** @import { Run, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

const RUN_ENDINGS = { asked: "Waiting for the model…", running: "", complete: "", stopped: "Stopped.", "time limit": "Stopped by the time limit.", failed: "The run ended early." };

/** @param {number} rate */
const speedOf = (rate) => rate.toFixed(rate < 10 ? 1 : 0);

/**
 * Returns what to say about a run.
 * @param {Run | undefined} run @param {boolean} stale
 */
export function statusOf(run, stale) {
  if (!run) return "";
  if (run.ended === "asked") return RUN_ENDINGS.asked;
  if (run.ended === "running") return run.paused ? "Paused: the model waits." : run.waiting ? run.waiting : run.begun ? "" : run.opening?.notices.at(-1) ?? "";
  if (stale) return "The text or the settings have changed since this run. Fill again to see what they do.";
  const rates = run.closing?.rates;
  const speed = rates?.effective && run.source === "live" ? ` ${speedOf(rates.effective)} tokens a second${
    rates.in_step && speedOf(rates.in_step) !== speedOf(rates.effective) ? `, ${speedOf(rates.in_step)} within its steps` : ""}.` : "";
  const replayed = run.source === "recorded" ? "Recorded: no model runs. " : run.source === "opened" ? "Replay of an opened trace. " : "";
  return replayed + [RUN_ENDINGS[run.ended], run.closing?.verdict].filter(Boolean).join(" ") + speed;
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
      const text = [statusOf(run, store.state.stale), note].filter(Boolean).join(" ");
      if (line.textContent !== text) line.textContent = text;
      line.classList.toggle("pg-stale-note", store.state.stale);
      const all = [warning, ...(run?.begun ? run.opening?.notices ?? [] : [])].filter(Boolean).join(" ");
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
