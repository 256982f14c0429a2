// The lessons: a panel beside the stage that puts recorded runs on it, asks before it shows, and keeps the reader's score.

import { countMasks } from "./template.js";
import { createLessonQuestion } from "./lesson_question.js";
import { draftOf } from "./draft.js";
import { endOf, unfinished } from "./timeline.js";
import { h, roving } from "./dom.js";
import { lessonFigure } from "./lesson_figure.js";
import { lessonText } from "./lesson_text.js";
import { t } from "./language.js";

/** @import { Draft, Lesson, LessonAnswer, LessonShow, LessonStep, Replay, Run, Server, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

const LESSON_KEY = "infilling-lessons"; // in the session's storage
const LESSON_PARTS = {
  examples: '[data-part="examples"]', passage: '[data-part="stage"]', fill: '[data-part="fill"]', controls: '[data-part="controls"]',
  order: ".pg-order-button", steps: ".pg-steps", budget: ".pg-budget-button", compare: ".pg-presets-open", status: '[data-part="status"]',
  onward: '[data-part="onward"]', player: '[data-part="player"]', map: '[data-part="map"]', why: '[data-part="why"]',
  tray: '[data-part="tray"]', figures: "#figures", settings: '[data-part="settings-button"]',
};

/**
 * Reads where a link leads: `?lesson=3` or `?lesson=3.2`; null if nowhere.
 * @param {string} search @param {{ number: number, length: number }[]} lessons
 * @returns {{ number: number, step: number, trouble: string } | null}
 */
export function lessonAsked(search, lessons) {
  const asked = new URLSearchParams(search).get("lesson");
  if (asked === null) return null;
  const found = /^(\d{1,3})(?:\.(\d{1,3}))?$/.exec(asked.trim());
  const lesson = lessons.find((each) => each.number === Number(found?.[1]));
  if (!found || !lesson) {
    const trouble = t("The address asks for a lesson that does not exist; the lessons are 1 to {last}.", { last: lessons.length });
    return { number: 0, step: 0, trouble };
  }
  const step = Math.max(1, Math.min(lesson.length, Number(found[2] ?? 1)));
  return { number: lesson.number, step: step - 1, trouble: "" };
}

/** Returns how many of the reader's counted answers were right. @param {Iterable<LessonAnswer>} answers */
export function lessonScore(answers) {
  const counted = [...answers].filter((answer) => answer.counted);
  return { right: counted.filter((answer) => answer.right).length, of: counted.length };
}

/**
 * @param {HTMLElement} panel @param {HTMLElement} root the page @param {Setup} setup @param {Store} store
 * @param {{ server: Server, openRuns: (replays: { closing: Replay, key: string, label: string }[]) => Run[], play: () => void,
 *   pause: () => void, fill: () => void, say: (text: string, bad?: boolean) => void }} actions
 */
