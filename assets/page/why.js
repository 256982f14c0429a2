// "Why this token": what the model believed about the chosen slot, and what to try in its place.

import { h } from "./dom.js";
import { NATS, asked, frameAt, percent, pinned, standing, textOf, visible } from "./messages.js";
import { slotName } from "./map.js";
import { svgShape } from "./shapes.js";
import { counted, frameNow, masksLeft, paneRun, stagedRuns, unfinished } from "./timeline.js";
import { inOneLine, phrase, t, told } from "./language.js";

/** @import { Store } from "./store.js" */
/** @import { Candidate, Edit, Frame, PageState, Run } from "./types.d.ts" */

const WHY_NARROW = 440; // px; below, the chart stands under the candidates
const CANDIDATES = 5;
const TRACKS = 3; // lines of the chart
const CHART = { width: 230, height: 78, left: 30, right: 72, top: 14, bottom: 14 };
const EXPIRED = phrase("The server does not have this run any more, so its candidates cannot be shown.");
const DASHES = ["", "6 3", "2 3"];

/**
 * Returns the step whose candidates explain a slot: the step shown if it asked about it, else the one that wrote it. 0
 * if there is none.
 * @param {Frame} frame @param {number} step @param {number} at
 */
export const explainingStep = (frame, step, at) => (asked(frame, step, at) ? step : frame.when[at]);

/** Returns a probability in words. @param {number} probability */
export const shareText = (probability) => `${(probability * 100).toFixed(probability < 0.0995 ? 1 : 0)} %`;

/**
 * Returns the names of candidates: without their leading space, unless two would have the same name.
 * @param {string[]} texts @returns {string[]}
 */
export function candidateNames(texts) {
  const bare = texts.map((text) => (text.trim() ? visible(text.replace(/^ /, "")) : visible(text)));
  return bare.map((name, index) => (bare.indexOf(name) === bare.lastIndexOf(name) ? name : visible(texts[index])));
}

/** Returns a piece as it is quoted in a sentence. @param {string | null} piece */
const quoted = (piece) => `“${candidateNames([piece ?? ""])[0]}”`;

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * Returns the heading: which slot, which step, and what became of it.
 * @param {Run} run @param {Frame} frame @param {number} step @param {number} at @returns {string}
 */
export function whyHeading(run, frame, step, at) {
  const place = capital(slotName(run, at));
  const piece = frame.pieces[at];
  if (standing(frame, at)) return t("{name}: {word}", { name: place, word: quoted(piece) });
  if (piece !== null) return t("{name}: {word}, written in step {step} at {share}", { name: place, word: quoted(piece), step: frame.when[at], share: percent(frame.confidence[at]) });
  if (!step) return t("{name}: masked", { name: place });
  return frame.remask.includes(at) ? t("{name}, step {step}: taken back", { name: place, step }) : t("{name}, step {step}: still masked", { name: place, step });
}

/**
 * Returns why a slot has no candidates at all.
 * @param {Run} run @param {Frame} frame @param {number} at @returns {string}
 */
export function whyNone(run, frame, at) {
  if (pinned(run, frame, at)) return t("Given; the model reads it and never changes it.");
  return standing(frame, at) ? t("Taken over from the run that this one branched from.") : t("The model has not been asked yet.");
}

/**
 * Returns the candidates of a step that a replay holds, or null. Its list may begin with state 0, which has none.
 * @param {Run} run @param {number} step @returns {Candidate[][] | null}
 */
export function heldCandidates(run, step) {
  if (!run.candidates) return null;
  return run.candidates[run.candidates.length > run.latest ? step : step - 1] ?? null;
}

/**
 * Returns the probability of some candidates at a slot, by step. A step at which one was not among the likeliest is left
 * out, because its probability there is not known.
 * @param {Map<number, Candidate[][]>} known candidates by step @param {number} at @param {string[]} texts
 * @returns {[step: number, probability: number][][]}
 */
