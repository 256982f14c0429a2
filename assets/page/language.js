// The language of the page: an English sentence is its own key in the table of every other language.

/** @import { Language } from "./types.d.ts" */

/** @type {Language} */
const ENGLISH = { code: "en", name: "English", messages: {} };
const HOLE = /\{(\w+)\}/g;

let spokenLanguage = ENGLISH;
/** @type {Sentence[] | null} */
let sentences = null; // of the table, once one is needed

/** @typedef {{ key: string, literals: string[], holes: string[], size: number }} Sentence */

/** The page speaks this language from now on; null is English. @param {Language | null} language */
export function speak(language) {
  spokenLanguage = language ?? ENGLISH;
  sentences = null;
}

/** Returns the code of the language that the page speaks, such as "zh". */
export const languageCode = () => spokenLanguage.code;

/**
 * Returns a sentence in the language of the page; what the table lacks stays English. `{name}` is a place for a value,
 * which is inserted as it is.
 * @param {string} text English, a literal, so that a test can find it @param {Record<string, string | number>} [values]
 */
export const t = (text, values = {}) => filledIn(entry(text) ?? text, values);

/**
 * Returns a sentence that comes whole from Python, such as an error, in the language of the page. If the table has no
 * such sentence, it is compared with those that have places for values, the one with the most words first.
 * @param {string} text
 */
export function told(text) {
  const same = entry(text);
  if (same !== undefined) return same;
  sentences ??= sentencesOf(spokenLanguage.messages);
  for (const sentence of sentences) {
    const values = valuesIn(sentence, text);
    if (values) return filledIn(spokenLanguage.messages[sentence.key], values);
  }
  return text;
}

/** @param {string} text */
const entry = (text) => (Object.hasOwn(spokenLanguage.messages, text) ? spokenLanguage.messages[text] : undefined);

/** @param {string} text @param {Record<string, string | number>} values */
const filledIn = (text, values) => text.replace(HOLE, (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole));

/** Returns the keys that have places for values, split there. @param {Record<string, string>} messages @returns {Sentence[]} */
function sentencesOf(messages) {
  return Object.keys(messages)
    .map((key) => {
      const parts = key.split(HOLE); // literal, name, literal, name, … literal
      const literals = parts.filter((_, at) => at % 2 === 0);
      return { key, literals, holes: parts.filter((_, at) => at % 2), size: literals.join("").length };
    })
    .filter(({ holes }) => holes.length)
    .sort((a, b) => b.size - a.size);
}

/**
 * Returns the values with which a sentence makes this text, or null. Each value ends where the next literal is first
 * found, so that a long quotation is read once.
 * @param {Sentence} sentence @param {string} text
 */
function valuesIn({ literals, holes, size }, text) {
  const first = literals[0];
  const last = literals[literals.length - 1];
  if (text.length < size || !text.startsWith(first) || !text.endsWith(last)) return null;
  const end = text.length - last.length;
  /** @type {Record<string, string>} */
  const values = {};
  let at = first.length;
  for (let hole = 0; hole < holes.length; hole++) {
    const closing = hole === holes.length - 1;
    const found = closing ? end : text.indexOf(literals[hole + 1], at);
    if (found < at || found + (closing ? 0 : literals[hole + 1].length) > end) return null;
    values[holes[hole]] = text.slice(at, found);
    at = closing ? end : found + literals[hole + 1].length;
  }
  return values;
}
