// The figures of lessons by their kind; each is made from a table and moves by the reader's hand, without the model.

import { createAdaptationFigure } from "./figure_adaptation.js";
import { createDifferencesFigure } from "./figure_differences.js";
import { createForwardFigure } from "./figure_forward.js";
import { createJointFigure } from "./figure_joint.js";
import { createLengthsFigure } from "./figure_lengths.js";
import { createLensFigure } from "./figure_lens.js";
import { createRowsFigure } from "./figure_rows.js";
import { createSamplerFigure } from "./figure_sampler.js";

/** @import { FigureContext, LessonFigure } from "./types.d.ts" */

/** @type {Record<string, (asked: LessonFigure, context: FigureContext) => { element: HTMLElement, paint?: () => void }>} */
const LESSON_FIGURES = {
  adaptation: createAdaptationFigure, differences: createDifferencesFigure, forward: createForwardFigure, joint: createJointFigure,
  lengths: createLengthsFigure, lens: createLensFigure, rows: createRowsFigure, sampler: createSamplerFigure,
};

/** @param {LessonFigure} asked @param {FigureContext} context */
export const lessonFigure = (asked, context) => LESSON_FIGURES[asked.kind](asked, context);
