// The order of a run as a table for a spreadsheet: one row a slot. app/export/order_csv.py writes the same bytes.

import { frameAt, gapOf, NATS } from "./messages.js";
import { historyOf, stateOfSlot } from "./history.js";

/** @import { Run } from "./types.d.ts" */

/**
 * Returns a field in quotes (RFC 4180). A spreadsheet would take a text that begins with =, +, - or @ for a formula, so
 * an apostrophe goes before it. It also goes before a text that begins with an apostrophe: whoever reads the table
 * removes one apostrophe at the beginning and has the text back.
 * @param {string} text
 */
export function csvText(text) {
  const guarded = /^(?: *[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n'])/.test(text) ? `'${text}` : text;
  return `"${guarded.replace(/"/g, '""')}"`;
}

/**
 * Returns the table with a byte order mark, by which spreadsheets know UTF-8. Gaps and positions count from 1. Confidence
 * and entropy (nats) are those of the last write, with the precision of the messages: 1/255 and 1/24.
 * @param {Run} run
 */
export function csvOf(run) {
  const { written, taken } = historyOf(run);
  const frame = frameAt(run, run.latest);
  const rows = written.map((steps, at) => {
    const [gap, within] = gapOf(run.opening?.gaps ?? [written.length], at);
    const step = steps.at(-1);
    const state = stateOfSlot(run, at);
    const kept = state === "written" && step !== undefined ? run.frames[step] : null;
    return [
      gap + 1, within + 1, csvText(frame?.pieces[at] ?? ""), state, kept ? step : "",
      kept ? (kept.confidence[at] / 255).toFixed(3) : "", kept ? (kept.entropy[at] / NATS).toFixed(3) : "", taken[at].length,
    ].join(",");
  });
  return `\ufeff${["gap,position,token,state,step,confidence,entropy,taken_back", ...rows].join("\r\n")}\r\n`;
}
