// The form in the sidebar, built from the declared fields of a request and the knobs of the chosen order.

import { fieldProblem, knobValue, rangeOf, sameValue, shortly, startDraft, startKnobs, strategyOf } from "./fields.js";
import { h } from "./dom.js";
import { numberBox } from "./number_box.js";
import { inOneLine, phrase, t, told } from "./language.js";
/** @import { Draft, Field, Setup, Strategy } from "./types.d.ts" */
/** @import { Store } from "./store.js" */

/**
 * @typedef {object} Control the widget of one field
 * @property {HTMLElement} element
 * @property {(value: any, first: any, force?: boolean) => void} paint shows the value in force; `first` is the start's
 */
/**
 * @typedef {object} ModelCalls
 * @property {() => Promise<{ models?: { name: string, label: string }[], loading?: boolean, error?: string }>} listModels
 *   the list is whole once nothing is loading
 * @property {(name: string) => Promise<{ ready?: boolean, text?: string, error?: string }>} prepareModel asked until it is ready
 */

/** The groups of the form; a field that is declared in none of them stands under "More". */
const SETTING_GROUPS = [
  { title: phrase("Drawing"), names: ["temperature", "top_p", "redraw", "seed"] },
  { title: phrase("Steering"), names: ["guidance", "guided_by", "space"] },
  { title: phrase("Not allowed"), names: ["banned", "one_line"] },
];
const OWN_VALUES = phrase("your own values");
const MODEL_POLL = 1000; // milliseconds
const RADIO_OPTIONS = 3; // up to so many options are all shown

/**
 * Builds the form.
 * @param {HTMLElement} root @param {Setup} setup @param {Store} store @param {ModelCalls} calls
 */
