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
from app.trace.trace import Commits, Trace
from models.denoiser import Floats, Ids
from models.prediction import TOP

Message = dict[str, Any]

NATS = 24
"""Entropy travels as one byte: nats times this; 255 is 10.6 nats, the entropy of 40,000 equally likely words."""


def build_opening(trace: Trace) -> Message:
    """What does not change during a run: the given text around the gaps, and what was asked for."""
    request = trace.request
    return {
        "given": list(trace.given),
        "spaces": list(request.spaces),
        "gaps": [len(gap) for gap in trace.start.gaps],
        "notices": [*trace.notices, *(choice.describe(gap) for gap, choice in trace.choices.items())],
        "strategy": request.strategy,
        "steps": request.steps,
    }


def build_live(trace: Trace, run: str) -> Message:
    """The newest state. The one before the first step carries the opening, too."""
    number = len(trace.steps)
    message = {"run": run, "step": number, "ended": trace.ended, **_state(trace, number, trace.commits())}
    return message if number else {**message, "opening": build_opening(trace)}


def build_closing(trace: Trace, run: str) -> Message:
    """The compact trace: the opening and every state, its texts as changes from the state before."""
    states, known, commits = [], [None] * len(trace.start.slots), Commits(len(trace.start))
    for number in range(len(trace.steps) + 1):
        if number:
            commits.add(trace.steps[number - 1])
        state = _state(trace, number, commits)
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
        "opening": build_opening(trace),
        "length": len(trace.start.slots),
        "text": trace.text,
        "states": states,
    }


def _state(trace: Trace, number: int, commits: Commits) -> Message:
    """State `number`; positions are slots, counted from 0. A piece that no step committed is pinned."""
    message: Message = {"pieces": trace.pieces(number), "nfe": 0, "calls": 0, "seconds": 0.0}
    if number == 0:
        return message
    step, slots = trace.steps[number - 1], trace.start.slots
    editable = trace.start.span
    confidence = np.where(commits.when > 0, commits.confidence, step.prediction.confidence)
    asked = editable[np.isin(commits.when[editable], (0, number))]  # what was masked before the step
    if len(step.selection.remask):
        message["remask"] = trace.start.places(step.selection.remask)
    return message | {
        "nfe": step.nfe,
        "calls": step.calls,
        "seconds": round(step.seconds, 3),
        "when": _bytes(commits.when[slots], 1),
        "confidence": _bytes(confidence[slots], 255),
        "entropy": _bytes(step.prediction.entropy[asked], NATS),
        "notes": {name: _short(value) for name, value in step.selection.notes.items() if math.isfinite(value)},
    }


def _short(value: float) -> float:
    return int(value) if value == int(value) else round(float(value), 3)


def _bytes(values: Floats | Ids, scale: float) -> str:
    """One byte a value, in base64."""
    return base64.b64encode(np.clip(np.nan_to_num(values) * scale, 0, 255).round().astype(np.uint8).tobytes()).decode()


def list_candidates(trace: Trace, number: object) -> list[list[list[Any]]]:
    """[n][up to 5] of [text, probability]: the belief of step `number` (from 1); [] where nothing was asked.

    Raises InfillError where the run has no such step.
    """
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= len(trace.steps):
        raise InfillError(f"the run has no step {number!r}")
    prediction = trace.steps[number - 1].prediction
    return [
        [
            [_named(trace.lexicon.get(int(token), b"")), round(float(probability), 4)]
            for token, probability in zip(prediction.top_tokens[i, :TOP], prediction.top_probs[i, :TOP], strict=True)
            if token >= 0
        ]
        for i in trace.start.slots
    ]


def _named(token: bytes) -> str:
    """A token's text; bytes that are only part of a character by their numbers."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "<" + token.hex(" ").upper() + ">"
