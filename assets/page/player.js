// The player: moves the time on the screen, says what the run has cost so far, and holds a run that goes on.

import { h } from "./dom.js";
import { frameAt } from "./messages.js";
import { svgIcon } from "./shapes.js";
import { counted, endOf, followed, frameNow, masksLeft, nextTime, stagedRuns, stepLabel, timeLabel, unfinished } from "./timeline.js";
import { phrase, t } from "./language.js";

/** @import { Store } from "./store.js" */
/** @import { PageState, Run } from "./types.d.ts" */

const SPEEDS = [1, 4, 12, 30]; // steps a second
const USUAL_SPEED = 4;
const REST = 1500; // milliseconds at the end before the landing's run begins again
const ICONS = {
  first: "M4 3v10M13 3L6 8l7 5z", back: "M12 3L4 8l8 5z", forward: "M4 3l8 5-8 5z", last: "M12 3v10M3 3l7 5-7 5z",
  play: "M4 2l10 6-10 6z", pause: "M4 3h3v10H4zM9 3h3v10H9z",
};
const PASSES = phrase("Forward passes of the model, in papers NFE (number of function evaluations): each reads the whole text once.");

/**
 * What the counters say: `text` now and `widest`, the longest that it gets in this run, so that no step moves the
 * others. The one with `passes` carries the explanation of a pass.
 * @typedef {{ text: string, widest: string, passes?: boolean }} Counter
 */

/** Returns the counters of the state on the screen. @param {PageState} state @returns {Counter[]} */
export function playerCounters(state) {
  const runs = stagedRuns(state);
  if (runs.length === 0) return [{ text: t("No run yet"), widest: "" }];
  const at = timeLabel(state, state.time);
  if (runs.length > 1) return [{ text: at, widest: timeLabel(state, endOf(state)) }, ...runs.map((run) => comparedCounter(state, run))];
  const [run] = runs;
  const [, frame] = frameNow(state, run);
  if (!frame) return [{ text: run.ended === "asked" ? t("waiting for the model") : at, widest: "" }];
  const last = frameAt(run, run.latest) ?? frame;
  const most = unfinished(run) ? Math.max(run.latest, run.opening?.request.steps ?? 0) : run.latest;
  const passes = Math.max(last.nfe, most);
  const counters = [
    { text: at, widest: stepLabel(run, most) },
    { text: counted(frame.nfe, "pass", "passes"), widest: t("{count} passes", { count: passes }), passes: true },
    { text: masksLeft(frame.masks), widest: t("{count} masks left", { count: frame.pieces.length }) },
    { text: t("{seconds} s", { seconds: frame.seconds.toFixed(1) }), widest: t("{seconds} s", { seconds: Math.max(last.seconds, unfinished(run) ? 10 : 0).toFixed(1) }) },
  ];
  if (last.calls !== last.nfe) {
    const inCalls = (/** @type {number} */ count) => t(count === 1 ? "in {count} call" : "in {count} calls", { count });
    const calls = { text: inCalls(frame.calls), widest: inCalls(Math.max(last.calls, most)) };
    counters.splice(2, 0, calls);
  }
  if (run.choosing.rows) {
    const count = run.choosing.rows;
    const choosing = t(count === 1 ? "+ {count} pass to choose the length" : "+ {count} passes to choose the length", { count });
    counters.splice(2, 0, { text: choosing, widest: choosing });
  }
  return counters;
}

/** @param {PageState} state @param {Run} run @returns {Counter} */
function comparedCounter(state, run) {
  const [step, frame] = frameNow(state, run);
  const masks = frame?.masks ?? 0;
  return {
    text: stepAndMasks(run.label, step, masks),
    widest: stepAndMasks(run.label, run.latest, frame?.pieces.length ?? 0),
  };
}

/** @param {string} label @param {number} step @param {number} count */
const stepAndMasks = (label, step, count) =>
  t(count === 1 ? "{label}: step {step}, {count} mask left" : "{label}: step {step}, {count} masks left", { label, step, count });

