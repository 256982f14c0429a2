// Reads and writes texts with gaps, such as "Tom went to the [[3]].", by the rules of app/sampling/template.py.

import { t } from "./language.js";

/** @typedef {{ place: number, words: string }} Pin words that must stand in a gap, from one of its tokens (from 1) on */
/** @typedef {{ length: number | null, pins: Pin[] }} Gap a length of null is chosen by the model */
/** @typedef {{ text: string } | { gap: Gap }} Segment */
/** @typedef {{ error: string, at: number }} TemplateFault what is wrong, and the index in the string where */

export const MAX_GAP = 128;
export const MAX_GAPS = 16;
const AUTO = "auto";
// White space as Python counts it; \s of JavaScript has U+FEFF besides and lacks U+001C to U+001F and U+0085.
const PYTHON_SPACE = "[\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";

/** @param {string} text */
const pythonStrip = (text) => text.replace(new RegExp(`^${PYTHON_SPACE}+`), "").replace(new RegExp(`${PYTHON_SPACE}+$`), "");

/** Returns the place of an index in a text as Python counts it: from 1, in code points. @param {string} text @param {number} index */
const characterAt = (text, index) => [...text.slice(0, index)].length + 1;

class TemplateError extends Error {
  /** @param {string} message @param {number} at */
  constructor(message, at) {
    super(message);
    this.at = at;
  }
}

/**
 * Reads a template into texts and gaps. Empty texts are left out, so that "" has no segments. A text without gaps is
 * no fault here, and neither are too many gaps: `checkTemplate` asks for both.
 * @param {string} text @returns {Segment[] | TemplateFault}
 */
export function parseTemplate(text) {
  try {
    return readTemplate(text);
  } catch (fault) {
    if (fault instanceof TemplateError) return { error: fault.message, at: fault.at };
    throw fault;
  }
}

/**
 * Returns why a text cannot be filled, in the words of the server; null if it can.
 * @param {string} text @returns {TemplateFault | null}
 */
export function checkTemplate(text) {
  const segments = parseTemplate(text);
  if ("error" in segments) return segments;
  const gaps = segments.filter((segment) => "gap" in segment).length;
  if (!gaps) return { error: t("the text has no gap: write [[3]] to have 3 tokens filled in"), at: text.length };
  if (gaps > MAX_GAPS) return { error: t("the text has {gaps} gaps; at most {max_gaps} are allowed: fill it in parts", { gaps, max_gaps: MAX_GAPS }), at: 0 };
  return null;
}

