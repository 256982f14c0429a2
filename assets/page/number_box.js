// A box for a number with a slider beside it. A number that is not allowed stays in the box, with a message, and is not used.

import { h } from "./dom.js";
import { fieldProblem } from "./fields.js";
import { inOneLine, t, told } from "./language.js";
/** @import { Field } from "./types.d.ts" */

const SLIDER_VALUES = 2000; // a slider with more cannot be set by hand

/** Returns the ends and the step of a field's slider; null if it should have none. @param {Field} field */
export function sliderOf(field) {
  const [low, high] = field.slider ?? [field.low, field.high];
  if (low === undefined || high === undefined) return null;
  const step = field.step ?? (field.kind === "int" ? 1 : 10 ** Math.floor(Math.log10((high - low) / 50)));
  if (!(step > 0) || (high - low) / step > SLIDER_VALUES) return null;
  return { low: field.above_low && low === field.low ? low + step : low, high, step };
}

/**
 * Builds the box, the slider and the message; the caller places them and calls `paint` with the value in force.
 * @param {Field} field @param {string} id of the box @param {(value: number) => void} put called with each allowed number
 */
export function numberBox(field, id, put) {
  /** @type {number | null} */
  let shown = null; // the value in force that the box agrees with
  /** @type {number | null} */
  let latest = null; // the value in force
  let late = false; // it has changed while the box had the focus
  const problem = h("p", { className: "pg-problem", id: `${id}-problem`, role: "status" });
  const number = h("input", {
    type: "number", id, className: "pg-box", step: field.step ?? (field.kind === "int" ? 1 : "any"), inputMode: field.kind === "int" ? "numeric" : "decimal",
    autocomplete: "off", "aria-describedby": `${id}-problem`,
    min: field.low === undefined ? null : String(field.low), max: field.high === undefined ? null : String(field.high),
    oninput: () => typed(), onblur: () => { if (late && latest !== null) paint(latest, true); },
  });
  const ends = sliderOf(field);
  const slider = ends && h("input", {
    type: "range", className: "pg-slider", "aria-label": t("{label}, slider", { label: told(field.label) }), min: String(ends.low), max: String(ends.high), step: String(ends.step),
    oninput: () => slid(),
  });
  /** @param {string} text */
  function complain(text) {
    if (problem.textContent !== text) problem.textContent = text;
    number.setAttribute("aria-invalid", String(Boolean(text)));
  }

  function typed() {
    const empty = number.value.trim() === "";
    const value = Number(number.value);
    const why = empty ? (number.validity.badInput ? t("is not a number") : t("is empty")) : fieldProblem(field, value);
    if (why) {
      const stays = latest === null ? "" : t("{value} stays in force.", { value: latest });
      return complain(inOneLine(t("{label} {problem}.", { label: told(field.label), problem: why }), stays));
    }
    use(value);
    if (slider) slider.value = String(value);
  }

  function slid() {
    if (!slider) return;
    const value = Number(slider.value);
    number.value = slider.value;
    use(value);
  }

  /** @param {number} value */
  function use(value) {
    complain("");
    late = false;
    shown = latest = value;
    put(value);
  }

  /**
   * Shows the value in force. What is being typed is left alone, unless `force`.
   * @param {number} value @param {boolean} [force]
   */
  function paint(value, force = false) {
    latest = value;
    if (shown === value && !force) return;
    if (document.activeElement === number && !force) {
      late = true;
      return;
    }
    late = false;
    shown = value;
    number.value = String(value);
    if (slider) slider.value = String(value);
    complain("");
  }

  /** Empties the box, where no number is known. */
  function clear() {
    shown = latest = null;
    late = false;
    if (document.activeElement !== number) number.value = "";
    complain("");
  }

  /** Whether the box holds a number that is not used. */
  const refused = () => problem.textContent !== "";

  return { number, slider, problem, paint, clear, refused };
}