/** Returns the scrubber's position in words. @param {PageState} state @returns {string} */
export function scrubberText(state) {
  const runs = stagedRuns(state);
  const at = timeLabel(state, state.time);
  if (runs.length > 1) return [at, ...runs.map((run) => comparedCounter(state, run).text)].join(", ");
  const frame = runs.length ? frameNow(state, runs[0])[1] : undefined;
  return frame ? `${at}, ${masksLeft(frame.masks)}` : at;
}

/**
 * Builds the player. `control` holds a run that goes on; it is offered if `canPause`.
 * @param {HTMLElement} root @param {Store} store
 * @param {{ control: (run: Run, what: "pause" | "step" | "go") => void, canPause?: boolean }} options
 */
export function createPlayer(root, store, { control, canPause = false }) {
  const state = store.state;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;
  let painted = "";
  /** @type {string[]} */
  let counterKeys = [];

  const playerButton = (/** @type {"first" | "back" | "play" | "forward" | "last"} */ name, /** @type {string} */ label, /** @type {() => void} */ press) =>
    h("button", { type: "button", className: "pl-icon", "aria-label": label, title: label, onclick: press }, svgIcon(ICONS[name]));
  const buttons = {
    first: playerButton("first", t("First state"), () => go(0)),
    back: playerButton("back", t("One step back"), () => go(nextTime(state, state.time, -1))),
    play: playerButton("play", t("Play"), () => toggle()),
    forward: playerButton("forward", t("One step forward"), () => go(nextTime(state, state.time, 1))),
    last: playerButton("last", t("Last state; keeps up with a run"), () => go(endOf(state))),
  };
  const pauseIcon = svgIcon(ICONS.pause);
  const playIcon = /** @type {Element} */ (buttons.play.firstChild);
  const scrubber = h("input", {
    type: "range", min: "0", max: "0", step: "1", value: "0", className: "pl-scrubber", "aria-label": t("Denoising step"),
    oninput: () => go(Number(scrubber.value)),
  });
  const speed = h("select", { className: "pl-speed", "aria-label": t("Replay speed in steps a second") },
    ...SPEEDS.map((each) => h("option", { value: String(each), selected: each === USUAL_SPEED }, t("{count} a second", { count: each }))));
  const held = (/** @type {"pause" | "step" | "go"} */ what, /** @type {string} */ text, /** @type {string} */ title) =>
    h("button", { type: "button", className: "pl-hold", title, onclick: () => stagedRuns(state)[0] && control(stagedRuns(state)[0], what) }, text);
  const hold = {
    pause: held("pause", t("Pause run"), t("Hold the model before its next step")),
    step: held("step", t("One step"), t("Let the model make one step")),
    go: held("go", t("Go on"), t("Let the model go on")),
  };
  const holds = h("div", { className: "pl-holds", role: "group", "aria-label": t("The run itself"), hidden: true }, hold.pause, hold.step, hold.go);
  const numbers = h("div", { className: "pl-numbers" });
  root.classList.add("pl");
  root.append(
    h("div", { className: "pl-row", role: "group", "aria-label": t("Replay") },
      h("div", { className: "pl-buttons" }, ...Object.values(buttons)), h("div", { className: "pl-track" }, scrubber, holds), speed),
    numbers,
  );

  /** Shows a time; the last one keeps up with a run. @param {number} time */
  function show(time) {
    const end = endOf(state);
    time = Math.max(0, Math.min(end, time));
    store.change({ time, following: time >= end });
  }

  /** Goes to a time by the visitor's hand, which ends the playback. @param {number} time */
  function go(time) {
    pause();
    show(time);
  }

  function pause() {
    clearTimeout(timer);
    timer = 0;
    if (state.loop) store.change({ loop: false });
    paintPlaying();
  }

  function paintPlaying() {
    const label = timer ? t("Pause") : t("Play");
    if (buttons.play.getAttribute("aria-label") === label) return;
    buttons.play.setAttribute("aria-label", label);
    buttons.play.title = timer ? t("Pause the replay (space)") : t("Play the replay (space)");
    buttons.play.replaceChildren(timer ? pauseIcon : playIcon);
  }

  const wait = () => setTimeout(tick, 1000 / Number(speed.value));

  function tick() {
    timer = 0;
    if (root.isConnected && state.time < endOf(state)) {
      show(nextTime(state, state.time, 1));
      // At the end of a run that goes on, playing means to keep up with it.
      if (state.time < endOf(state)) timer = wait();
      else if (state.loop) timer = setTimeout(again, REST);
    }
    paintPlaying();
  }

  function again() {
    timer = 0;
    if (state.loop) start();
    else paintPlaying();
  }

  /** Plays from the first state. The landing's run, which nobody asked for, does not move where motion is unwanted. */
  function start() {
    clearTimeout(timer);
    timer = 0;
    if (!(state.loop && still.matches) && stagedRuns(state).length) {
      show(0);
      timer = wait();
    }
    paintPlaying();
  }

  function toggle() {
    if (timer) return pause();
    if (state.loop) store.change({ loop: false });
    if (state.time >= endOf(state)) return start();
    timer = wait();
    paintPlaying();
  }

  function paintNumbers() {
    const counters = playerCounters(state);
    const keys = counters.map(({ widest, passes }) => `${widest}${passes}`);
    if (keys.join("\n") !== counterKeys.join("\n")) {
      counterKeys = keys;
      numbers.replaceChildren(...counters.map(({ widest, passes }) => h("span", { className: "pl-count", dataset: { widest } },
        h("span"), passes && h("abbr", { title: t(PASSES) }))));
    }
    counters.forEach(({ text, passes }, index) => {
      const [number, unit] = /** @type {HTMLElement[]} */ ([...numbers.children[index].children]);
      const space = passes ? text.indexOf(" ") + 1 : text.length;
      if (number.textContent !== text.slice(0, space)) number.textContent = text.slice(0, space);
      if (unit && unit.textContent !== text.slice(space)) unit.textContent = text.slice(space);
    });
  }

  function paint() {
    if (timer && state.following && state.time < endOf(state)) pause(); // a new run came; the page keeps up with it
    const next = followed(state, still.matches);
    if (next !== state.time) store.change({ time: next });
    const runs = stagedRuns(state);
    const [run] = runs;
    const end = endOf(state);
    const words = runs.length ? scrubberText(state) : "";
    const live = canPause && runs.length === 1 && run.source === "live" && run.ended === "running";
    const wanted = [words, playerCounters(state).map(({ text }) => text), state.time, end, live, run?.paused].join("\n");
    if (wanted === painted) return;
    painted = wanted;
    scrubber.max = String(end);
    scrubber.value = String(state.time);
    scrubber.setAttribute("aria-valuetext", words);
    scrubber.disabled = !runs.length;
    for (const button of Object.values(buttons)) button.disabled = !runs.length;
    paintHolds(live, Boolean(run?.paused));
    paintNumbers();
  }

  /** @param {boolean} live @param {boolean} paused */
  function paintHolds(live, paused) {
    const focused = document.activeElement;
    holds.hidden = !live;
    hold.pause.hidden = paused;
    hold.step.hidden = hold.go.hidden = !paused;
    // A button that goes hands its focus on.
    if (!(focused instanceof HTMLElement && holds.contains(focused))) return;
    if (!live) buttons.play.focus();
    else if (focused.hidden) (paused ? hold.go : hold.pause).focus();
  }

  return {
    paint, start, toggle, pause, go,
    /** Goes one step forward or back. @param {1 | -1} direction */
    move: (direction) => go(nextTime(state, state.time, direction)),
    playing: () => timer !== 0,
  };
}
