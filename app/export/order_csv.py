"""The order of a run as a table for a spreadsheet: one row a slot. assets/page/csv.js writes the same bytes."""

from __future__ import annotations

import re

import numpy as np

from app.trace.messages import NATS, build_opening
from app.trace.trace import Trace

_FORMULA = re.compile("(?: *[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n'])")
_COLUMNS = ("gap", "position", "token", "state", "step", "confidence", "entropy", "taken_back")


def csv_of(trace: Trace) -> str:
    """Return the table (RFC 4180) with a byte order mark, by which spreadsheets know UTF-8.

    Gaps and positions count from 1. `state` is written, masked, pinned or inherited (from the run that this one was
    branched from). Confidence and entropy (nats) are those of the step that wrote the token last, with the precision of
    the page's messages, 1/255 and 1/24.
    """
    start, last = trace.start, trace.pieces(len(trace.steps))
    inherited = build_opening(trace).get("inherited", [])
    written: dict[int, int] = {}  # slot -> last step that wrote it, from 1
    taken = [0] * len(start.slots)
    for number, step in enumerate(trace.steps, start=1):
        for place in start.places(step.selection.remask):
            taken[place] += 1
            written.pop(place, None)
        for place in start.places(step.selection.commit):
            written[place] = number
    rows = [",".join(_COLUMNS)]
    slot = 0
    for gap, positions in enumerate(start.gaps, start=1):
        for place, position in enumerate(positions, start=1):
            number, piece = written.get(slot), last[slot]
            state = "masked" if piece is None else "inherited" if slot in inherited else "pinned"
            values = ["", "", ""]
            if number is not None:
                prediction = trace.steps[number - 1].prediction
                confidence = _byte(float(prediction.confidence[position]), 255) / 255
                entropy = _byte(float(prediction.entropy[position]), NATS) / NATS
                state, values = "written", [str(number), f"{confidence:.3f}", f"{entropy:.3f}"]
            rows.append(",".join([str(gap), str(place), csv_text(piece or ""), state, *values, str(taken[slot])]))
            slot += 1
    return "\ufeff" + "".join(row + "\r\n" for row in rows)


def csv_text(text: str) -> str:
    """Return a field in quotes.

    A spreadsheet would take a text that begins with =, +, - or @ for a formula, so an apostrophe goes before it. It
    also goes before a text that begins with an apostrophe: whoever reads the table removes one apostrophe at the
    beginning and has the text back.
    """
    guarded = f"'{text}" if _FORMULA.match(text) else text
    return '"' + guarded.replace('"', '""') + '"'


def _byte(value: float, scale: float) -> int:
    """Return what a message holds of a value: the value times `scale` in a byte."""
    return int(np.clip(np.nan_to_num(value) * scale, 0, 255).round())