export function candidateTracks(known, at, texts) {
  const steps = [...known.keys()].sort((a, b) => a - b);
  return texts.map((text) => steps.flatMap((step) => {
    const found = known.get(step)?.[at]?.find(([each]) => each === text);
    return found ? [/** @type {[number, number]} */ ([step, found[1]])] : [];
  }));
}

/**
 * Returns the path of a line through points. It has a gap where a step between two points is known, since the candidate
 * was not among the likeliest there, or the model was not asked.
 * @param {[number, number][]} track @param {number[]} steps all known steps
 * @param {(step: number) => number} x @param {(probability: number) => number} y @returns {string}
 */
export const trackPath = (track, steps, x, y) => track.map(([step, share], index) => {
  const before = track[index - 1]?.[0];
  const apart = before === undefined || steps.some((each) => each > before && each < step);
  const point = `${x(step).toFixed(1)} ${y(share).toFixed(1)}`;
  return apart ? `M${point}h0.1` : `L${point}`; // the short line shows a point that stands alone
}).join("");

/**
 * Returns label positions that keep their order and at least `apart` between them, within `low` and `high`.
 * @param {number[]} wanted @param {number} apart @param {number} low @param {number} high @returns {number[]}
 */
export function spreadLabels(wanted, apart, low, high) {
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a] - wanted[b]);
  const placed = wanted.slice();
  let least = low;
  for (const index of order) least = (placed[index] = Math.max(placed[index], least)) + apart;
  let most = high;
  for (const index of order.reverse()) most = (placed[index] = Math.min(placed[index], most)) - apart;
  return placed;
}

/**
 * Returns the changes with one more. A change of the same slot replaces the one before; the same change again drops it.
 * @param {Edit[]} edits @param {Edit} edit @returns {Edit[]}
 */
export function withEdit(edits, edit) {
  const others = edits.filter(({ place }) => place !== edit.place);
  const same = edits.some((each) => each.place === edit.place && each.take === edit.take && each.mask === edit.mask && each.lock === edit.lock);
  return same ? others : [...others, edit];
}

/**
 * Returns the collected changes in words.
 * @param {Run} run @param {Edit[]} edits @returns {string}
 */
export const editsText = (run, edits) => t("{changes}: {list}", { changes: counted(edits.length, "change"), list: edits.map(({ place, mask, lock, take }) => {
  const slot = slotName(run, place);
  return mask ? t("{slot} masked again", { slot }) : lock ? t("{slot} locked", { slot }) : t("{slot} gets candidate {rank}", { slot, rank: (take ?? 0) + 1 });
}).join(t(", ")) });

/**
 * Returns what a screen reader says about the state on the screen: one sentence for a step, and the text at the end.
 * @param {PageState} state @param {Run} run @returns {string}
 */
export function announcement(state, run) {
  const who = stagedRuns(state).length > 1 ? t("Run {label}: ", { label: run.label }) : "";
  if (run.ended === "failed") return `${who}${t("The run failed.")}`;
  const [step, frame] = frameNow(state, run);
  if (!frame) return `${who}${t("Waiting for the model.")}`;
  if (!run.begun && unfinished(run)) return `${who}${t("Choosing the number of masks.")}`;
  if (!unfinished(run) && step === run.latest) {
    const how = { complete: t("Complete"), stopped: t("Stopped"), "time limit": t("Ended by the time limit") }[/** @type {"complete"} */ (run.ended)];
    const several = (run.opening?.gaps.length ?? 1) > 1;
    const text = several ? textOf(run, frame, " … ") : frame.pieces.map((piece) => piece ?? " … ").join("").trim();
    const values = { how, steps: counted(step, "step"), text };
    return who + (several ? t("{how} after {steps}. The text reads: {text}", values) : t("{how} after {steps}. The gap reads: {text}", values));
  }
  const before = frameAt(run, step - 1);
  const wrote = frame.pieces.filter((piece, at) => piece !== null && frame.when[at] > 0 && asked(frame, step, at));
  const took = frame.remask.map((at) => before?.pieces[at] ?? null).filter((piece) => piece !== null);
  const list = (/** @type {(string | null)[]} */ pieces) => (pieces.length > 3 ? counted(pieces.length, "token") : pieces.map(quoted).join(t(", ")));
  const done = [wrote.length ? t("wrote {tokens},", { tokens: list(wrote) }) : "", took.length ? t("took back {tokens},", { tokens: list(took) }) : ""];
  return who + inOneLine(t("Step {step}:", { step }), ...done, t("{left}.", { left: masksLeft(frame.masks) }));
}

