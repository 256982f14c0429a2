// A link that holds what a visitor has set up, packed into the URL's fragment, and the careful way back.

import { fieldProblem, sameValue, shortly, startKnobs, textProblem } from "./fields.js";
import { t, told } from "./language.js";
/** @import { Asked, Draft, Setup } from "./types.d.ts" */

/** @typedef {{ draft: Draft, by: Asked["by"] }} LinkRun one run of a comparison */
/**
 * @typedef {object} Linked what a link holds
 * @property {boolean} given whether there was a link of this page, readable or not
 * @property {Draft} draft
 * @property {Asked["by"]} by
 * @property {number} step
 * @property {LinkRun[]} compare up to four runs, none without a comparison
 * @property {string[]} trouble what was ignored, a sentence each
 */

const LINK_START = "#v1.";
const LINK_BYTES = 30_000; // packed
const LINK_UNPACKED = 200_000;
const LINK_DEPTH = 16;
const LINK_RUNS = 4;
const LINK_SENTENCES = 8;
/** @type {Asked["by"][]} */
const LINK_BY = ["diffusion", "parent", "best of 16"];
const LINK_HIDEABLE = ["settings", "model", "examples", "tray", "compare", "map", "why", "share", "figures"];

/**
 * Returns the fragment of a link, with "#". Only what differs from the start values is in it, and the text. Raises an
 * Error in plain words if that is too long for a link.
 * @param {{ setup: Setup, draft: Draft, by?: Asked["by"], step?: number, runs?: LinkRun[] }} state
 */
