// One HTML file that replays a run without a server; app/export/web_page.py makes the same from the command line.

import { pageLanguage } from "./language.js";

/** @import { Replay } from "./types.d.ts" */

const PAGE_FILE_TITLE = "<title>Infilling replay</title>";
const PAGE_FILE_LONGEST = 60; // characters of a title

/** Returns JSON that no text in it can break out of. @param {unknown} value */
export const escapeJson = (value) => JSON.stringify(value)
  .replace(/</g, "\\u003c").replace(/\u2028/g, "\\u2028").replace(/\u2029/g, "\\u2029");

/** Returns the beginning of a run's text, escaped for HTML. @param {{ text?: string }} replay */
export function pageTitleOf(replay) {
  const characters = [...String(replay.text ?? "").replace(/[ \t\r\n]+/g, " ").replace(/^ +| +$/g, "")];
  const short = characters.length > PAGE_FILE_LONGEST ? `${characters.slice(0, PAGE_FILE_LONGEST).join("")}…` : characters.join("");
  return short.replace(/[\ud800-\udfff]/gu, "\ufffd")
    .replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;") || "Infilling replay";
}

/**
 * Returns the HTML file of a replay, with the table of the page's language. `shell` is the file's text before and after the JSON, which the server gives.
 * @param {Replay} replay @param {[string, string]} shell
 */
export function webPageOf(replay, [before, after]) {
  const title = `<title>${pageTitleOf(replay)}</title>`;
  const language = pageLanguage();
  if (language.code === "en") return before.replace(PAGE_FILE_TITLE, () => title) + escapeJson(replay) + after;
  const head = before.replace(PAGE_FILE_TITLE, () => title).replace('<html lang="en">', `<html lang="${language.code}">`);
  return head + escapeJson({ ...replay, language }) + after;
}
