"""Traces as the small JSON messages that the page's component draws; `assets/denoising_view.js` is the reader.

Every message is idempotent: it says which run and which state it is about and holds all that is needed to paint it, so
that a browser may drop any of them (hidden tabs do). The closing message holds all states.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from app.errors import InfillError
from app.step import Step
from app.trace import Trace
from models.denoiser import Floats, Ids

Message = dict[str, Any]

NATS = 24
"""Entropy travels as one byte: nats times this; 255 is 10.6 nats, the entropy of 40,000 equally likely words."""


def opening(trace: Trace) -> Message:
    """What does not change during a run: the given text, and what was asked for."""
    request = trace.request
    return {
        "before": trace.before,
        "after": trace.after,
        "spaces": request.last_spaces,
        "notices": list(trace.notices),
        "strategy": request.strategy,
        "steps": request.steps,
    }


def live(trace: Trace, run: str) -> Message:
    """The newest state. The one before the first step carries the opening, too."""
    number = len(trace.steps)
    fixed = _Fixed(trace)
    for step in trace.steps:
        fixed.add(step)
    message = {"run": run, "step": number, "ended": trace.ended, **_state(trace, number, fixed)}
    return message if number else {**message, "opening": opening(trace)}


def closing(trace: Trace, run: str) -> Message:
    """The compact trace: the opening and every state, its texts as changes from the state before."""
    states, known, fixed = [], [None] * len(trace.start.span), _Fixed(trace)
    for number in range(len(trace.steps) + 1):
        if number:
            fixed.add(trace.steps[number - 1])
        state = _state(trace, number, fixed)
        pieces = state.pop("pieces")
        state["changes"] = {
            str(place): piece for place, (piece, old) in enumerate(zip(pieces, known, strict=True)) if piece != old
        }
        known = pieces
        states.append(state)
    return {
        "run": run,
        "step": len(trace.steps),
        "ended": trace.ended,
        "opening": opening(trace),
        "length": len(trace.start.span),
        "text": trace.text,
        "states": states,
    }


class _Fixed:
    """For every position, the step that committed it last, and how confident the model was then."""

    def __init__(self, trace: Trace) -> None:
        self.when = np.zeros(len(trace.start), dtype=np.int64)  # [length] 0 while masked
        self.confidence = np.zeros(len(trace.start))  # [length]
        self._steps = 0

    def add(self, step: Step) -> None:
        self._steps += 1
        self.when[step.selection.remask] = 0
        self.when[step.selection.commit] = self._steps
        self.confidence[step.selection.commit] = step.prediction.confidence[step.selection.commit]


def _state(trace: Trace, number: int, fixed: _Fixed) -> Message:
    """State `number`; positions count from the start of the span."""
    message: Message = {"pieces": trace.pieces(number), "nfe": 0, "seconds": 0.0}
    if number == 0:
        return message
    step, span = trace.steps[number - 1], trace.start.span
    confidence = np.where(fixed.when > 0, fixed.confidence, step.prediction.confidence)
    asked = span[np.isin(fixed.when[span], (0, number))]  # what was masked before the step
    if len(step.selection.remask):
        message["remask"] = (step.selection.remask - span[0]).tolist()
    return message | {
        "nfe": step.nfe,
        "seconds": round(step.seconds, 3),
        "when": _bytes(fixed.when[span], 1),
        "confidence": _bytes(confidence[span], 255),
        "entropy": _bytes(step.prediction.entropy[asked], NATS),
        "notes": {name: _short(value) for name, value in step.selection.notes.items() if math.isfinite(value)},
    }


def _short(value: float) -> float:
    return int(value) if value == int(value) else round(float(value), 3)


def _bytes(values: Floats | Ids, scale: float) -> str:
    """One byte a value, in base64."""
    return base64.b64encode(np.clip(np.nan_to_num(values) * scale, 0, 255).round().astype(np.uint8).tobytes()).decode()


def candidates(trace: Trace, number: object) -> list[list[list[Any]]]:
    """[n][up to 5] of [text, probability]: the belief of step `number` (from 1); [] where nothing was asked.

    Raises InfillError where the run has no such step.
    """
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= len(trace.steps):
        raise InfillError(f"the run has no step {number!r}")
    prediction = trace.steps[number - 1].prediction
    return [
        [
            [_named(trace.lexicon.get(int(token), b"")), round(float(probability), 4)]
            for token, probability in zip(prediction.top_tokens[i], prediction.top_probs[i], strict=True)
            if token >= 0
        ]
        for i in trace.start.span
    ]


def _named(token: bytes) -> str:
    """A token's text; bytes that are only part of a character by their numbers."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "<" + token.hex(" ").upper() + ">"