export async function encodeLink({ setup, draft, by = "diffusion", step = 0, runs = [] }) {
  /** @param {LinkRun} run */
  const packed = (run) => ({ draft: draftToKeep(run.draft, setup), ...(run.by !== "diffusion" && { by: run.by }) });
  const kept = { ...packed({ draft, by }), ...(step && { step }), ...(runs.length && { compare: runs.slice(0, LINK_RUNS).map(packed) }) };
  const json = new TextEncoder().encode(JSON.stringify(kept));
  const stream = new Blob([json]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  if (json.length > LINK_UNPACKED || bytes.length > LINK_BYTES) throw new Error(t("This is too long for a link. Keep the trace as a file instead."));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return LINK_START + btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** Returns a draft's text, and what differs from the start values. @param {Draft} draft @param {Setup} setup */
function draftToKeep(draft, setup) {
  /** @type {Draft} */
  const start = { ...setup.draft, knobs: startKnobs(setup, draft.strategy) };
  return Object.fromEntries(Object.entries(draft).filter(([name, value]) => name === "text" || !sameValue(value, start[name])));
}

/**
 * Reads the fragment of a link. What is not allowed is ignored and named in `trouble`; this never throws.
 * @param {string} fragment @param {Setup} setup @returns {Promise<Linked>}
 */
export async function decodeLink(fragment, setup) {
  /** @type {Linked} */
  const linked = { given: false, draft: startOfLink(setup), by: "diffusion", step: 0, compare: [], trouble: [] };
  const version = /^#?v(\d+)\./.exec(fragment.slice(0, 64));
  if (!version) return linked;
  linked.given = true;
  if (version[1] !== "1") {
    linked.trouble.push(t("The link was made by another version of this page, so nothing of it was used."));
    return linked;
  }
  let found;
  try {
    found = JSON.parse(await unpackLink(fragment.slice(version[0].length)));
  } catch (error) {
    linked.trouble.push(error instanceof LinkTooBig ? t("The link is too big, so nothing of it was used.") : t("The link is damaged or incomplete, so nothing of it was used."));
    return linked;
  }
  if (!isRecord(found) || tooDeep(found)) {
    linked.trouble.push(t("The link does not hold what a link of this page holds, so nothing of it was used."));
    return linked;
  }
  readLink(found, linked, setup);
  const more = linked.trouble.length - LINK_SENTENCES;
  if (more > 0) linked.trouble.splice(LINK_SENTENCES, more, t("{count} more settings of the link were left out.", { count: more }));
  return linked;
}

/** @param {Record<string, any>} found @param {Linked} linked @param {Setup} setup */
function readLink(found, linked, setup) {
  const { trouble } = linked;
  Object.assign(linked, readLinkRun(found, setup, trouble));
  if (Object.hasOwn(found, "step")) {
    if (Number.isInteger(found.step) && found.step >= 0 && found.step <= 100_000) linked.step = found.step;
    else trouble.push(t("The link's step, {value}, must be a whole number; the run begins at 0.", { value: shortly(found.step) }));
  }
  if (!Object.hasOwn(found, "compare")) return;
  if (!Array.isArray(found.compare)) {
    trouble.push(t("The link's comparison must be a list of runs; it was left out."));
    return;
  }
  if (found.compare.length > LINK_RUNS) trouble.push(t("The link compares {count} runs; only the first {most} were used.", { count: found.compare.length, most: LINK_RUNS }));
  for (const run of found.compare.slice(0, LINK_RUNS)) {
    if (isRecord(run)) linked.compare.push(readLinkRun(run, setup, trouble));
    else trouble.push(t("A run of the link's comparison was not readable; it was left out."));
  }
}

/** @param {Record<string, any>} found @param {Setup} setup @param {string[]} trouble @returns {LinkRun} */
function readLinkRun(found, setup, trouble) {
  const draft = checkedDraft(Object.hasOwn(found, "draft") ? found.draft : {}, setup, trouble, t("The link's"));
  if (!Object.hasOwn(found, "by")) return { draft, by: "diffusion" };
  if (LINK_BY.includes(found.by)) return { draft, by: found.by };
  trouble.push(t("The link asks for a run by {value}, which this page does not know; diffusion is used.", { value: shortly(found.by) }));
  return { draft, by: "diffusion" };
}

/** @param {Setup} setup @returns {Draft} */
const startOfLink = (setup) => ({ ...setup.draft, knobs: { ...setup.draft.knobs } });

/**
 * Returns a whole draft from the parts of one that came from outside. What is not allowed keeps its start value.
 * @param {any} given @param {Setup} setup @param {string[]} trouble gets a sentence for everything that is ignored
 * @param {string} whose how a sentence begins @returns {Draft}
 */
export function checkedDraft(given, setup, trouble, whose) {
  const draft = startOfLink(setup);
  if (!isRecord(given)) {
    trouble.push(t("{whose} settings were not readable; the page's own are used.", { whose }));
    return draft;
  }
  /** @param {string} what @param {any} value @param {string} problem @param {any} kept */
  const ignore = (what, value, problem, kept) =>
    trouble.push(t("{whose} {what}, {value}, {problem}; {kept} is used.", { whose, what, value: shortly(value), problem, kept: shortly(kept) }));
  for (const [name, value] of Object.entries(given)) {
    const field = setup.fields.find((each) => each.name === name);
    if (field) {
      const problem = fieldProblem(field, value);
      if (problem) ignore(name, value, problem, draft[name]);
      else draft[name] = value;
    } else if (name === "text") {
      const problem = textProblem(value);
      if (problem) trouble.push(t("{whose} text {problem}; the page's own is used.", { whose, problem }));
      else draft.text = value.replace(/\r\n?/g, "\n");
    } else if (name === "steps") {
      const inside = Number.isInteger(value) && value >= 1 && value <= setup.limits.steps;
      if (value === null || inside) draft.steps = value;
      else ignore("steps", value, t("must be a whole number, {range}", { range: t("{low} to {high}", { low: 1, high: setup.limits.steps }) }), draft.steps ?? t("as many as masks"));
    } else if (name === "model") {
      if (typeof value !== "string" || value.length > 200 || textProblem(value)) ignore("model", value, t("must be a name"), setup.model);
      else if (value && !setup.has_models) ignore("model", value, t("is not on this server"), setup.model);
      else draft.model = value;
    } else if (name === "start") {
      if (isRecord(value) || value === null) draft.start = value; // the server checks the rest
      else trouble.push(t("{whose} state to start from was not readable; it was left out.", { whose }));
    } else if (name !== "strategy" && name !== "knobs" && !sameValue(value, draft[name])) {
      trouble.push(t("{whose} setting {name} is not known to this page; it was left out.", { whose, name: shortly(name) }));
    }
  }
  readOrder(given, draft, setup, trouble, whose);
  return draft;
}

/** @param {Record<string, any>} given @param {Draft} draft @param {Setup} setup @param {string[]} trouble @param {string} whose */
function readOrder(given, draft, setup, trouble, whose) {
  const asked = Object.hasOwn(given, "strategy") ? given.strategy : setup.draft.strategy;
  const strategy = setup.strategies.find((each) => each.name === asked);
  if (!strategy) {
    trouble.push(t("{whose} order, {value}, is not known to this page; {kept} is used.", { whose, value: shortly(asked), kept: shortly(setup.draft.strategy) }));
    return;
  }
  draft.strategy = strategy.name;
  draft.knobs = startKnobs(setup, strategy.name);
  if (!Object.hasOwn(given, "knobs")) return;
  if (!isRecord(given.knobs)) {
    trouble.push(t("{whose} knobs were not readable; they were left out.", { whose }));
    return;
  }
  draft.knobs = {};
  for (const [name, value] of Object.entries(given.knobs)) {
    const knob = strategy.knobs.find((each) => each.name === name);
    const problem = knob ? fieldProblem(knob, value) : t("is not a knob of {order}", { order: shortly(told(strategy.title)) });
    if (problem) trouble.push(t("{whose} knob {name}, {value}, {problem}; it was left out.", { whose, name: shortly(name), value: shortly(value), problem }));
    else draft.knobs[name] = value;
  }
}

class LinkTooBig extends Error {}

/** Returns the JSON in a link. A bomb stops as soon as it is too big. @param {string} packed */
async function unpackLink(packed) {
  if (packed.length > (LINK_BYTES * 4) / 3 + 4) throw new LinkTooBig();
  if (!/^[\w-]*$/.test(packed)) throw new Error("not base64url");
  const bytes = Uint8Array.from(atob(packed.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let json = "", size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return json + decoder.decode();
    size += value.length;
    if (size > LINK_UNPACKED) {
      reader.cancel().catch(() => {}); // nobody waits for it
      throw new LinkTooBig();
    }
    json += decoder.decode(value, { stream: true });
  }
}

/** @param {any} value @returns {value is Record<string, any>} */
const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns whether JSON is nested deeper than a link's can be. @param {any} value */
export function tooDeep(value) {
  let level = [value];
  for (let depth = 0; level.length; depth++) {
    if (depth > LINK_DEPTH) return true;
    level = level.flatMap((each) => (typeof each === "object" && each !== null ? Object.values(each) : []));
  }
  return false;
}

/**
 * Returns the parts of the page that a link hides, from `?hide=settings,model`.
 * @param {string} search the URL's query @returns {{ parts: Set<string>, trouble: string[] }}
 */
export function hiddenParts(search) {
  const asked = new URLSearchParams(search).getAll("hide").join(",").split(",").map((name) => name.trim()).filter(Boolean);
  const unknown = [...new Set(asked.filter((name) => !LINK_HIDEABLE.includes(name)))];
  const named = unknown.slice(0, 4).map(shortly).join(", ");
  const trouble = unknown.length ? [t("The address hides {parts}, which this page does not have; its parts are {known}.", { parts: named, known: LINK_HIDEABLE.join(", ") })] : [];
  return { parts: new Set(asked.filter((name) => LINK_HIDEABLE.includes(name))), trouble };
}