export function createLessons(panel, root, setup, store, { server, openRuns, play, pause, fill, say }) {
  /** @type {Lesson | null} */
  let lesson = null;
  let at = 0;
  let isOpen = false;
  /** @type {Record<string, LessonAnswer>} */
  const answers = {};
  let own = ""; // the reader's own text
  /** @type {{ draft: Draft, shown: string[] } | null} */
  let before = null; // what was on the stage when the lessons began
  let looked = false; // the reader has moved the time before answering
  /** @type {ReturnType<typeof createLessonQuestion> | null} */
  let question = null;
  /** @type {{ paint?: () => void } | null} */
  let figure = null;
  /** @type {Map<number, Promise<{ lesson?: Lesson, replays?: Record<string, Replay>, error?: string }>>} */
  const loaded = new Map();
  /** @type {Record<string, Replay>} */
  let replays = {};
  /** @type {Set<string>} */
  let seen = new Set(); // live runs that were there when an own sentence was asked for
  let wanted = 0;

  restore();

  function restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(LESSON_KEY) ?? "{}");
      for (const [key, answer] of Object.entries(kept.answers ?? {})) if (/^\d+\.\d+$/.test(key)) answers[key] = /** @type {LessonAnswer} */ (answer);
      if (typeof kept.own === "string") own = kept.own.slice(0, 20_000);
    } catch { // nothing that can be read is kept
    }
  }

  function keep() {
    try {
      sessionStorage.setItem(LESSON_KEY, JSON.stringify({ answers, own }));
    } catch { // full or forbidden: the score lasts as long as the page
    }
  }

  const step = () => /** @type {LessonStep} */ (lesson?.steps[at]);
  const keyOf = (/** @type {number} */ number) => `${lesson?.number}.${number + 1}`;

  // ---- opening and closing ----

  /** @param {number} [number] 0 is the list of lessons @param {number} [where] step, from 0 */
  async function open(number = 0, where = 0) {
    if (!isOpen) {
      isOpen = true;
      before = { draft: store.state.draft, shown: store.state.shown };
      root.classList.add("pg-learning");
      panel.hidden = false;
    }
    const turn = ++wanted;
    if (!number) {
      leaveLesson();
      lesson = null;
      showList();
      return address();
    }
    const found = await fetchLesson(number);
    if (turn !== wanted || !isOpen) return;
    if (!found.lesson || !found.replays) return say(found.error ?? t("The lesson could not be opened; try again."), true);
    if (lesson?.number !== number) leaveLesson();
    lesson = found.lesson;
    replays = found.replays;
    go(where);
  }

  /** @type {import("./types.d.ts").FigureContext["ask"]} */
  const ask = (asked) => server.table(asked).catch(() => ({ error: t("The server did not answer.") }));

  /** @type {import("./types.d.ts").FigureContext["askAboutStage"]} */
  const askAboutStage = async (make) => {
    const run = store.shown[0];
    return run ? ask({ make, run: run.name, step: Math.floor(store.state.time) }) : { error: t("No run is on the stage.") };
  };

  /** @param {number} number */
  function fetchLesson(number) {
    let answer = loaded.get(number);
    if (!answer) {
      answer = server.lesson({ number }).catch(() => ({ error: t("The server did not answer.") }));
      loaded.set(number, answer);
      void answer.then(({ error }) => { if (error) loaded.delete(number); });
    }
    return answer;
  }

  function close() {
    if (!isOpen) return;
    isOpen = false;
    wanted++;
    pause();
    leaveLesson();
    lesson = null;
    unlight();
    root.classList.remove("pg-learning", "pg-guessing", "pg-figure-only");
    panel.hidden = true;
    panel.replaceChildren();
    if (before) {
      const shown = before.shown.filter((key) => store.run(key));
      store.change({ draft: before.draft, shown, time: Infinity, following: true, place: -1, pane: shown[0] ?? "" });
    }
    before = null;
    address();
  }

  /** Takes the runs of a lesson out of the tray, where the reader did not ask for them. */
  function leaveLesson() {
    if (!store.state.runs.some((run) => isMine(run.key))) return;
    store.change({ runs: store.state.runs.filter((run) => !isMine(run.key)), shown: store.state.shown.filter((key) => !isMine(key)) });
  }

  /** Writes the step into the address, so that it can be handed on. */
  function address() {
    const search = new URLSearchParams(location.search);
    if (lesson) search.set("lesson", keyOf(at));
    else search.delete("lesson");
    const query = search.toString().replace(/%2C/g, ",");
    history.replaceState(history.state, "", `${location.pathname}${query ? `?${query}` : ""}${lesson ? "" : location.hash}`);
  }

  // ---- the list ----

  function showList() {
    question = figure = null;
    root.classList.remove("pg-guessing", "pg-figure-only");
    unlight();
    const score = lessonScore(Object.values(answers));
    const title = h("h2", { tabIndex: -1 }, t("Lessons"));
    panel.replaceChildren(
      h("header", { className: "ls-head" }, title, closeButton()),
      h("div", { className: "ls-body" },
        h("p", { className: "pg-quiet" }, t("Every lesson uses the page beside it, and works without a model. It asks before it shows; only you see your score.")),
        h("ol", { className: "ls-list" }, ...setup.lessons.map((each) => {
          const done = Object.keys(answers).filter((key) => key.startsWith(`${each.number}.`)).length;
          return h("li", {}, h("button", { type: "button", dataset: { lesson: each.number }, onclick: () => void open(each.number) },
            h("span", { className: "ls-number", "aria-hidden": "true" }, String(each.number)),
            h("span", {}, h("b", {}, t(each.title)), h("span", { className: "pg-quiet" }, t(each.about)),
              h("span", { className: "pg-quiet" }, t("{minutes} minutes", { minutes: each.minutes }) + (done ? ` · ${t("{count} answered", { count: done })}` : ""))))); 
        })),
        h("button", { type: "button", className: "ls-reading", onclick: () => void showReading() }, t("Relatives and reading")),
        score.of > 0 && h("p", { className: "ls-score" }, t("Your score: {right} of {of} predictions right.", score)),
        score.of > 0 && h("button", { type: "button", onclick: forget }, t("Forget my score"))));
    title.focus({ preventScroll: true });
  }

  /** Shows the cards about related systems, and the reading list. */
  async function showReading() {
    const turn = ++wanted;
    const { reading, error } = await server.lesson({ number: "reading" }).catch(() => ({ reading: undefined, error: t("The server did not answer.") }));
    if (turn !== wanted || !isOpen) return;
    if (!reading) return say(error ?? t("The reading list could not be opened; try again."), true);
    const link = (/** @type {string} */ href, /** @type {string} */ text) => h("a", { href, target: "_blank", rel: "noreferrer" }, text);
    const title = h("h2", { tabIndex: -1 }, t("Relatives and reading"));
    panel.replaceChildren(
      h("header", { className: "ls-head" }, h("button", { type: "button", className: "ls-all", title: t("All lessons"), onclick: () => void open(0) }, "☰"), title, closeButton()),
      h("div", { className: "ls-body" },
        h("p", { className: "pg-quiet" }, t("Systems that are related to what you see here, of another kind or size: what they share with it, in a few sentences.")),
        ...reading.cards.map((card) => h("section", {}, h("h3", { className: "ls-title" }, card.title), h("p", {}, t(card.text)), link(`https://arxiv.org/abs/${card.paper}`, `arXiv ${card.paper}`))),
        h("h3", { className: "ls-title" }, t("To read")),
        h("ul", { className: "ls-reading-list" }, ...reading.reading.map((each) => h("li", {}, link(each.url, each.title), ": ", t(each.text))))));
    title.focus({ preventScroll: true });
  }

  function forget() {
    for (const key of Object.keys(answers)) delete answers[key];
    keep();
    showList();
  }

  const closeButton = () => h("button", { type: "button", className: "ls-close", title: t("Close the lessons"), "aria-label": t("Close the lessons"), onclick: close }, "×");

  // ---- a step ----

  /** @param {number} where */
  function go(where) {
    if (!lesson) return;
    at = Math.max(0, Math.min(lesson.steps.length - 1, where));
    looked = false;
    pause();
    build();
    stage();
    address();
    /** @type {HTMLElement | null} */ (panel.querySelector(".ls-title"))?.focus({ preventScroll: true });
    /** @type {HTMLElement} */ (panel.querySelector(".ls-body")).scrollTop = 0;
  }

  function build() {
    if (!lesson) return;
    const { number, title, steps, facts } = lesson;
    const now = step();
    const score = lessonScore(Object.entries(answers).filter(([key]) => key.startsWith(`${number}.`)).map(([, answer]) => answer));
    const dots = steps.map((each, index) => h("button", {
      type: "button", className: "ls-dot", "aria-current": index === at ? "step" : null,
      "aria-label": t("Step {step}: {title}", { step: index + 1, title: t(each.title) }), title: t(each.title), onclick: () => go(index),
    }, each.ask ? (answers[keyOf(index)] ? (answers[keyOf(index)].right ? "✓" : "✗") : "?") : "·"));
    const row = h("div", { className: "ls-dots", role: "toolbar", "aria-label": t("Steps of the lesson") }, ...dots);
    question = now.ask ? createLessonQuestion(now, {
      facts, answered: answers[keyOf(at)], masks: () => countMasks(store.state.draft.text), runOf: questioned, answer, fill: fillOwn,
    }) : null;
    const made = now.figure ? lessonFigure(now.figure, { table: now.figure.table ? lesson.tables[now.figure.table] : null, say, ask, askAboutStage }) : null;
    figure = made;
    const last = at === steps.length - 1;
    const next = last && number === setup.lessons.length ? t("All lessons") : last ? t("Next lesson") : t("Next");
    panel.replaceChildren(
      h("header", { className: "ls-head" },
        h("button", { type: "button", className: "ls-all", title: t("All lessons"), onclick: () => void open(0) }, "☰"),
        h("h2", {}, `${number} · ${t(title)}`), closeButton()),
      row,
      h("div", { className: "ls-body" },
        h("h3", { className: "ls-title", tabIndex: -1 }, t(now.title)),
        ...(now.text ?? []).map((text) => lessonText(text, facts)),
        made && made.element,
        question && question.element),
      h("footer", { className: "ls-foot" },
        h("button", { type: "button", className: "ls-back", disabled: at === 0, onclick: () => go(at - 1) }, t("Back")),
        h("span", { className: "ls-score pg-quiet" }, score.of ? t("{right} of {of} right", score) : `${at + 1} / ${steps.length}`),
        h("button", { type: "button", className: "ls-link", title: t("Copy a link to this step"), onclick: () => void copy() }, t("Link")),
        h("button", { type: "button", className: "ls-next", onclick: () => (last ? void open(number === setup.lessons.length ? 0 : number + 1) : go(at + 1)) }, next)));
    roving(row, dots);
    /** @type {HTMLElement | undefined} */ (dots[at])?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  async function copy() {
    const link = `${location.origin}${location.pathname}${location.search}`;
    try {
      await navigator.clipboard.writeText(link);
      say(t("Link copied: it opens this step."));
    } catch {
      say(t("Copying is not allowed here; the link stands in the address bar."));
    }
  }

  // ---- the stage ----

  /** Puts on the stage what the step shows. */
  function stage() {
    const now = step();
    root.classList.toggle("pg-figure-only", Boolean(now.figure && !now.show && !now.own));
    const answered = answers[keyOf(at)];
    if (now.own) prepareOwn(now);
    else if (now.show) showRuns(answered && now.then ? now.then : now.show);
    guess();
    light();
  }

  /** @param {LessonShow} show */
  function showRuns(show) {
    openRuns(show.runs.map((name) => ({ closing: replays[name], key: `lesson-${lesson?.number}-${name}`, label: labelOf(name) })));
    for (const run of store.shown) run.fitted = !hidesAnswer(); // the width of a cell would tell the token
    const time = show.at === "end" || show.at === "play" ? Infinity : show.at ?? 0;
    store.change({ time: show.at === "play" ? 0 : time, following: time === Infinity, place: show.place ?? -1, by: show.by ?? "passes" });
    if (show.at === "play") play();
  }

  /** @param {string} name */
  const labelOf = (name) => t(lesson?.labels?.[name] ?? lesson?.title ?? name);

  /** Lets the reader write; the settings are those of the lesson. @param {LessonStep} now */
  function prepareOwn(now) {
    const text = own || store.state.draft.text;
    const request = { ...now.own, text, prefix: "", suffix: "", length: null, knobs: now.own?.knobs ?? {}, steps: countMasks(text) ?? 16 };
    const draft = draftOf(setup, /** @type {any} */ (request), "");
    if (now.own?.steps) draft.steps = now.own.steps;
    seen = new Set(store.state.runs.map((run) => run.key));
    store.change({ draft, shown: [], time: 0, following: true, place: -1, pane: "" });
  }

  function fillOwn() {
    own = store.state.draft.text;
    keep();
    fill();
  }

  /** Returns the run that the question is about. */
  function questioned() {
    const now = step();
    if (now?.own) return store.state.runs.find((run) => run.source === "live" && !seen.has(run.key) && !unfinished(run) && run.closing);
    const name = now?.ask?.run ?? now?.show?.runs[0];
    return name ? store.run(`lesson-${lesson?.number}-${name}`) : undefined;
  }

  /** Returns whether the page must not give the answer away. */
  function hidesAnswer() {
    const now = step();
    return Boolean(isOpen && now?.ask && !answers[keyOf(at)] && (now.own ? !questioned() : now.show?.at === 0));
  }

  const guess = () => void root.classList.toggle("pg-guessing", hidesAnswer());

  function unlight() {
    for (const lit of document.querySelectorAll(".pg-lit")) lit.classList.remove("pg-lit");
  }

  function light() {
    unlight();
    for (const name of step()?.light ?? []) {
      const found = document.querySelector(/** @type {Record<string, string>} */ (LESSON_PARTS)[name]);
      found?.classList.add("pg-lit");
    }
  }

  // ---- answering ----

  /** @param {{ value: any, right: boolean, words: string, yours: string }} given */
  function answer(given) {
    const now = step();
    if (answers[keyOf(at)]) return;
    answers[keyOf(at)] = { ...given, counted: !looked };
    keep();
    const place = scrollOf();
    build();
    /** @type {HTMLElement} */ (panel.querySelector(".ls-body")).scrollTop = place;
    guess();
    if (now.then) showRuns(now.then);
    else if (now.show && !now.own) {
      for (const run of store.shown) run.fitted = true;
      store.change({ time: 0, following: false });
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) store.change({ time: Infinity, following: true });
      else play();
    }
    const told = /** @type {HTMLElement | null} */ (panel.querySelector(".ls-told"));
    told?.focus({ preventScroll: true });
    told?.scrollIntoView({ block: "nearest" });
  }

  const scrollOf = () => panel.querySelector(".ls-body")?.scrollTop ?? 0;

  // A position is also chosen in the passage itself.
  root.addEventListener("click", (event) => {
    if (!isOpen || !question) return;
    const cell = /** @type {HTMLElement} */ (event.target).closest?.(".pg-cell[data-place]");
    if (cell) question.choosePlace(Number(cell.getAttribute("data-place")));
  });

  store.listen((changed) => {
    if (!isOpen || !lesson) return;
    if (changed.has("draft") && step()?.own && store.state.draft.text !== own) own = store.state.draft.text;
    if (changed.has("time") && !answers[keyOf(at)] && root.classList.contains("pg-guessing") && !step().own && store.state.time > 0 && endOf(store.state) > 0) looked = true;
  });

  const isMine = (/** @type {string} */ key) => key.startsWith("lesson-");

  /** Returns what a refresh brings back: what was there before the lessons, and the runs that the reader has made. */
  function kept() {
    const { state } = store;
    const shown = (before?.shown ?? state.shown).filter((key) => !isMine(key));
    return { ...state, draft: before?.draft ?? state.draft, runs: state.runs.filter((run) => !isMine(run.key)), shown };
  }

  return {
    open, close, kept,
    toggle: () => (isOpen ? close() : void open(0)),
    get isOpen() { return isOpen; },
    paint() {
      if (!isOpen || !lesson) return;
      question?.paint(looked);
      figure?.paint?.();
      if (step()?.own) guess();
    },
  };
}
