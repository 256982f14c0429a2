// The page that replays one run without a server: the stage, the player, the map and "why this token" over states that
// the file holds.

import { announcement, createWhy } from "./why.js";
import { createKeys } from "./keys.js";
import { createMap } from "./map.js";
import { createPlayer } from "./player.js";
import { createStage } from "./stage.js";
import { counted, endOf } from "./timeline.js";
import { h } from "./dom.js";
import { newRun, receive } from "./messages.js";
import { Store } from "./store.js";
import { speak, t, told, toldClauses } from "./language.js";

/** @import { PageState, Replay, Run } from "./types.d.ts" */

/** Starts the replay that app/export/web_page.py or page_file.js has put into the file. */
export function replayFromPage() {
  const element = /** @type {HTMLElement} */ (document.getElementById("replay"));
  /** @type {Replay} */
  const replay = JSON.parse(document.getElementById("replay-data")?.textContent ?? "");
  speak(replay.language ?? null);
  startReplay(element, replay);
}

/**
 * Shows a run in an element. It plays once by itself, unless the visitor wants less motion.
 * @param {HTMLElement} element @param {Replay} replay
 */
export function startReplay(element, replay) {
  replayFollowDark();
  const run = newRun("replay", "A", "opened");
  receive(run, replay);
  /** @type {PageState} */
  const state = {
    draft: { text: "", strategy: "", knobs: {}, steps: null, model: "", start: null }, runs: [run], shown: [run.key], time: 0,
    following: false, place: -1, pane: run.key, by: "passes", score: "confidence", stale: false, presenting: false,
  };
  const store = new Store(state);
  const part = (/** @type {string} */ name) => h("div", { dataset: { part: name } });
  const parts = { stage: part("stage"), player: part("player"), map: part("map"), why: part("why") };
  const live = h("p", { className: "pg-hidden", "aria-live": "polite" });
  const heads = h("div", { className: "pg-head-buttons" });
  const root = h("div", { className: "pg pg-replay", dataset: { part: "root" } },
    h("header", { className: "pg-head" },
      h("h1", {}, t("Infilling replay")),
      h("p", { className: "pg-quiet" }, t("A recorded run of a masked diffusion language model, which writes in the order of its choice.")), heads),
    parts.stage, parts.player, replayVerdict(run, replay), h("div", { className: "pg-panels" }, parts.map, parts.why), replayFacts(run), live);
  element.replaceChildren(root);

  const choose = (/** @type {Run} */ _, /** @type {number} */ place) => {
    if (state.place !== place) store.change({ place });
  };
  const stage = createStage(parts.stage, store, { choose });
  const player = createPlayer(parts.player, store, { control: () => {} });
  const columnsOf = () => {
    const columns = stage.columns(parts.map);
    const fit = columns?.every(({ left, width }) => left >= 0 && left + width <= parts.map.clientWidth + 1);
    return fit ? columns : null;
  };
  const painters = [
    stage, player,
    createMap(parts.map, store, { columnsOf }),
    createWhy(parts.why, store, {
      candidatesOf: async (each, step) => each.candidates?.[step - 1] ?? [], branch: () => {}, canBranch: false,
    }),
  ];
  const present = () => {
    store.change({ presenting: !state.presenting });
    root.classList.toggle("pg-presenting", state.presenting);
    large.setAttribute("aria-pressed", String(state.presenting));
  };
  const slots = run.frames[0]?.pieces.length ?? 0;
  const keys = createKeys(root, {
    play: player.toggle, step: (by) => player.move(by > 0 ? 1 : -1), first: () => player.go(0), last: () => player.go(endOf(state)), present,
    slot: (by) => choose(run, Math.max(0, Math.min(slots - 1, state.place + by))),
  });
  const large = h("button", { type: "button", "aria-pressed": "false", title: t("Presenter size: the passage and the player only (f)"), onclick: present }, t("Large"));
  heads.append(large, h("button", { type: "button", title: t("Keyboard (?)"), onclick: keys.open }, t("Keys")));

  let scheduled = false;
  let announced = "";
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      root.dataset.step = String(state.time);
      for (const painter of painters) painter.paint();
      const text = player.playing() ? "" : announcement(state, run); // a playing replay would flood a screen reader
      if (text && text !== announced) live.textContent = announced = text;
    });
  };
  store.listen(schedule);
  new ResizeObserver(schedule).observe(root);
  schedule();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) player.go(endOf(state));
  else player.start();
}

/** Keeps the class `dark`, by which the style sheets go, in step with the visitor's setting. */
function replayFollowDark() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.body.classList.toggle("dark", dark.matches);
  document.body.classList.add("pg-alone");
  dark.addEventListener("change", follow);
  follow();
}

/** Says how the run went. @param {Run} run @param {Replay} replay */
function replayVerdict(run, replay) {
  const { effective, in_step: inStep } = replay.rates;
  const rates = [
    effective !== null && t("{rate} tokens a second", { rate: effective.toFixed(1) }),
    inStep !== null && inStep.toFixed(1) !== effective?.toFixed(1) && t("{rate} while the model computes", { rate: inStep.toFixed(1) }),
  ].filter(Boolean).join(t(", "));
  const notices = run.opening?.notices ?? [];
  return h("div", { className: "pg-replay-verdict" },
    replay.verdict && h("p", {}, toldClauses(replay.verdict)), rates && h("p", { className: "pg-quiet" }, rates),
    ...notices.map((notice) => h("p", { className: "pg-notices" }, told(notice))));
}

/** Lists what was asked for. @param {Run} run */
function replayFacts(run) {
  const opening = /** @type {NonNullable<Run["opening"]>} */ (run.opening);
  const { text, prefix, suffix, length, strategy, knobs, steps, start, ...others } = opening.request;
  const written = text || `${prefix ?? ""} [[${length ?? "auto"}]] ${suffix ?? ""}`;
  const by = opening.by === "diffusion" ? "" : ` (${opening.by === "parent" ? t("the autoregressive parent") : t("the parent's best of 16")})`;
  /** @type {[string, string][]} */
  const rows = [[t("text"), written], [t("model"), `${opening.model}${by}`], [t("strategy"), strategy], [t("step budget"), String(steps)]];
  if (opening.origin) rows.push([t("branched"), t("from step {step} of another run, with {tokens} taken over", { step: opening.origin.step, tokens: counted(opening.inherited.length, "token") })]);
  for (const [name, value] of [...Object.entries(knobs ?? {}), ...Object.entries(others)]) {
    const shown = Array.isArray(value) ? value.join(", ") : String(value ?? "");
    if (shown !== "") rows.push([name.replace(/_/g, " "), shown]);
  }
  return h("details", { className: "pg-replay-facts" },
    h("summary", {}, t("Request and model")),
    h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { dir: "auto" }, value)])));
}