/** @param {string} text @returns {Segment[]} */
function readTemplate(text) {
  const opening = /(\\+)\[\[|\[\[(?!\[)/g; // of [[[2]]] the last two brackets open the gap
  /** @type {Segment[]} */
  const segments = [];
  let literal = "", at = 0, gaps = 0;
  for (let found; (found = opening.exec(text)); opening.lastIndex = at) {
    const slashes = found[1]?.length ?? 0;
    literal += text.slice(at, found.index) + "\\".repeat(Math.floor(slashes / 2));
    at = found.index + found[0].length;
    if (slashes % 2) {
      literal += "[[";
      continue;
    }
    const end = text.indexOf("]]", at);
    const place = characterAt(text, at) - 2;
    if (end < 0) {
      throw new TemplateError(t("the gap that opens at character {at} is not closed: write [[3]], or \\[[ for the characters [[", { at: place }), at - 2);
    }
    if (literal) segments.push({ text: literal });
    const inside = text.slice(at, end);
    segments.push({ gap: readGap(inside, t("gap {gaps}, {value} at character {start}", { gaps: ++gaps, value: `'[[${inside}]]'`, start: place }), at - 2) });
    literal = "";
    at = end + 2;
  }
  literal += text.slice(at);
  if (literal) segments.push({ text: literal });
  return segments;
}

/** @param {string} inside @param {string} name @param {number} at @returns {Gap} */
function readGap(inside, name, at) {
  const bar = inside.indexOf("|");
  const count = pythonStrip(bar < 0 ? inside : inside.slice(0, bar));
  if (count !== AUTO && !/^[0-9]{1,6}$/.test(count)) {
    throw new TemplateError(t("{name}: write a number of masks, as in [[3]], or [[auto]]; \\[[ stands for the characters [[", { name }), at);
  }
  const length = count === AUTO ? null : Number(count);
  if (length !== null && (length < 1 || length > MAX_GAP)) {
    throw new TemplateError(t("{name}: a gap must have 1 to {max_length} masks, not {length}", { name, max_length: MAX_GAP, length }), at);
  }
  const between = new RegExp(`,(?=${PYTHON_SPACE}*[0-9]+${PYTHON_SPACE}*:)`);
  const pins = bar < 0 ? [] : inside.slice(bar + 1).split(between).map((each) => readPin(each, name, at));
  pins.forEach((pin, index) => {
    const named = `'${pin.place}:${pythonStrip(pin.words)}'`;
    if (pin.place < 1 || pin.place > (length ?? MAX_GAP)) {
      const last = t("its positions are 1 to {length}", { length: length ?? MAX_GAP });
      throw new TemplateError(t("{name}: {pin} does not fit, because {last}; move it, or make the gap longer", { name, pin: named, last }), at);
    }
    if (pins.slice(0, index).some((other) => other.place === pin.place)) {
      const taken = t("another word is pinned to position {place}", { place: pin.place });
      throw new TemplateError(t("{name}: {pin} does not fit, because {taken}; move one of them", { name, pin: named, taken }), at);
    }
  });
  return { length, pins };
}

/** @param {string} text @param {string} name @param {number} at @returns {Pin} */
function readPin(text, name, at) {
  const found = new RegExp(`^${PYTHON_SPACE}*([0-9]{1,6})${PYTHON_SPACE}*:([^]*)$`).exec(text);
  if (!found || !pythonStrip(found[2])) {
    throw new TemplateError(t("{name}: write positions with words after the |, as in [[8|3:dog, 5:so big]], not {strip}", { name, strip: `'${pythonStrip(text)}'` }), at);
  }
  return { place: Number(found[1]), words: found[2] };
}

/**
 * Writes segments as a template. A backslash, one bracket and a gap in a row cannot be written, so a space is put
 * before that gap, which the model does not see.
 * @param {Segment[]} segments
 */
export function formatTemplate(segments) {
  let written = "", literal = "";
  for (const segment of segments) {
    if ("text" in segment) {
      literal += segment.text;
      continue;
    }
    if (/(?<!\[)\[$/.test(literal) && /\\\[$/.test(literal)) literal += " ";
    written += escapeText(literal).replace(/\\+$/, "$&$&") + formatGap(segment.gap);
    literal = "";
  }
  return written + escapeText(literal);
}

/** @param {Gap} gap */
function formatGap({ length, pins }) {
  const written = pins.map((pin) => `${pin.place}:${pin.words}`).join(", ");
  return `[[${length ?? AUTO}${written && "|"}${written}]]`;
}

/** Returns plain text so that a template with it reads it as text. @param {string} text */
export const escapeText = (text) => text.replace(/(\\*)\[\[/g, "$1$1\\[[");

/**
 * Returns why words cannot be pinned, or "" if they can.
 * @param {string} words
 */
export function pinProblem(words) {
  if (!pythonStrip(words)) return t("write the words to be pinned");
  if (/\]\]|\]$/.test(words)) return t("pinned words cannot contain ]] or end with ]");
  if (new RegExp(`,${PYTHON_SPACE}*[0-9]+${PYTHON_SPACE}*:`).test(words)) return t("pinned words cannot contain a comma, a number and a colon in a row");
  return "";
}

/**
 * Returns how many masks the gaps of a text have, pinned ones included; null if that is not known, because the model
 * chooses a length, or the text has no gap or a malformed one.
 * @param {string} text @returns {number | null}
 */
export function countMasks(text) {
  const segments = parseTemplate(text);
  if ("error" in segments) return null;
  let masks = 0;
  for (const segment of segments) {
    if (!("gap" in segment)) continue;
    if (segment.gap.length === null) return null;
    masks += segment.gap.length;
  }
  return masks || null;
}
