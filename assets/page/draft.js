// From what the visitor has set up to a request, and from a run's request back.

import { countMasks, formatTemplate } from "./template.js";
import { requestOf } from "./presets.js";

/** @import { Draft, RequestJson, Run, Setup } from "./types.d.ts" */

/** Returns the passage of a request; runs that were recorded elsewhere may have a prefix and a suffix. @param {RequestJson} request */
export const passageOf = (request) => request.text
  || formatTemplate([{ text: request.prefix }, { gap: { length: request.length, pins: [] } }, { text: request.suffix }]);

/**
 * Returns the draft from which a run's request would come.
 * @param {Setup} setup @param {RequestJson} request @param {string} model @returns {Draft}
 */
export function draftOf(setup, request, model) {
  const text = passageOf(request);
  /** @type {Draft} */
  const draft = { ...setup.draft, text, model, strategy: request.strategy, knobs: { ...request.knobs }, start: request.start ?? null };
  for (const { name } of setup.fields) if (name in request) draft[name] = request[name];
  draft.steps = request.steps === countMasks(text) ? null : request.steps;
  return draft;
}

/**
 * Returns the name under which a run's model is chosen: "" for the first one, and for one that is not offered here.
 * @param {Setup} setup @param {{ name: string }[] | undefined} models those that can be chosen, if known @param {string} model
 */
export const modelName = (setup, models, model) => (model !== setup.model && models?.some((each) => each.name === model) ? model : "");

/**
 * Returns whether a run was made from other inputs than the draft's.
 * @param {Setup} setup @param {Draft} draft @param {Run} run
 */
export function isStale(setup, draft, run) {
  if (!run.opening || !run.begun) return false;
  const made = draftOf(setup, run.opening.request, draft.model);
  return signature(setup, draft) !== signature(setup, made);
}

/** @param {Setup} setup @param {Draft} draft */
function signature(setup, draft) {
  const { knobs, ...rest } = requestOf(setup, draft);
  const strategy = setup.strategies.find((each) => each.name === draft.strategy);
  const defaults = Object.fromEntries((strategy?.knobs ?? []).map((knob) => [knob.name, knob.default]));
  return JSON.stringify(sorted({ ...rest, knobs: { ...defaults, ...knobs } }));
}

/** @param {any} value @returns {any} */
function sorted(value) {
  if (!value || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}
