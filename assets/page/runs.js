// The runs of this visit: asking for them, reading what arrives, opening recorded ones.

import { draftOf, modelName } from "./draft.js";
import { newRun, receive } from "./messages.js";
import { phrase, t, told } from "./language.js";

/** @import { Asked, Message, Replay, Run, Server, Setup } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

/** Most runs that the tray holds; the oldest that is not on the stage goes first. */
const MOST_RUNS = 24;

/**
 * @param {Setup} setup @param {Store} store
 * @param {{ trigger: (event: string, data: any) => void, server: Server, say: (text: string, bad?: boolean) => void }} options
 */
export function createRuns(setup, store, { trigger, server, say }) {
  let letters = 0;
  let keys = 0;
  /** @type {string[]} */
  let before = []; // what was on the stage when the runs that go on were asked for
  /** @type {Set<string>} */
  const unwanted = new Set(); // keys of runs that were stopped before the server had named them

  const newKey = () => `${Date.now().toString(36)}-${(keys++).toString(36)}`;

  /** Returns the next letter: A to Z, then A2 and so on. */
  function nextLabel() {
    const used = new Set(store.state.runs.map((run) => run.label));
    for (;;) {
      const label = String.fromCharCode(65 + (letters % 26)) + (letters >= 26 ? Math.floor(letters / 26) + 1 : "");
      letters++;
      if (!used.has(label)) return label;
    }
  }

  /** Adds runs to the tray and puts them on the stage. @param {Run[]} runs @param {Partial<import("./types.d.ts").PageState>} [more] */
  function add(runs, more = {}) {
    const shown = runs.map((run) => run.key);
    let all = [...store.state.runs.filter((run) => !shown.includes(run.key)), ...runs];
    while (all.length > MOST_RUNS) {
      const oldest = all.findIndex((run) => !shown.includes(run.key) && run.ended !== "running");
      if (oldest < 0) break;
      all = all.filter((_, at) => at !== oldest);
    }
    store.change({ runs: all, shown, time: 0, following: true, place: -1, pane: shown.length === 1 ? shown[0] : "", ...more });
  }

  const active = () => store.state.runs.filter((run) => run.ended === "running" || run.ended === "asked");

  /**
   * Asks the server for runs and shows them; one alone or up to four to compare.
   * @param {Asked[]} asked @param {string[]} [labels]
   */
  function ask(asked, labels = []) {
    if (active().length) return say(t("A run goes on; stop it first (Esc)."), true);
    before = store.state.shown;
    const runs = asked.map((each, at) => newRun(each.key, labels[at] ?? nextLabel(), "live"));
    add(runs);
    trigger("run", { runs: asked });
  }

  /** Reads what the server sent. @param {{ messages?: (Message | { key: string, failed: string })[] } | null} value */
  function read(value) {
    if (!value?.messages) return;
    for (const message of value.messages) {
      if (unwanted.delete(message.key) && "run" in message) trigger("halt", { runs: [message.run] });
      const run = store.run(message.key);
      if (!run) continue;
      if ("failed" in message) fail(run, told(message.failed));
      else {
        const began = run.begun;
        receive(run, message);
        if (!began && run.begun) takeOver(run);
      }
    }
    store.change({ runs: store.state.runs });
  }

  /**
   * Takes over what the server decided: the number of masks in `auto` gaps, and the state from which a branch goes on.
   * So both can be changed from there.
   * @param {Run} run
   */
  function takeOver(run) {
    const { draft, shown } = store.state;
    if (!run.opening || shown.length !== 1 || shown[0] !== run.key) return;
    if (run.opening.request.start || /\[\[\s*auto/.test(draft.text)) store.change({ draft: draftOf(setup, run.opening.request, draft.model) });
  }

  /** @param {Run} run @param {string} reason */
  function fail(run, reason) {
    say(reason, true);
    if (run.frames.length && run.begun) { // what was written stays
      run.ended = "failed";
      return;
    }
    const left = store.state.shown.filter((key) => key !== run.key);
    const shown = left.length ? left : before.filter((key) => store.run(key));
    const { draft } = store.state; // what was asked for stays in the form, beside the old run
    store.change({ runs: store.state.runs.filter((each) => each !== run), shown, draft, time: Infinity, following: true });
  }

  /** Ends every run that goes on. */
  function stop() {
    const going = active();
    if (!going.length) return;
    trigger("halt", { runs: going.map((run) => run.name).filter(Boolean) });
    for (const run of going) {
      if (!run.name) {
        unwanted.add(run.key);
        fail(run, t("Stopped before it began."));
      }
      run.paused = false;
    }
    store.change({ runs: store.state.runs });
  }

  /**
   * Asks the server for the runs that a session holds by their names only: those that went on when the page was left.
   * One that the server has not, or that had written nothing, goes.
   */
  async function recover() {
    for (const run of store.state.runs.filter((each) => each.ended === "asked")) {
      const answer = await server.replay({ run: run.name }).catch(() => ({ replay: undefined }));
      if (answer.replay?.begun) receive(run, answer.replay);
      else store.change({ runs: store.state.runs.filter((each) => each !== run), shown: store.state.shown.filter((key) => key !== run.key) });
    }
    store.change({ runs: store.state.runs });
  }

  /** Ends what waits for a server that has given up. @param {string} reason */
  function lost(reason) {
    for (const run of active()) fail(run, reason);
    store.change({ runs: store.state.runs });
  }

  /**
   * Shows a run that was recorded, or opened from a file; the form takes its settings over.
   * @param {Replay | import("./types.d.ts").Closing} closing @param {string} key @param {string} label @param {Run["source"]} source
   */
  const open = (closing, key, label, source) => openAll([{ closing, key, label }], source)[0];

  /**
   * Shows recorded runs, one or up to four to compare; the form takes the settings of the first over.
   * @param {{ closing: Replay | import("./types.d.ts").Closing, key: string, label: string }[]} recorded @param {Run["source"]} source
   */
  function openAll(recorded, source) {
    const runs = recorded.map(({ closing, key, label }) => {
      const run = newRun(key, label, source);
      receive(run, closing);
      return run;
    });
    const { request, model } = recorded[0].closing.opening;
    add(runs, { draft: draftOf(setup, request, modelName(setup, store.state.models, model)) });
    return runs;
  }

  /** Opens a trace file. @param {File} file */
  async function openFile(file) {
    if (file.size > 16e6) return say(t("This file is larger than 16 MB, which is too much for a trace."), true);
    const answer = await server.opened({ content: await file.text() }).catch(() => ({ error: phrase("the server did not answer"), closing: undefined }));
    if (answer.error || !answer.closing) return say(answer.error ? told(answer.error) : t("This file could not be opened."), true);
    open(answer.closing, newKey(), file.name.replace(/\.json$/, ""), "opened");
    say(t("Opened: this is a replay of a recorded run, with its settings in the form."));
  }

  /** Shows a recorded example. @param {string} id */
  async function openExample(id) {
    const example = setup.examples.find((each) => each.id === id);
    const answer = setup.landing && setup.examples[0]?.id === id ? { replay: setup.landing, error: "" } : await server.example({ id }).catch(() => ({ error: phrase("the server did not answer"), replay: undefined }));
    if (answer.error || !answer.replay) say(answer.error ? told(answer.error) : t("This example could not be opened."), true);
    else return open(answer.replay, `example-${id}`, told(example?.title ?? id), "recorded");
  }

  /** Pauses the sampler of a run, lets it make one step, or lets it go on. @param {Run} run @param {"pause" | "step" | "go"} what */
  async function control(run, what) {
    const answer = await server.control({ run: run.name, do: what }).catch(() => ({ error: phrase("the server did not answer") }));
    if (answer.error) return say(told(answer.error), true);
    run.paused = what !== "go";
    store.change({ runs: store.state.runs });
  }

  return { ask, read, stop, lost, recover, open, openAll, openFile, openExample, control, newKey, nextLabel, active };
}
