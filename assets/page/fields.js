// What the declared fields of a request and the knobs of a strategy allow, and with which values the page starts.

import { t, told } from "./language.js";

/** @import { Draft, Field, Setup, Strategy } from "./types.d.ts" */

export const MAX_CHARACTERS = 20_000;
export const MAX_WORDS = 64;

/** Returns whether two values are the same as JSON. @param {any} one @param {any} other */
export const sameValue = (one, other) => one === other || JSON.stringify(one) === JSON.stringify(other);

/** Returns the strategy of a draft. @param {Setup} setup @param {Draft} draft @returns {Strategy | undefined} */
export const strategyOf = (setup, draft) => setup.strategies.find((strategy) => strategy.name === draft.strategy);

/** Returns a knob's value in a draft. @param {Draft} draft @param {Field} knob */
export const knobValue = (draft, knob) => (Object.hasOwn(draft.knobs, knob.name) ? draft.knobs[knob.name] : knob.default);

/** Returns the knobs that the page starts with for a strategy. @param {Setup} setup @param {string} strategy @returns {Record<string, any>} */
export const startKnobs = (setup, strategy) => (strategy === setup.draft.strategy ? { ...setup.draft.knobs } : {});

/** Returns a draft with all start values but its own text. @param {Setup} setup @param {Draft} draft @returns {Draft} */
export const startDraft = (setup, draft) => ({ ...setup.draft, knobs: { ...setup.draft.knobs }, text: draft.text });

/** Returns a label within a sentence: "Top-p" becomes "top-p". @param {string} label */
export const lowered = (label) => (/^[A-Z][^A-Z]/.test(label) ? label[0].toLowerCase() + label.slice(1) : label);

/** Returns the allowed values in words. @param {Field} field */
export function rangeOf(field) {
  if (field.kind === "bool") return t("on or off");
  if (field.kind === "choice") return (field.options ?? []).map(told).join(", ");
  if (field.kind === "words") return t("up to {count} words", { count: MAX_WORDS });
  const { low, high } = field;
  if (low === undefined && high === undefined) return "";
  if (high === undefined) return t("{low} or more", { low: String(low) });
  if (low === undefined) return t("at most {high}", { high });
  return field.above_low ? t("above {low} and at most {high}", { low, high }) : t("{low} to {high}", { low, high });
}

/**
 * Returns why a field cannot have a value, beginning with "must"; "" if it can.
 * @param {Field} field @param {any} value
 */
export function fieldProblem(field, value) {
  if (field.kind === "bool") return typeof value === "boolean" ? "" : t("must be true or false");
  if (field.kind === "choice") return (field.options ?? []).includes(value) ? "" : t("must be one of {range}", { range: rangeOf(field) });
  if (field.kind === "words") return wordsProblem(value);
  const range = rangeOf(field);
  const named = range ? t(field.kind === "int" ? "must be a whole number, {range}" : "must be a number, {range}", { range }) : t(field.kind === "int" ? "must be a whole number" : "must be a number");
  const number = field.kind === "int" ? Number.isInteger(value) : Number.isFinite(value);
  const low = field.low === undefined || (field.above_low ? value > field.low : value >= field.low);
  return number && low && (field.high === undefined || value <= field.high) ? "" : named;
}

/** @param {any} value */
function wordsProblem(value) {
  if (!Array.isArray(value) || !value.every((word) => typeof word === "string" && word)) return t("must be a list of words");
  if (value.length > MAX_WORDS) return t("must be {count} words or fewer", { count: MAX_WORDS });
  return textProblem(value.join(" "));
}

/**
 * Returns why a text cannot be sent, beginning with "must"; "" if it can.
 * @param {any} value
 */
export function textProblem(value) {
  if (typeof value !== "string") return t("must be text");
  if (value.length > MAX_CHARACTERS && [...value].length > MAX_CHARACTERS) return t("must have {count} characters or fewer", { count: MAX_CHARACTERS });
  if (/(?![\n\t])\p{Cc}|\p{Cs}/u.test(value.replace(/\r\n?/g, "\n"))) return t("must not have control characters");
  return "";
}

/** Returns a value in a few words, for a message. @param {any} value */
export function shortly(value) {
  const text = typeof value === "string" ? `“${value}”` : JSON.stringify(value) ?? String(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
