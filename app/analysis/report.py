"""All measures of a run as one table, or as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from app.analysis.calibration import BINS, calibration
from app.analysis.emergence import STAGES, Emergence, by_stage, emergence
from app.analysis.ordering import edges, jumps
from app.analysis.revisions import revisions
from app.analysis.settling import Settling, settling
from app.trace import metrics
from app.trace.trace import Trace
from models.denoiser import Bools, Floats, Ids
from models.terminal import as_text, table

NO_CLASSES = (
    "This run has no word classes. Its model needs classes.json beside its weights, which `python -m app classes "
    "--text FILE --model FOLDER` makes; then run it again."
)

_TITLES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Order": {
        "left_to_right": ("Kendall's tau with reading order", "+.2f"),
        "jump": ("positions from one step's tokens to the next's", ".1f"),
        "adjoining": ("share written next to text", ".2f"),
    },
    "Known and written": {
        "settled": ("known in step, as a share of all steps", ".2f"),
        "written": ("written in step, as a share of all steps", ".2f"),
        "idle": ("idle: steps between knowing and writing", ".1f"),
        "known_at_once": ("share known in step 1", ".2f"),
    },
    "Confidence": {
        "guesses": ("guesses at masked slots", ".0f"),
        "error": ("expected calibration error, ten bins", ".3f"),
    },
    "Independence": {
        "risk": ("nats risked by writing tokens together", ".2f"),
        "worst": ("most in one step", ".2f"),
    },
    "Revisions": {
        "remasked": ("times that a token was masked again", ".0f"),
        "taken_back": ("tokens taken back", ".0f"),
        "replaced": ("of these, replaced by others", ".0f"),
        "changes": ("changes of a slot's best guess before it was written", ".1f"),
    },
    "Text": {
        "distinct_1": ("distinct tokens", ".2f"),
        "distinct_2": ("distinct pairs of tokens", ".2f"),
        "repeated_3": ("share of 3-grams that occurred before", ".2f"),
        "entropy_2": ("entropy of pairs of tokens, nats", ".2f"),
    },
    "Word classes": {
        "class_settled": ("class known in step, as a share of all steps", ".2f"),
        "settled": ("token known in step, as a share of all steps", ".2f"),
        "settled_content": ("the same, content words", ".2f"),
        "settled_function": ("the same, function words and marks", ".2f"),
    },
}
"""Title and format of each number, by section."""


def measure(trace: Trace) -> dict[str, Any]:
    """Return all measures of a run, by section; NaN for what it gives no number for.

    Besides the numbers of the table it has lists: `distance`, `bins` of the calibration, and `stages` of emergence.
    "Word classes" is None if the trace has none.
    """
    found = settling(trace)
    moved, trust, back = jumps(trace, found), calibration(trace, found), revisions(trace, found)
    return {
        "Order": {
            "left_to_right": metrics.left_to_right(trace),
            "jump": moved.mean,
            "adjoining": moved.adjoining,
        },
        "Known and written": {
            "settled": share(found.settled, found),
            "written": share(found.written, found),
            "idle": mean(found.idle),
            "known_at_once": mean(found.settled == 1),
        },
        "Confidence": {"guesses": trust.guesses, "error": trust.error},
        "Independence": {
            "risk": metrics.independence_risk(trace),
            "worst": float(max(metrics.step_risks(trace), default=np.nan)),
        },
        "Revisions": vars(back),
        "Text": _text(trace),
        "Word classes": _classes(emergence(trace)),
        "distance": [vars(edge) for edge in edges(trace, found)],
        "bins": [
            {"from": place / BINS, "guesses": int(count), "confidence": float(sure), "right": float(right)}
            for place, (count, sure, right) in enumerate(zip(trust.counts, trust.confidence, trust.right, strict=True))
        ],
    }


def _text(trace: Trace) -> dict[str, float]:
    """Return what can be said of the gaps' tokens; n-grams never go from one gap to another, nor over a mask."""
    canvas = trace.canvas
    gaps = [canvas.ids[gap.start : gap.stop].tolist() for gap in canvas.gaps if not canvas.masked[gap].any()]
    if not gaps:
        return dict.fromkeys(_TITLES["Text"], math.nan)
    return {
        "distinct_1": metrics.distinct(gaps, 1),
        "distinct_2": metrics.distinct(gaps, 2),
        "repeated_3": metrics.repetition(gaps, 3),
        "entropy_2": metrics.ngram_nats(gaps, 2),
    }


def _classes(found: Emergence | None) -> dict[str, Any] | None:
    if found is None:
        return None
    known = found.settling
    columns = {
        "class_entropy": found.class_entropy,
        "class_given": found.class_given,
        "right_class": found.right_class,
        "right_token": found.right_token,
    }
    means = {name: by_stage(cells, found.progress) for name, cells in columns.items()}
    return {
        "class_settled": share(found.class_settled, known),
        "settled": share(known.settled, known),
        "settled_content": share(known.settled, known, found.content),
        "settled_function": share(known.settled, known, ~found.content),
        "stages": [
            {"stage": stage.name} | {name: float(values[place]) for name, values in means.items()}
            for place, stage in enumerate(STAGES)
        ],
    }


def share(steps: Ids, found: Settling, some: Bools | None = None) -> float:
    """Return the mean of steps [n] as a share of all steps, over some of the tokens; NaN without any."""
    return mean(steps if some is None else steps[some]) / max(1, found.steps)


def mean(values: Floats | Ids | Bools) -> float:
    """Return the mean; NaN of nothing."""
    return float(values.mean()) if len(values) else math.nan


def as_table(measures: Mapping[str, Any]) -> str:
    """Return the measures as tables: the numbers by section, then the lists."""
    parts = []
    for section, titles in _TITLES.items():
        numbers = measures[section]
        if numbers is None:
            parts.append(f"{section}\n{NO_CLASSES}")
            continue
        rows = [(title, as_text(numbers[name], form)) for name, (title, form) in titles.items()]
        parts.append(f"{section}\n{table(rows)}")
        if section == "Confidence":
            parts[-1] += "\n" + _lines(
                measures["bins"], {"from": ".1f", "guesses": "d", "confidence": ".2f", "right": ".2f"}
            )
        if section == "Known and written" and measures["distance"]:
            parts[-1] += "\n" + _lines(
                measures["distance"], {"distance": "d", "tokens": "d", "settled": ".2f", "written": ".2f"}
            )
        if section == "Word classes":
            forms = {
                "stage": "",
                **dict.fromkeys(("class_entropy", "class_given", "right_class", "right_token"), ".2f"),
            }
            parts[-1] += "\n" + _lines(numbers["stages"], forms)
    return "\n\n".join(parts)


def _lines(rows: list[dict[str, Any]], forms: Mapping[str, str]) -> str:
    cells = [[as_text(row[name], form) if form else str(row[name]) for name, form in forms.items()] for row in rows]
    return table(cells, header=[name.replace("_", " ") for name in forms])