export function createSettings(root, setup, store, calls) {
  /** @type {{ field: Field, control: Control }[]} */
  const controls = [];
  const grouped = new Set(SETTING_GROUPS.flatMap(({ names }) => names));
  /** @param {string} title @param {Field[]} fields */
  const group = (title, fields) => fields.length > 0 && settingGroup(title, ...fields.map((field) => {
    /** @param {any} value */
    const put = (value) => store.change({ draft: { ...store.state.draft, [field.name]: value } });
    const control = settingControl(field, `pg-set-${field.name}`, put);
    controls.push({ field, control });
    return control.element;
  }));
  const knobs = createKnobs(setup, store);
  const model = createModelChoice(setup, store, calls);
  const resetAll = h("button", { type: "button", className: "pg-reset-all", onclick: () => {
    store.change({ draft: startDraft(setup, store.state.draft) });
    paint(true);
  } }, t("Reset all"));
  const form = h("form", { className: "pg-settings-form", "aria-label": t("Settings"), noValidate: true, onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    knobs.element,
    ...SETTING_GROUPS.map(({ title, names }) => group(t(title), setup.fields.filter(({ name }) => names.includes(name)))),
    model.element,
    group(t("More"), setup.fields.filter(({ name }) => !grouped.has(name))),
    h("p", { className: "pg-quiet" }, t("Your text stays as it is.")), resetAll);
  root.classList.add("pg-settings");
  root.append(form);

  /** @type {{ draft: Draft, models: any } | null} */
  let seen = null;

  function paint(force = false) {
    const { draft, models } = store.state;
    if (!force && seen?.draft === draft && seen.models === models) return;
    seen = { draft, models };
    for (const { field, control } of controls) {
      control.paint(draft[field.name] ?? field.default, setup.draft[field.name] ?? field.default, force);
    }
    knobs.paint(force);
    model.paint();
  }

  paint();
  return { paint: () => paint() };
}

/** @param {string} title @param {...(Node | false)} children */
const settingGroup = (title, ...children) => h("fieldset", { className: "pg-setting-group" }, h("legend", {}, title), ...children);

/**
 * Returns the widget of a field.
 * @param {Field} field @param {string} id @param {(value: any) => void} put called with each allowed value
 * @returns {Control}
 */
function settingControl(field, id, put) {
  if (field.kind === "bool") return switchControl(field, id, put);
  if (field.kind === "choice") return choiceControl(field, id, put);
  return field.kind === "words" ? wordsControl(field, id, put) : numberControl(field, id, put);
}

/** Returns the button that sets a field back, hidden while it is at its start value. @param {Field} field @param {() => void} back */
function settingReset(field, back) {
  const button = h("button", { type: "button", className: "pg-reset", onclick: back }, t("default"));
  /** @param {boolean} same @param {any} first */
  const paint = (same, first) => {
    const value = first === true ? t("on") : first === false ? t("off") : Array.isArray(first) ? first.join(", ") || t("none") : field.kind === "choice" ? told(first) : String(first);
    const name = t("{label}: back to the default, {value}", { label: told(field.label), value });
    if (button.title !== name) {
      button.title = name;
      button.setAttribute("aria-label", name);
    }
    button.classList.toggle("pg-at-start", same);
    button.disabled = same;
  };
  return { button, paint };
}

/** @param {Field} field @param {string} id */
const settingHelp = (field, id) => field.help && h("p", { className: "pg-quiet pg-help", id: `${id}-help` }, told(field.help));

/** @param {Field} field @param {string} id @param {(value: number) => void} put @returns {Control} */
function numberControl(field, id, put) {
  const box = numberBox(field, id, put);
  box.number.setAttribute("aria-describedby", `${id}-range ${id}-help ${id}-problem`);
  /** @type {any} */
  let first = null;
  const reset = settingReset(field, () => {
    put(first);
    box.paint(first, true);
    reset.paint(true, first);
    box.number.focus();
  });
  const range = h("span", { className: "pg-quiet pg-range", id: `${id}-range` }, rangeOf(field));
  const element = h("div", { className: "pg-setting", dataset: { field: field.name } },
    h("div", { className: "pg-setting-head" }, h("label", { for: id }, told(field.label)), range, reset.button),
    h("div", { className: "pg-setting-row" }, box.slider, box.number),
    box.problem, settingHelp(field, id));
  return {
    element,
    paint(value, start, force) {
      first = start;
      box.paint(value, force);
      reset.paint(sameValue(value, start) && !box.refused(), start);
    },
  };
}

/** @param {Field} field @param {string} id @param {(value: boolean) => void} put @returns {Control} */
function switchControl(field, id, put) {
  const box = h("input", { type: "checkbox", id, "aria-describedby": `${id}-help`, onchange: () => put(box.checked) });
  /** @type {any} */
  let first = null;
  const reset = settingReset(field, () => { put(first); box.focus(); });
  const element = h("div", { className: "pg-setting", dataset: { field: field.name } },
    h("div", { className: "pg-setting-head" }, h("label", { for: id, className: "pg-switch" }, box, told(field.label)), reset.button),
    settingHelp(field, id));
  return {
    element,
    paint(value, start) {
      first = start;
      box.checked = value === true;
      reset.paint(sameValue(value, start), start);
    },
  };
}

/** @param {Field} field @param {string} id @param {(value: string) => void} put @returns {Control} */
function choiceControl(field, id, put) {
  const options = field.options ?? [];
  const few = options.length <= RADIO_OPTIONS;
  /** @type {any} */
  let first = null;
  const reset = settingReset(field, () => { put(first); (few ? radios.find(({ value }) => value === first) : select)?.focus(); });
  const radios = options.map((option) => h("input", { type: "radio", name: id, value: option, onchange: () => put(option) }));
  const select = h("select", { id, "aria-describedby": `${id}-help`, onchange: () => put(select.value) },
    ...options.map((option) => h("option", { value: option }, told(option))));
  const head = few ? h("span", { id: `${id}-label`, className: "pg-label" }, told(field.label)) : h("label", { for: id }, told(field.label));
  const choices = few
    ? h("div", { role: "radiogroup", className: "pg-setting-row", "aria-labelledby": `${id}-label`, "aria-describedby": `${id}-help` },
      ...radios.map((radio) => h("label", { className: "pg-switch" }, radio, told(radio.value))))
    : h("div", { className: "pg-setting-row" }, select);
  const element = h("div", { className: "pg-setting", dataset: { field: field.name } },
    h("div", { className: "pg-setting-head" }, head, reset.button), choices, settingHelp(field, id));
  return {
    element,
    paint(value, start) {
      first = start;
      for (const radio of radios) radio.checked = radio.value === value;
      if (select.value !== value) select.value = value;
      reset.paint(sameValue(value, start), start);
    },
  };
}

/** Returns the words in a list with commas; a word may have spaces inside. @param {string} text */
export const wordsIn = (text) => text.split(/[,\n]/).map((word) => word.trim()).filter(Boolean);

/** @param {Field} field @param {string} id @param {(value: string[]) => void} put @returns {Control} */
function wordsControl(field, id, put) {
  /** @type {any} */
  let first = null;
  /** @type {string[]} */
  let inForce = [];
  const problem = h("p", { className: "pg-problem", id: `${id}-problem`, role: "status" });
  const advice = h("p", { className: "pg-problem", id: `${id}-advice`, role: "status" });
  const box = h("input", {
    type: "text", id, className: "pg-words", placeholder: told(field.placeholder ?? ""), autocomplete: "off", spellcheck: false, dir: "auto",
    "aria-describedby": `${id}-help ${id}-problem ${id}-advice`, oninput: () => typed(), onblur: () => { if (!problem.textContent) show(inForce); },
  });
  const reset = settingReset(field, () => { put(first); show(first); box.focus(); });

  function typed() {
    const words = wordsIn(box.value);
    const why = fieldProblem(field, words);
    problem.textContent = why && inOneLine(t("{label} {problem}.", { label: told(field.label), problem: why }), t("{value} stays in force.", { value: inForce.length ? shortly(inForce.join(", ")) : t("None") }));
    advise(why ? [] : words);
    if (why) return;
    inForce = words;
    put(words);
  }

  /** Says which words will be refused as phrases. @param {string[]} words */
  function advise(words) {
    const spaced = words.find((word) => /\s/.test(word));
    advice.textContent = spaced ? t("{words} has a space inside: put commas between words.", { words: shortly(spaced) }) : "";
  }

  /** @param {string[]} words */
  function show(words) {
    problem.textContent = "";
    advise(words);
    if (!sameValue(wordsIn(box.value), words)) box.value = words.join(", ");
  }

  const element = h("div", { className: "pg-setting", dataset: { field: field.name } },
    h("div", { className: "pg-setting-head" }, h("label", { for: id }, told(field.label)), reset.button),
    box, problem, advice, settingHelp({ ...field, help: [told(field.help), t("commas between them")].filter(Boolean).join(t("; ")) }, id));
  return {
    element,
    paint(value, start, force) {
      first = start;
      const words = Array.isArray(value) ? value : wordsIn(String(value ?? ""));
      const changed = !sameValue(words, inForce);
      inForce = words;
      if (force || (changed && document.activeElement !== box)) show(words);
      reset.paint(sameValue(words, start) && !problem.textContent, start);
    },
  };
}

/** The knobs of the chosen order, and its named settings. @param {Setup} setup @param {Store} store */
function createKnobs(setup, store) {
  const legend = h("legend", {}, "");
  const body = h("div", { className: "pg-knobs" });
  const element = h("fieldset", { className: "pg-setting-group" }, legend, body);
  /** @type {string | null} */
  let drawn = null;
  /** @type {{ knob: Field, control: Control }[]} */
  let controls = [];
  /** @type {ReturnType<typeof createNamedSettings> | null} */
  let named = null;

  /** @param {Strategy | undefined} strategy */
  function build(strategy) {
    controls = (strategy?.knobs ?? []).map((knob) => {
      /** @param {any} value */
      const put = (value) => {
        const { draft } = store.state;
        store.change({ draft: { ...draft, knobs: { ...draft.knobs, [knob.name]: value } } });
      };
      return { knob, control: settingControl(knob, `pg-knob-${strategy?.name}-${knob.name}`, put) };
    });
    legend.textContent = strategy ? t("Knobs of “{order}”", { order: told(strategy.title) }) : t("Knobs");
    named = strategy && Object.keys(strategy.settings).length ? createNamedSettings(strategy, setup, store) : null;
    const none = strategy ? t("This order has no knobs.") : t("This order is not known here; choose another one.");
    body.replaceChildren(...(named ? [named.element] : []), ...(controls.length ? controls.map(({ control }) => control.element) : [h("p", { className: "pg-quiet" }, none)]));
  }

  return {
    element,
    /** @param {boolean} force */
    paint(force) {
      const { draft } = store.state;
      if (drawn !== draft.strategy) build(strategyOf(setup, draft));
      drawn = draft.strategy;
      const start = startKnobs(setup, draft.strategy);
      for (const { knob, control } of controls) control.paint(knobValue(draft, knob), start[knob.name] ?? knob.default, force);
      named?.paint();
    },
  };
}

/**
 * Returns the name of a strategy's setting whose values the knobs have; "" if they have others.
 * @param {Strategy} strategy @param {Draft} draft @param {string} preferred if several have them
 */
export function settingOf(strategy, draft, preferred = "") {
  /** @param {string} name */
  const fits = (name) => strategy.knobs.every((knob) => sameValue(knobValue(draft, knob), strategy.settings[name][knob.name] ?? knob.default));
  const names = Object.keys(strategy.settings);
  return names.includes(preferred) && fits(preferred) ? preferred : names.find(fits) ?? "";
}

/** The list of a strategy's named settings. Those calibrated for the first model are offered for it only. @param {Strategy} strategy @param {Setup} setup @param {Store} store */
function createNamedSettings(strategy, setup, store) {
  const id = `pg-setting-${strategy.name}`;
  const names = Object.keys(strategy.settings);
  let chosen = "";
  const own = h("option", { value: "", disabled: true }, t(OWN_VALUES));
  const options = names.map((name) => h("option", { value: name }, told(name)));
  const select = h("select", { id, "aria-describedby": `${id}-help`, onchange: () => {
    chosen = select.value;
    store.change({ draft: { ...store.state.draft, knobs: { ...strategy.settings[chosen] } } });
  } }, ...options, own);
  const help = h("p", { className: "pg-quiet pg-help", id: `${id}-help` });
  const element = h("div", { className: "pg-setting" }, h("div", { className: "pg-setting-head" }, h("label", { for: id }, t("Values"))), select, help);
  return {
    element,
    paint() {
      const { draft } = store.state;
      const calibrated = draft.model === "";
      options.forEach((option, index) => { option.hidden = option.disabled = index > 0 && !calibrated; });
      const levels = names.slice(1).map(told).join(t(", "));
      help.textContent = !levels ? "" : calibrated ? t("{levels}: calibrated for {model}", { levels, model: setup.model }) : t("{levels} are calibrated for {model} only", { levels, model: setup.model });
      const fitting = settingOf(strategy, draft, chosen);
      own.hidden = fitting !== "" && calibrated;
      select.value = calibrated || fitting === names[0] ? fitting : "";
    },
  };
}

/** Translates what a model is, in "bundled: simple English stories (0.3 GB)". @param {string} label */
function modelLabel(label) {
  const [, name, about, needs = ""] = /^([^:]+): (.*?)( \([^()]*\))?$/.exec(label) ?? [];
  return about === undefined ? told(label) : `${name}: ${told(about)}${needs}`;
}

/** The choice of a model, and how its loading goes. @param {Setup} setup @param {Store} store @param {ModelCalls} calls */
function createModelChoice(setup, store, calls) {
  const status = h("p", { className: "pg-quiet pg-model-status", role: "status" });
  const again = h("button", { type: "button", hidden: true, onclick: () => retry() }, t("Try again"));
  const select = h("select", { id: "pg-set-model", disabled: true, onchange: () => store.change({ draft: { ...store.state.draft, model: select.value } }) },
    h("option", { value: "" }, setup.model));
  const choice = setup.has_models
    ? h("div", { className: "pg-setting" }, h("div", { className: "pg-setting-head" }, h("label", { for: "pg-set-model" }, t("Model"))), select)
    : h("p", {}, setup.model);
  const element = settingGroup(t("Model"), choice, h("div", { className: "pg-model-line" }, status, again));
  element.dataset.group = "model";
  /** @type {string | null} */
  let wanted = null; // the model that is being prepared, or is ready
  let round = 0;
  let whole = false; // whether the list names all models
  let listFault = "", modelFault = "", progress = "";

  function say() {
    const fault = [listFault, modelFault].filter(Boolean).join(" ");
    status.setAttribute("aria-live", fault || !busy ? "polite" : "off"); // the progress would be a flood
    status.textContent = modelFault ? fault : [listFault, progress].filter(Boolean).join(" ");
    status.classList.toggle("pg-failed", fault !== "");
    again.hidden = !fault;
  }
  let busy = false;

  function retry() {
    if (listFault) void list();
    if (modelFault && wanted !== null) void prepare(wanted);
  }

  /** @param {() => Promise<any>} call */
  const answerOf = async (call) => {
    try {
      return (await call()) ?? {};
    } catch {
      return { error: phrase("The server did not answer.") };
    }
  };

  async function list() {
    listFault = "";
    const { models, loading, error } = await answerOf(calls.listModels);
    if (Array.isArray(models)) {
      whole = !loading;
      select.disabled = false;
      select.replaceChildren(...models.map(({ name, label }) => h("option", { value: name }, modelLabel(label))));
      store.change({ models });
      show();
    } else {
      listFault = error ? told(error) : t("The server did not name its models.");
    }
    say();
  }

  /** @param {string} name */
  async function prepare(name) {
    const mine = ++round;
    wanted = name;
    busy = true;
    modelFault = "";
    progress = t("loading…");
    for (;;) {
      say();
      const { ready, text, error } = await answerOf(() => calls.prepareModel(name));
      if (mine !== round) return; // another one was chosen meanwhile
      busy = !ready && !error;
      modelFault = told(error ?? "");
      progress = text ? told(text) : ready ? t("ready") : t("loading…");
      if (!busy) break;
      say();
      await new Promise((resolve) => setTimeout(resolve, MODEL_POLL));
      if (mine !== round) return;
    }
    say();
    if (setup.has_models && !modelFault && !whole && !listFault) void list();
  }

  function show() {
    const { model } = store.state.draft;
    if (![...select.options].some(({ value }) => value === model)) select.append(h("option", { value: model }, model || setup.model));
    if (select.value !== model) select.value = model;
  }

  if (setup.has_models) void list();
  void prepare(store.state.draft.model);

  return {
    element,
    paint() {
      show();
      const { model } = store.state.draft;
      if (wanted !== model) void prepare(model);
    },
  };
}
