// The language of the page: an English sentence is its own key in the table of every other language.

/** @import { Language } from "./types.d.ts" */

/** @type {Language} */
const ENGLISH = { code: "en", name: "English", messages: {} };
const HOLE = /\{(\w+)(?::(\w+))?\}/g;
const NUMBER = /^-?[\d.,]+(?:e-?\d+)?$/;
const MOST_TRIES = 8; // places at which a value may end
const CHOICE = "infilling-playground-language"; // in the browser's storage

let spokenLanguage = ENGLISH;
/** @type {Sentence[] | null} */
let sentences = null; // of the table, once one is needed

/** @typedef {{ key: string, literals: string[], holes: string[], kinds: Record<string, string>, size: number }} Sentence */

/** The page speaks this language from now on; null is English. @param {Language | null} language */
export function speak(language) {
  spokenLanguage = language ?? ENGLISH;
  sentences = null;
}

/** Returns the language that the page speaks. */
export const pageLanguage = () => spokenLanguage;

/**
 * Returns a sentence in the language of the page; what the table lacks stays English. `{name}` is a place for a value,
 * which is inserted as it is.
 * @param {string} text English, a literal, so that a test can find it @param {Record<string, string | number>} [values]
 */
export const t = (text, values = {}) => filledIn(entry(text) ?? text, values);

/** Marks a literal of the table that is translated later, where it is shown. @param {string} text */
export const phrase = (text) => text;

/**
 * Returns a sentence that comes whole from Python, such as an error, in the language of the page. If the table has no
 * such sentence, it is compared with those that have places for values, the one with the most words first.
 * @param {string} text
 */
export const told = (text) => lookUp(text) ?? text;

/** Returns the verdict on a run, whose clauses are translated one by one. @param {string} text */
export function toldClauses(text) {
  if (spokenLanguage === ENGLISH || !text) return text;
  const ending = text.endsWith(".") ? "." : "";
  return lookUp(text) ?? text.slice(0, text.length - ending.length).split("; ").map(told).join(t("; ")) + (ending && t("."));
}

/** Joins sentences; empty ones are left out. @param {...string} parts */
export const inOneLine = (...parts) => parts.filter(Boolean).join(t(" "));

/** @param {string} text @returns {string | undefined} */
function lookUp(text) {
  const same = entry(text);
  if (same !== undefined) return same;
  sentences ??= sentencesOf(spokenLanguage.messages);
  for (const sentence of sentences) {
    const values = valuesIn(sentence, text);
    if (values) return filledIn(spokenLanguage.messages[sentence.key], values);
  }
  return undefined;
}

/** @param {string} text */
const entry = (text) => (Object.hasOwn(spokenLanguage.messages, text) ? spokenLanguage.messages[text] : undefined);

/** @param {string} text @param {Record<string, string | number>} values */
const filledIn = (text, values) => text.replace(HOLE, (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole));

/**
 * Returns the keys that have words and places for values, split there. A translation may say of a place what stands in
 * it: `{error:told}` is itself looked up, and so is each of `{kinds:list}`; `{count:number}` holds a number only, and
 * `{reason:known}` only what the table knows.
 * @param {Record<string, string>} messages @returns {Sentence[]}
 */
function sentencesOf(messages) {
  return Object.entries(messages)
    .map(([key, translation]) => {
      const parts = key.split(/\{(\w+)\}/); // literal, name, literal, name, … literal
      const literals = parts.filter((_, at) => at % 2 === 0);
      const kinds = Object.fromEntries([...translation.matchAll(HOLE)].map(([, name, kind]) => [name, kind ?? ""]));
      return { key, literals, holes: parts.filter((_, at) => at % 2), kinds, size: literals.join("").length };
    })
    .filter(({ holes, literals }) => holes.length && /[a-z]/i.test(literals.join("")))
    .sort((a, b) => b.size - a.size);
}

/**
 * Returns the values with which a sentence makes this text, or null. Each value ends where the next literal is first
 * found, so that a long quotation is read once; or at a later place, if what stands before the first cannot be the value.
 * @param {Sentence} sentence @param {string} text
 */
function valuesIn({ literals, holes, kinds, size }, text) {
  const first = literals[0];
  const last = literals[literals.length - 1];
  if (text.length < size || !text.startsWith(first) || !text.endsWith(last)) return null;
  const end = text.length - last.length;
  /** @type {Record<string, string>} */
  const values = {};
  let at = first.length;
  for (let hole = 0; hole < holes.length; hole++) {
    const closing = hole === holes.length - 1;
    const literal = closing ? "" : literals[hole + 1];
    let found = closing ? end : text.indexOf(literal, at);
    let value = null;
    for (let tries = 0; tries < MOST_TRIES && found >= at && found + literal.length <= end; tries++) {
      value = valueOf(text.slice(at, found), kinds[holes[hole]]);
      if (value !== null || closing) break;
      found = text.indexOf(literal, found + 1);
    }
    if (value === null) return null;
    values[holes[hole]] = value;
    at = found + literal.length;
  }
  return values;
}

/** Returns what a value becomes, or null if it cannot stand in its place. @param {string} text @param {string} kind */
function valueOf(text, kind) {
  if (kind === "told") return told(text);
  if (kind === "list") return text.split(", ").map(told).join(t(", "));
  if (kind === "known") return text ? lookUp(text) ?? null : "";
  const value = kind === "number" ? entry(text) ?? text : text; // "three", too
  return kind !== "number" || NUMBER.test(value) ? value : null;
}

// ---- which language ----

/**
 * Returns the code of the language to begin with: that of the address, else the one chosen before, else the first of the
 * browser's that there is, else English.
 * @param {{ search: string, chosen: string | null, wanted: readonly string[], offered: { code: string }[] }} from
 */
export function languageFor({ search, chosen, wanted, offered }) {
  const codes = [ENGLISH.code, ...offered.map(({ code }) => code)];
  const asked = [new URLSearchParams(search).get("lang"), chosen, ...wanted];
  for (const each of asked) {
    const code = (each ?? "").toLowerCase();
    const found = codes.find((known) => known.toLowerCase() === code) ?? codes.find((known) => known.toLowerCase() === code.split("-")[0]);
    if (found) return found;
  }
  return ENGLISH.code;
}

/** Returns the languages other than the page's. @param {{ code: string, name: string }[]} offered */
export const otherLanguages = (offered) => [ENGLISH, ...offered].filter(({ code }) => code !== spokenLanguage.code);

/** Returns the language that was chosen in this browser before; null if there is none. */
export function chosenLanguage() {
  try {
    return localStorage.getItem(CHOICE);
  } catch {
    return null; // forbidden by the visitor
  }
}

/** Loads the page again in another language. The session keeps the text and the runs. @param {string} code */
export function switchLanguage(code) {
  const address = new URL(location.href);
  address.searchParams.delete("lang");
  try {
    localStorage.setItem(CHOICE, code);
  } catch {
    address.searchParams.set("lang", code);
  }
  address.hash = ""; // a link has made its runs
  history.replaceState(null, "", address);
  location.reload();
}