/**
 * Builds the panel. `branch` begins a run from a step of another with changes; it is offered if `canBranch`.
 * @param {HTMLElement} root @param {Store} store
 * @param {{
 *   candidatesOf: (run: Run, step: number) => Promise<Candidate[][] | { error: string }>,
 *   branch: (run: Run, step: number, edits: Edit[]) => void,
 *   canBranch: boolean | ((run: Run) => boolean),
 * }} options
 */
export function createWhy(root, store, { candidatesOf, branch, canBranch }) {
  const state = store.state;
  /** @type {Map<string, Map<number, Candidate[][]>>} */
  const fetched = new Map(); // by the run's key and its server's name
  let wanted = ""; // key of what is to be shown; answers may come late and in any order
  let drawn = "";
  let asking = false;
  let editsOf = ""; // run and step that the changes belong to
  /** @type {Edit[]} */
  let edits = [];

  const heading = h("h2", { className: "wy-heading", tabIndex: -1 });
  const facts = h("p", { className: "wy-facts" });
  const list = h("ul", { className: "wy-list", "aria-label": t("Candidates, the likeliest first") });
  const chart = h("div", { className: "wy-chart" });
  const mask = h("button", { type: "button", "aria-pressed": "false", onclick: () => edit("mask") }, t("mask again"));
  const lock = h("button", { type: "button", "aria-pressed": "false", onclick: () => edit("lock") }, t("lock"));
  const actions = h("div", { className: "wy-actions", role: "group", "aria-label": t("Change this position") }, mask, lock);
  const count = h("span", { className: "wy-count" });
  const begin = h("button", { type: "button", className: "wy-begin", onclick: () => begun([]) });
  const drop = h("button", { type: "button", onclick: dropEdits }, t("drop"));
  const pending = h("div", { className: "wy-pending", role: "group", "aria-label": t("Changes for a branch") }, count, begin, drop);
  // Seen only where the panel is a sheet.
  const close = h("button", { type: "button", className: "wy-close", "aria-label": t("Close “why this token”"), onclick: () => store.change({ place: -1 }) }, "×");
  root.classList.add("wy");
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", t("Why this token"));
  root.append(heading, facts, close, h("div", { className: "wy-body" }, list, h("div", { className: "wy-side" }, chart, actions, pending)));

  new ResizeObserver(() => root.classList.toggle("wy-narrow", root.clientWidth <= WHY_NARROW)).observe(root);

  const mayBranch = (/** @type {Run} */ run) => !run.expired && (typeof canBranch === "function" ? canBranch(run) : canBranch);

  /** Returns all candidates of a run that are known here. @param {Run} run @returns {Map<number, Candidate[][]>} */
  function knownOf(run) {
    const key = `${run.key} ${run.name}`;
    const known = fetched.get(key) ?? new Map();
    fetched.set(key, known);
    if (run.candidates && known.size < run.latest) {
      for (let step = 1; step <= run.latest; step++) {
        const held = heldCandidates(run, step);
        if (held) known.set(step, held);
      }
    }
    return known;
  }

  /** Returns the run, its step and frame on the screen and the chosen slot, if there is one. */
  function chosen() {
    const run = paneRun(state);
    if (!run || (state.pane !== run.key && state.shown.length > 1)) return null;
    const [step, frame] = frameNow(state, run);
    const at = state.place;
    return frame && at >= 0 && at < frame.pieces.length ? { run, step, frame, at } : null;
  }

  /** @param {"mask" | "lock"} what */
  function edit(what) {
    const now = chosen();
    if (!now || !mayBranch(now.run) || now.frame.pieces[now.at] === null || pinned(now.run, now.frame, now.at)) return;
    edits = withEdit(edits, { place: now.at, [what]: true });
    paintEdits();
  }

  function dropEdits() {
    const focused = pending.contains(document.activeElement);
    edits = [];
    paintEdits();
    if (focused) (mask.disabled ? heading : mask).focus();
  }

  /** Branches with the collected changes and one more. @param {Edit[]} more */
  function begun(more) {
    const now = chosen() ?? { run: paneRun(state), step: 0 };
    const step = now.run ? frameNow(state, now.run)[0] : 0;
    const all = more.reduce(withEdit, edits);
    if (now.run && all.length) branch(now.run, step, all);
    edits = [];
    paintEdits();
  }

  /** Tries a candidate. Changes of the step on the screen go with it if it is of that step too. @param {number} rank */
  function take(rank) {
    const now = chosen();
    if (!now || !mayBranch(now.run)) return;
    const step = explainingStep(now.frame, now.step, now.at);
    if (!step || rank < 0) return;
    const known = knownOf(now.run).get(step);
    if (!known) return void takeOnceKnown(now.run, now.step, now.at, step, rank);
    if (rank >= (known[now.at]?.length ?? 0)) return;
    if (!edits.length || step !== now.step) return branch(now.run, step, [{ place: now.at, take: rank }]);
    edits = withEdit(edits, { place: now.at, take: rank });
    paintEdits();
  }

  /**
   * Takes a candidate once it is known, because a key may be faster, if the same slot is still chosen then.
   * @param {Run} run @param {number} shown @param {number} at @param {number} step @param {number} rank
   */
  async function takeOnceKnown(run, shown, at, step, rank) {
    const found = await candidatesOf(run, step);
    const now = chosen();
    if (!Array.isArray(found) || now?.run !== run || now.step !== shown || now.at !== at) return;
    if (rank < (found[at]?.length ?? 0)) branch(run, step, [...(step === now.step ? edits : []), { place: at, take: rank }]);
  }

  function paintEdits() {
    const now = chosen();
    const offered = Boolean(now && mayBranch(now.run));
    const open = offered && now && now.frame.pieces[now.at] !== null && !pinned(now.run, now.frame, now.at);
    actions.hidden = !offered;
    mask.disabled = lock.disabled = !open;
    const here = edits.find(({ place }) => place === now?.at);
    mask.setAttribute("aria-pressed", String(Boolean(here?.mask)));
    lock.setAttribute("aria-pressed", String(Boolean(here?.lock)));
    pending.hidden = !edits.length;
    const run = now?.run ?? paneRun(state);
    if (run) begin.textContent = t("branch from step {step}", { step: frameNow(state, run)[0] });
    count.textContent = run ? editsText(run, edits) : "";
    count.title = count.textContent;
    for (const button of list.querySelectorAll("button")) paintTry(button, here);
  }

  /** @param {HTMLButtonElement} button @param {Edit | undefined} here the change of the chosen slot */
  function paintTry(button, here) {
    const adds = edits.length > 0 && button.dataset.now === "yes";
    const rank = Number(button.dataset.rank);
    const added = here?.take === rank;
    button.textContent = adds ? (added ? t("added") : t("add")) : t("try");
    const word = button.dataset.name ?? "";
    button.setAttribute("aria-label", !adds ? t("try: branch from here with “{word}”", { word }) : added ? t("added to the changes: “{word}”", { word }) : t("add to the changes: “{word}”", { word }));
  }

  /** @param {string} text @param {string} more */
  function say(text, more = "") {
    heading.textContent = text;
    facts.textContent = more;
  }

  function paint() {
    const run = paneRun(state);
    const shownStep = run ? frameNow(state, run)[0] : 0;
    const owner = `${run?.key} ${shownStep}`;
    if (owner !== editsOf) {
      editsOf = owner;
      edits = [];
    }
    const now = chosen();
    const step = now ? explainingStep(now.frame, now.step, now.at) : 0;
    const mine = now
      ? [now.run.key, now.run.name, now.run.label, state.shown.length, now.at, now.step, step, now.frame.pieces[now.at], now.frame.when[now.at], now.run.expired,
        mayBranch(now.run), Boolean(now.run.candidates)].join("\u0000")
      : `nothing ${owner} ${run ? "run" : ""}`;
    if (mine === wanted) return;
    wanted = mine;
    root.classList.toggle("wy-open", Boolean(now));
    if (now) paintSlot(now, step, mine);
    else {
      say(t("Why this token?"), run ? t("Choose a position in the text or in the map to see what the model believed there.") : t("What the model believed at a position appears here, once there is a run."));
      clear();
    }
    paintEdits();
  }

  function clear() {
    drawn = "";
    list.replaceChildren();
    chart.replaceChildren();
  }

  /** @param {{ run: Run, step: number, frame: Frame, at: number }} now @param {number} step @param {string} mine */
  function paintSlot(now, step, mine) {
    const { run, frame, at } = now;
    const who = state.shown.length > 1 ? `${run.label} · ` : "";
    say(who + whyHeading(run, frame, now.step, at), step ? factsOf(run, frame, step, at) : whyNone(run, frame, at));
    if (!step) return clear();
    const known = knownOf(run).get(step);
    if (known) return paintCandidates(now, step, known);
    if (run.expired) {
      facts.textContent = t(EXPIRED);
      return clear();
    }
    if (!asking) void ask(now, step, mine);
    // Those of another slot or step must not stand under the new heading.
    if (drawn !== [run.key, run.name, at, step].join()) clear();
  }

  /** Asks for one step at a time. @param {{ run: Run, step: number, frame: Frame, at: number }} now @param {number} step @param {string} mine */
  async function ask(now, step, mine) {
    asking = true;
    const answer = await candidatesOf(now.run, step).catch(() => ({ error: phrase("the server did not answer") }));
    asking = false;
    if (!("error" in answer)) knownOf(now.run).set(step, answer);
    if (mine !== wanted) {
      wanted = ""; // something else was chosen meanwhile
      return paint();
    }
    if (!("error" in answer)) paintCandidates(now, step, answer);
    else {
      clear();
      facts.textContent = now.run.expired ? t(EXPIRED) : t("The candidates could not be loaded: {error}.", { error: told(answer.error) });
    }
    paintEdits();
  }

  /** @param {Run} run @param {Frame} frame @param {number} step @param {number} at */
  function factsOf(run, frame, step, at) {
    const source = run.frames[step];
    if (!source) return "";
    const nats = (source.entropy[at] / NATS).toFixed(2);
    return frame.pieces[at] === null ? t("Best guess at {share}, entropy {nats} nats.", { share: percent(source.confidence[at]), nats }) : t("What the model believed in step {step}; entropy {nats} nats.", { step, nats });
  }

  /** @param {{ run: Run, step: number, frame: Frame, at: number }} now @param {number} step @param {Candidate[][]} known */
  function paintCandidates({ run, step: shown, frame, at }, step, known) {
    const candidates = (known[at] ?? []).slice(0, CANDIDATES);
    const piece = frame.pieces[at];
    drawn = [run.key, run.name, at, step].join();
    if (!candidates.length) {
      clear();
      facts.textContent = frame.remask.includes(at)
        ? t("Step {step} took it back without asking the model about it.", { step }) : t("The model was not asked about it in this step.");
      return;
    }
    const names = candidateNames(candidates.map(([text]) => text));
    if (piece !== null && !candidates.some(([text]) => text === piece)) {
      facts.textContent = inOneLine(facts.textContent ?? "", t("{word} was drawn from further down.", { word: quoted(piece) }));
    }
    const focused = document.activeElement instanceof HTMLElement && list.contains(document.activeElement) && document.activeElement.dataset.rank;
    list.replaceChildren(...candidates.map(([text, probability], rank) => h("li", { className: text === piece ? "wy-row wy-written" : "wy-row" },
      h("span", { className: "wy-token" }, names[rank]),
      h("span", { className: "wy-bar", style: { "--share": probability.toFixed(4) } }, h("span", { className: "wy-share" }, shareText(probability))),
      text === piece
        ? h("span", { className: "wy-mark" }, t("written"))
        : mayBranch(run) && h("button", {
          type: "button", className: "wy-try", dataset: { rank: String(rank), name: names[rank], now: step === shown ? "yes" : "no" },
          title: t("Branch from step {step} with “{word}”", { step, word: names[rank] }), onclick: () => take(rank),
        }),
    )));
    if (focused) /** @type {HTMLElement | null} */ (list.querySelector(`[data-rank="${focused}"]`))?.focus();
    paintChart(run, at, step, candidates.slice(0, TRACKS).map(([text]) => text), names);
  }

  /** @param {Run} run @param {number} at @param {number} now @param {string[]} texts @param {string[]} names */
  function paintChart(run, at, now, texts, names) {
    const tracks = candidateTracks(knownOf(run), at, texts);
    const steps = [...knownOf(run).keys()];
    const told = tracks.flatMap((track) => track.map(([step]) => step));
    const [from, to] = [Math.min(...told), Math.max(...told)];
    if (!(from < to)) return chart.replaceChildren();
    const { width, height, left, right, top, bottom } = CHART;
    const x = (/** @type {number} */ step) => left + ((width - left - right) * (step - from)) / (to - from);
    const y = (/** @type {number} */ share) => height - bottom - (height - top - bottom) * share;
    const ends = tracks.map((track) => y(track.at(-1)?.[1] ?? 0));
    const labels = spreadLabels(ends, 12, top, height - bottom);
    const words = tracks.map((track, index) => `${names[index]}: ${[...new Set([track[0], track.at(-1)])].map((point) =>
      point && t("{share} in step {step}", { share: shareText(point[1]), step: point[0] })).join(t(", "))}`).join("; ");
    const label = (/** @type {number} */ across, /** @type {number} */ down, /** @type {string} */ text, anchor = "start") =>
      svgShape("text", { x: across, y: down + 3.5, "text-anchor": anchor }, text);
    const middle = (left + width - right) / 2;
    chart.replaceChildren(svgShape("svg", {
      viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": t("Probabilities over the steps. {lines}", { lines: words }),
    },
    svgShape("path", { class: "wy-axis", d: `M${left} ${top}V${height - bottom}H${width - right}` }),
    label(left - 3, top, "100%", "end"), label(left - 3, height - bottom, "0", "end"),
    label(left, height - 5, String(from)), label(middle, height - 5, t("step"), "middle"), label(width - right, height - 5, String(to), "end"),
    svgShape("path", { class: "wy-now", d: `M${x(now)} ${top - 2}V${height - bottom}` }),
    label(Math.max(left + 16, Math.min(width - right - 16, x(now))), 5, t("step {step}", { step: now }), "middle"),
    ...tracks.flatMap((track, index) => [
      svgShape("path", { class: "wy-line", d: trackPath(track, steps, x, y), "stroke-dasharray": DASHES[index] || null }),
      svgShape("path", { class: "wy-line", d: `M${width - right + 3} ${labels[index]}h14`, "stroke-dasharray": DASHES[index] || null }),
      label(width - right + 20, labels[index], names[index].length > 8 ? `${names[index].slice(0, 7)}…` : names[index]),
    ])));
  }

  return { paint, take };
}
