// The texts of lessons: *emphasis*, `code`, [links](https://…) and {facts}; everything else is text.

import { h } from "./dom.js";
import { t } from "./language.js";

const LESSON_MARKS = /\*([^*]+)\*|`([^`]+)`|\[([^\]]+)\]\((https:\/\/[^\s)]+|\?[\w=.&,-]+|#[\w-]+)\)|\{(\w+)\}/g;

/**
 * Returns a paragraph. A fact is put in as text, whatever it holds.
 * @param {string} text English @param {Record<string, string>} facts
 */
export const lessonText = (text, facts) => h("p", {}, ...lessonNodes(t(text), facts));

/** @param {string} text @param {Record<string, string>} facts @returns {(string | Node)[]} */
export function lessonNodes(text, facts) {
  /** @type {(string | Node)[]} */
  const nodes = [];
  let from = 0;
  for (const mark of text.matchAll(LESSON_MARKS)) {
    nodes.push(text.slice(from, mark.index));
    from = mark.index + mark[0].length;
    const [whole, strong, code, label, address, fact] = mark;
    if (strong) nodes.push(h("em", {}, ...lessonNodes(strong, facts)));
    else if (code) nodes.push(h("code", {}, code));
    else if (label) nodes.push(h("a", { href: address, ...(address.startsWith("https:") && { target: "_blank", rel: "noreferrer" }) }, label));
    else nodes.push(Object.hasOwn(facts, fact) ? facts[fact] : whole);
  }
  nodes.push(text.slice(from));
  return nodes.filter((node) => node !== "");
}
