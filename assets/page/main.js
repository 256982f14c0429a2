// The page: builds its parts, lets them share one state, and paints at most once per frame.

import { createChips } from "./chips.js";
import { createCompare } from "./compare.js";
import { createEditor } from "./editor.js";
import { createExamples } from "./examples.js";
import { createKeepMenu } from "./keep.js";
import { createKeys } from "./keys.js";
import { createLessons, lessonAsked } from "./lesson.js";
import { createMap } from "./map.js";
import { createOrderPicker, createSeed, createSteps } from "./orders.js";
import { createPerturb } from "./perturb.js";
import { createPlayer } from "./player.js";
import { comparisons, createPresets, requestOf } from "./presets.js";
import { createProofread } from "./proofread.js";
import { createReads } from "./reads.js";
import { createRuns } from "./runs.js";
import { createSettings } from "./settings.js";
import { createStage } from "./stage.js";
import { createStatus } from "./status.js";
import { createTray } from "./tray.js";
import { announcement, createWhy } from "./why.js";
import { decodeLink, encodeLink, hiddenParts } from "./link.js";
import { draftOf, isStale, modelName, passageOf } from "./draft.js";
import { branchAsked, branchLabel, fitsBranch } from "./branch.js";
import { endOf, paneRun, stepOf, unfinished } from "./timeline.js";
import { h, roving } from "./dom.js";
import { restoreSession, saveSession } from "./session.js";
import { Store } from "./store.js";
import { chosenLanguage, languageFor, phrase, speak, t } from "./language.js";
import { createLanguageButtons, showLanguage } from "./language_choice.js";

/** @import { Asked, Edit, PageState, Run, Server, Setup } from "./types.d.ts" */

const SPEECH_MS = 1500; // between two sentences of the live region

/**
 * Starts the page in the visitor's language, whose table the server has; English needs none.
 * @param {Parameters<typeof start>[0]} gradio
 */
export async function begin(gradio) {
  const { languages } = gradio.setup;
  const code = languageFor({ search: location.search, chosen: chosenLanguage(), wanted: navigator.languages, offered: languages });
  if (languages.some((each) => each.code === code)) {
    const answer = await gradio.server.language({ code }).catch(() => ({ language: undefined }));
    speak(answer.language ?? null);
  }
  start(gradio);
}

/**
 * Starts the page inside Gradio's component.
 * @param {{ element: HTMLElement, props: any, trigger: (event: string, data?: any) => void,
 *   watch: (name: string, listener: () => void) => void, server: Server, setup: Setup }} gradio
 */
export function start({ element, props, trigger, watch, server, setup }) {
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (element.querySelector(`[data-part="${name}"]`));
  const root = part("root");
  showLanguage(root);
  /** @type {PageState} */
  const initial = {
    draft: setup.draft, runs: [], shown: [], time: 0, following: true, place: -1, pane: "", by: "passes",
    score: "confidence", stale: false, presenting: false,
  };
  const store = new Store(initial);
  const status = createStatus(part("status"), setup, store);
  const { say } = status;
  const runs = createRuns(setup, store, { trigger: (event, data) => send(trigger, event, data), server, say });

  // ---- the parts ----

  /** @param {Run} run @param {number} place */
  const choose = (run, place) => {
    if (store.state.place !== place || store.state.pane !== run.key) store.change({ place, pane: run.key });
  };
  const editor = createEditor(part("stage"), setup, store, { choose, say, fill });
  part("stage").prepend(part("examples"));
  const fillButton = h("button", { type: "button", className: "pg-fill", dataset: { part: "fill" }, onclick: () => (runs.active().length ? runs.stop() : fill()) });
  const slot = () => h("div", {});
  const places = { order: slot(), steps: slot(), seed: slot(), presets: slot(), chips: slot() };
  const onward = h("button", { type: "button", className: "pg-onward", dataset: { part: "onward" }, title: t("Continue from the step on the screen: a branch, with the text and the settings as they are now"), onclick: () => store.shown[0] && branch(store.shown[0], stepOf(store.state, store.shown[0], store.state.time), []) });
  const budget = h("button", { type: "button", className: "pg-budget-button", title: t("The same text with a step for each mask, half as many, a quarter, and one"), onclick: sweep }, t("Budget"));
  part("status").append(onward); // in a place of its own, so that scrubbing moves nothing
  part("controls").append(fillButton, places.order, places.steps, places.seed, places.presets, places.chips);
  const player = createPlayer(part("player"), store, { control: (run, what) => runs.control(run, what), canPause: setup.can_pause });
  places.presets.prepend(budget);
  const comparing = () => store.state.shown.length > 1;
  const keepMenu = (/** @type {HTMLElement} */ place, /** @type {Run} */ run) => createKeepMenu(place, {
    runOf: () => run,
    titleOf: () => setup.strategies.find((each) => each.name === run.opening?.request.strategy)?.title ?? "",
    replayOf: () => server.replay({ run: run.name }),
    shell: () => server.shell({}),
    recorded: () => server.recorded({ run: run.name }),
    linkOf: () => linkTo(run),
    say,
  });
  const why = createWhy(part("why"), store, { candidatesOf, branch, canBranch: (run) => !run.expired && run.opening?.by === "diffusion" });
  const painters = [
    status,
    createExamples(part("examples"), setup, store, (id) => void showExample(id)),
    editor,
    createOrderPicker(places.order, setup, store),
    createSteps(places.steps, setup, store),
    createSeed(places.seed, store),
    createPresets(places.presets, setup, store, { ask: compare, newKey: runs.newKey }),
    createChips(places.chips, setup, store),
    createCompare(part("comparison"), setup, store, { createStage, actions: { choose } }),
    player,
    createMap(part("map"), store, { columnsOf }),
    why,
    createProofread(part("stage"), setup, store, { server, box: editor.element, replace: editor.replace, pause: player.pause, say }),
    createReads(part("stage"), setup, store, { server, box: editor.element, say, schedule: () => schedule() }),
    createPerturb(part("status"), store, { branch, onward }),
    createTray(part("tray"), setup, store, {
      show, share: (run) => void copyLink(run), keepMenu, branch: (run) => show(run, true), open: (file) => void runs.openFile(file), say,
    }),
  ];
  const keys = createKeys(root, {
    fill, stop: runs.stop, gap: editor.makeGap, play: () => player.toggle(), step: (by) => player.move(by > 0 ? 1 : -1),
    first: () => player.go(0), last: () => player.go(endOf(store.state)), slot: moveSlot,
    candidate: (rank) => (store.state.place < 0 ? say(t("Choose a position in a gap first.")) : why.take(rank)), mask: () => edit({ mask: true }), lock: () => edit({ lock: true }), present,
  });
  const headButton = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ act, /** @type {string} */ name) =>
    h("button", { type: "button", title, onclick: act, dataset: { part: name } }, text);
  const lessons = createLessons(part("lessons"), root, setup, store, {
    server, openRuns: (replays) => runs.openAll(replays, "recorded"), play: () => player.start(), pause: () => player.pause(), fill, say,
  });
  painters.push(lessons);
  const headButtons = [
    headButton(t("Lessons"), t("Learn how a diffusion language model writes, on this page"), () => lessons.toggle(), "lessons-button"),
    headButton(t("Large"), t("Presenter size: the passage and the player only (f)"), present, "present"),
    headButton(t("Keys"), t("Keyboard (?)"), () => keys.open(), "keys"),
    headButton(t("Settings"), t("Everything else that can be set"), toggleSettings, "settings-button"),
    ...createLanguageButtons(setup.languages, () => saveNow()),
  ];
  part("head").append(...headButtons);
  const settleHead = roving(part("head"), headButtons);
  const mountSettings = (/** @type {HTMLElement | null} */ mount) => {
    if (!mount || mount.childElementCount) return;
    nameSidebar();
    painters.push(createSettings(mount, setup, store, { listModels: () => server.models({}), prepareModel: (/** @type {string} */ name) => server.model({ name }) }));
    schedule();
  };
  window.addEventListener("settings-mounted", (event) => {
    const found = /** @type {CustomEvent} */ (event).detail;
    mountSettings(found instanceof HTMLElement ? found.matches("[data-part=settings]") ? found : found.querySelector("[data-part=settings]") : null);
  });
  window.addEventListener("run-lost", () => runs.lost(t("The run did not begin, or it broke off: the message at the top says why. What was written stays.")));

  // ---- what the visitor does ----

  function fill() {
    if (runs.active().length) return say(t("A run goes on; stop it first (Esc)."), true);
    player.pause();
    const { draft } = store.state;
    /** @type {Asked} */
    const asked = { key: runs.newKey(), request: requestOf(setup, draft), model: draft.model, by: "diffusion", branch: null };
    runs.ask([asked]);
  }

  /** Compares the budgets N, N/2, N/4 and 1. */
  function sweep() {
    const found = comparisons(setup, store.state.draft, { hasParent: setup.has_parent }).find(({ id }) => id === "sweep");
    if (!found || found.reason) return say(t("No budgets to compare: {reason}.", { reason: found?.reason ?? "" }), true);
    compare(found.asked(runs.newKey));
  }

  /** Makes runs to compare. @param {Asked[]} asked */
  function compare(asked) {
    if (runs.active().length) return say(t("A run goes on; stop it first (Esc)."), true);
    player.pause();
    runs.ask(asked);
  }

  /** @param {Run} run @param {number} step @param {Edit[]} edits */
  function branch(run, step, edits) {
    if (runs.active().length) return say(t("A run goes on; stop it first (Esc)."), true);
    // In a comparison each run goes on with its own text; else with the one in the passage.
    const draft = comparing() && run.opening ? { ...store.state.draft, text: passageOf(run.opening.request) } : store.state.draft;
    if (!fitsBranch(run, draft.text)) return say(t("The gaps have other lengths than in this run. Set them back to go on from it, or press Fill."), true);
    player.pause();
    const label = branchLabel(store.state.runs, run);
    runs.ask([{ ...branchAsked(setup, store, run, step, edits, draft), key: runs.newKey() }], [label]);
  }

  /** Branches at the slot that is chosen. @param {Omit<Edit, "place">} change */
  function edit(change) {
    const run = store.run(store.state.pane) ?? store.shown[0];
    if (!run || store.state.place < 0) return say(t("Choose a position in a gap first."));
    branch(run, stepOf(store.state, run, store.state.time), [{ place: store.state.place, ...change }]);
  }

  /** @param {number} by */
  function moveSlot(by) {
    const run = paneRun(store.state);
    const count = run?.frames[0]?.pieces.length ?? 0;
    if (!run || !count) return;
    const place = Math.max(0, Math.min(count - 1, store.state.place + by));
    choose(run, place);
    if (!comparing()) return editor.focusSlot(place);
    const pane = [...part("comparison").querySelectorAll("article")].find((each) => each.dataset.key === run.key);
    /** @type {HTMLElement | null | undefined} */ (pane?.querySelector(`[data-place="${place}"]`))?.focus({ preventScroll: true });
  }

  /** Puts a run on the stage; the form takes its settings over. @param {Run} run @param {boolean} [toBranch] */
  function show(run, toBranch = false) {
    player.pause();
    run.fitted = Boolean(run.closing);
    const draft = run.opening ? draftOf(setup, run.opening.request, modelName(setup, store.state.models, run.opening.model)) : store.state.draft;
    store.change({ shown: [run.key], draft, time: Infinity, following: true, place: toBranch ? 0 : -1, pane: run.key });
    if (toBranch) say(t("Go to a step, choose a position, then take another candidate, mask it again, or lock it."));
    part("stage").scrollIntoView({ block: "nearest" });
  }

  /** @param {string} id @param {boolean} [loop] */
  async function showExample(id, loop = false) {
    player.pause();
    const run = await runs.openExample(id);
    if (!run) return;
    store.change({ time: 0, following: false, loop });
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) store.change({ time: Infinity, following: true });
    else player.start();
  }

  function present() {
    store.change({ presenting: !store.state.presenting });
    root.classList.toggle("pg-presenting", store.state.presenting);
    part("present").setAttribute("aria-pressed", String(store.state.presenting));
  }

  /** The form takes over the settings of a run that the tray has put on the stage. */
  function takeOver() {
    const [run] = store.shown;
    if (comparing() || !run?.opening || !run.closing) return;
    run.fitted = true;
    store.change({ draft: draftOf(setup, run.opening.request, modelName(setup, store.state.models, run.opening.model)) });
  }

  /** @returns {HTMLElement | null} */
  const sidebarToggle = () => document.querySelector(".sidebar .toggle-button");

  function toggleSettings() {
    const toggle = sidebarToggle();
    const sidebar = toggle?.closest(".sidebar");
    if (!toggle || !sidebar) return;
    const watcher = new MutationObserver(() => {
      if (!sidebar.classList.contains("open")) return;
      watcher.disconnect();
      sidebar.querySelector(".sidebar-content")?.removeAttribute("inert");
      /** @type {HTMLElement | null} */ (sidebar.querySelector(":is(input, select, button):not(.toggle-button, :disabled)"))?.focus({ preventScroll: true });
    });
    if (!sidebar.classList.contains("open")) watcher.observe(sidebar, { attributeFilter: ["class"] });
    toggle.click();
  }

  /** Says what Gradio's sidebar is, and closes it by Escape. */
  function nameSidebar() {
    const toggle = sidebarToggle();
    const sidebar = toggle?.closest(".sidebar");
    if (!toggle || !sidebar || sidebar.hasAttribute("aria-label")) return;
    sidebar.setAttribute("role", "region");
    sidebar.setAttribute("aria-label", t("Settings"));
    toggle.setAttribute("aria-label", t("Settings"));
    const tell = () => {
      const open = sidebar.classList.contains("open");
      toggle.setAttribute("aria-expanded", String(open));
      sidebar.querySelector(".sidebar-content")?.toggleAttribute("inert", !open); // no tab leads into what cannot be seen
    };
    new MutationObserver(tell).observe(sidebar, { attributeFilter: ["class"] });
    tell();
    sidebar.addEventListener("keydown", (event) => {
      if (/** @type {KeyboardEvent} */ (event).key !== "Escape" || event.defaultPrevented || !sidebar.classList.contains("open")) return;
      event.preventDefault();
      toggle.click();
      const button = part("settings-button");
      (button.getClientRects().length ? button : toggle).focus();
    });
  }

  // ---- links ----

  /** @param {Run} run */
  async function linkTo(run) {
    const draft = run.opening ? draftOf(setup, run.opening.request, modelName(setup, store.state.models, run.opening.model)) : store.state.draft;
    const step = store.state.shown[0] === run.key ? stepOf(store.state, run, store.state.time) : run.latest;
    return location.href.split("#")[0] + (await encodeLink({ setup, draft, by: run.opening?.by ?? "diffusion", step }));
  }

  /** @param {Run} run */
  async function copyLink(run) {
    let link = "";
    try {
      link = await linkTo(run);
    } catch (error) { // too long
      return say(error instanceof Error ? error.message : String(error), true);
    }
    try {
      await navigator.clipboard.writeText(link);
      say(t("Link copied: whoever opens it sees the same run made again, and nothing else of yours."));
    } catch { // no permission, or not https
      location.hash = link.split("#")[1];
      say(t("Copying is not allowed here, so the link stands in the address bar."));
    }
  }

  let opened = "";
  /** Shows what a link asks for. Returns whether there is one. */
  async function openLink() {
    const fragment = location.hash;
    if (!fragment.startsWith("#v") || fragment === opened) return false;
    opened = fragment;
    const found = await decodeLink(fragment, setup);
    if (found.trouble.length) say(found.trouble.join(" "), true);
    if (!found.given || (found.trouble.length && found.draft.text === setup.draft.text)) return false;
    store.change({ draft: found.draft });
    const wanted = found.compare.length > 1 ? found.compare : [{ draft: found.draft, by: found.by }];
    wantedStep = wanted.length === 1 && found.step ? found.step : null; // a link without a step shows the end
    runs.ask(wanted.map(({ draft, by }) => ({ key: runs.newKey(), request: requestOf(setup, draft), model: draft.model, by, branch: null })));
    return true;
  }
  /** @type {number | null} */
  let wantedStep = null; // of a link, once its run has ended
  window.addEventListener("hashchange", () => void openLink());

  // ---- beliefs ----

  /** @type {Map<string, Promise<any>>} */
  const believed = new Map();
  /** @param {Run} run @param {number} step */
  function candidatesOf(run, step) {
    if (run.candidates) return Promise.resolve(run.candidates[step - 1] ?? []);
    const key = `${run.name}:${step}`;
    let answer = believed.get(key);
    if (!answer) {
      answer = server.candidates({ run: run.name, step }).catch(() => ({ error: phrase("the server did not answer"), candidates: undefined }))
        .then((found) => {
          if (found.candidates) return found.candidates;
          believed.delete(key);
          if (found.error?.includes("no longer")) {
            run.expired = true;
            schedule();
          }
          return { error: found.error ?? phrase("the server did not answer") };
        });
      believed.set(key, answer);
    }
    return answer;
  }

  /** @param {Run} run */
  function columnsOf(run) {
    const mine = !comparing() && store.state.shown[0] === run.key;
    return mine ? editor.columns(part("map")) : null;
  }

  // ---- what changes by itself ----

  const MOST_UNREAD = 60;
  let unread = 0; // answers without a word about the text
  let inspected = "";
  let inspecting = 0;
  function inspect() {
    const { text, model } = store.state.draft;
    const wanted = `${model}\u0000${text}`;
    if (wanted === inspected) return;
    inspected = wanted;
    clearTimeout(inspecting);
    inspecting = window.setTimeout(async () => {
      const answer = await server.inspect({ text, model }).catch(() => ({ warning: "", tokens: undefined }));
      if (inspected !== wanted) return;
      if (answer.tokens === undefined && unread++ < MOST_UNREAD) inspecting = window.setTimeout(() => { // the model is being loaded
        if (inspected === wanted) inspected = "";
        inspect();
      }, 2000);
      status.warn(answer.warning ?? "");
      schedule();
    }, 500);
  }

  let figured = "";
  function sendFigure() {
    const run = store.shown[0];
    const name = run?.closing && !run.expired ? run.name : "";
    if (name && name !== figured) trigger("figure", { run: (figured = name) });
  }

  let saving = 0;
  function save() {
    clearTimeout(saving);
    saving = window.setTimeout(saveNow, 400);
  }
  const saveNow = () => void saveSession(sessionStorage, lessons.kept());
  window.addEventListener("pagehide", saveNow); // a run that goes on changes too often for the timer

  let spoken = 0;
  let announced = "";
  let later = 0;
  /** Has the state on the screen spoken: its latest sentence every second and a half, and the end of a run at once. */
  function announce() {
    const { state } = store;
    const { shown } = store;
    if (!shown.length || state.loop) return; // nobody asked for the landing's loop
    const ended = shown.every((run) => !unfinished(run)) && state.time >= endOf(state);
    if (comparing() && !ended) return;
    const text = shown.map((run) => announcement(state, run)).join(" ");
    if (text === announced) return;
    const wait = ended ? 0 : spoken + SPEECH_MS - Date.now();
    clearTimeout(later);
    if (wait > 0) {
      later = window.setTimeout(announce, wait);
      return;
    }
    announced = text;
    spoken = Date.now();
    part("live").textContent = text;
  }

  // ---- painting ----

  let scheduled = false;
  function schedule() {
    if (scheduled) return;
    scheduled = true;
    const paintOnce = () => {
      if (!scheduled) return;
      scheduled = false;
      paint();
    };
    requestAnimationFrame(paintOnce);
    if (document.hidden) setTimeout(paintOnce, 0); // a hidden tab draws no frames
  }

  /** Goes to the step that a link names, and never past the end. */
  function settleTime() {
    const { state } = store;
    const end = endOf(state);
    if (wantedStep !== null && store.shown[0]?.closing) {
      Object.assign(state, { time: wantedStep, following: wantedStep >= end });
      wantedStep = null;
    }
    state.time = Math.min(state.time, end);
  }

  let compared = false;
  /** A button that begins or ends a comparison goes with it, and hands its focus on. */
  function passFocusOn() {
    if (compared === comparing()) return;
    compared = comparing();
    const active = document.activeElement;
    if (!active || active === document.body || (active.getClientRects().length && !active.matches(":disabled"))) return;
    const next = compared ? part("comparison").querySelector("button:not([tabindex='-1'])") : editor.element;
    /** @type {HTMLElement | null} */ (next)?.focus({ preventScroll: true });
  }

  function paint() {
    settleTime();
    const run = store.shown[0];
    const busy = runs.active().length > 0;
    store.state.stale = !comparing() && !busy && Boolean(run) && isStale(setup, store.state.draft, /** @type {Run} */ (run));
    fillButton.textContent = busy ? t("Stop") : t("Fill");
    fillButton.classList.toggle("pg-stopping", busy);
    fillButton.title = busy ? t("Stop after this step (Esc)") : t("Let the model fill the gaps (Ctrl+Enter)");
    const step = run ? stepOf(store.state, run, store.state.time) : 0;
    const open = !busy && !comparing() && run?.closing && !run.expired && run.opening?.by === "diffusion" && step < run.latest;
    onward.style.visibility = open ? "" : "hidden"; // "" is that of the page around it
    onward.textContent = t("Go on from step {step}", { step });
    part("stage").hidden = comparing();
    part("comparison").hidden = !comparing();
    root.classList.toggle("pg-comparing", comparing());
    root.dataset.ended = run?.ended ?? "";
    root.dataset.step = String(run ? stepOf(store.state, run, store.state.time) : 0);
    root.dataset.run = run?.name ?? "";
    for (const painter of painters) painter.paint();
    passFocusOn();
    settleHead();
    announce();
  }

  store.listen((changed) => {
    schedule();
    if (changed.has("shown") && !changed.has("draft")) takeOver();
    if (changed.has("draft")) inspect();
    if (changed.has("runs") || changed.has("shown")) sendFigure();
    if (changed.has("draft") || changed.has("runs") || changed.has("shown") || changed.has("time")) save();
  });
  new ResizeObserver(schedule).observe(element);
  new MutationObserver(schedule).observe(document.body, { attributeFilter: ["class"] });
  watch("value", () => runs.read(props.value));
  for (const kind of ["dragover", "drop"]) {
    element.addEventListener(kind, (event) => {
      const file = /** @type {DragEvent} */ (event).dataTransfer?.files[0];
      if (kind === "drop" && file) void runs.openFile(file);
      if (file || kind === "dragover") event.preventDefault();
    });
  }

  // ---- the beginning ----

  mountSettings(document.querySelector("[data-part=settings]"));
  const hidden = hiddenParts(location.search);
  for (const name of hidden.parts) root.classList.add(`pg-hide-${name}`);
  if (hidden.trouble.length) say(hidden.trouble.join(" "), true);

  /** Brings back what this tab had before a refresh. Returns whether there was anything. */
  async function restoreVisit() {
    const restored = restoreSession(sessionStorage, setup);
    if (!restored || !(restored.runs.length || restored.draft.text !== setup.draft.text)) return false;
    const { trouble, ...kept } = restored;
    store.change({ ...kept, following: kept.time === Infinity });
    if (trouble.length) say(trouble.join(" "), true);
    if (store.shown.length === 1 && !store.shown[0].closing) wantedStep = Infinity; // it went on
    await runs.recover();
    return true;
  }

  void (async () => {
    const asked = lessonAsked(location.search, setup.lessons);
    if (asked?.trouble) say(asked.trouble, true);
    if (asked?.number) {
      await restoreVisit();
      return lessons.open(asked.number, asked.step);
    }
    if (await openLink() || (await restoreVisit())) return;
    if (setup.landing) await showExample(setup.examples[0].id, true);
    else schedule();
  })();
  // A finger or a key ends the loop of the landing.
  for (const kind of ["pointerdown", "keydown"]) {
    element.addEventListener(kind, () => { if (store.state.loop) store.change({ loop: false }); }, { capture: true });
  }
  schedule();
}

/**
 * Sends an event to Python. The names stand here as literals, because Gradio looks for them in the script.
 * @param {(event: string, data?: any) => void} trigger @param {string} event @param {any} data
 */
function send(trigger, event, data) {
  if (event === "run") trigger("run", data);
  else if (event === "halt") trigger("halt", data);
}
