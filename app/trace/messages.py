"""Small JSON messages from which the page's component draws a trace; `assets/denoising_view.js` reads them.

Every message is idempotent: it names its run and its state, and holds all that is needed to paint that state. So a
browser may drop any of them, as hidden tabs do. The closing message holds all states.
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
"""Entropy is sent as one byte, nats times this; 255 is 10.6 nats, the entropy of 40,000 equally likely words."""


def build_opening(trace: Trace) -> Message:
    """Build the part that stays the same during a run: the given text around the gaps, and the request."""
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
    """Build the message of the latest state; the state before the first step also carries the opening."""
    number = len(trace.steps)
    message = {"run": run, "step": number, "ended": trace.ended, **_build_state(trace, number, trace.commits())}
    return message if number else {**message, "opening": build_opening(trace)}


def build_closing(trace: Trace, run: str) -> Message:
    """Build the message of the whole run: the opening, and every state as text changes from the one before."""
    states, known, commits = [], [None] * len(trace.start.slots), Commits(len(trace.start))
    for number in range(len(trace.steps) + 1):
        if number:
            commits.add(trace.steps[number - 1])
        state = _build_state(trace, number, commits)
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


def _build_state(trace: Trace, number: int, commits: Commits) -> Message:
    """Build state `number`; positions are slots, counted from 0. A piece that no step committed is pinned."""
    message: Message = {"pieces": trace.pieces(number), "nfe": 0, "calls": 0, "seconds": 0.0}
    if number == 0:
        return message
    step, slots = trace.steps[number - 1], trace.start.slots
    editable = trace.start.span
    confidence = np.where(commits.when > 0, commits.confidence, step.prediction.confidence)
    asked = editable[np.isin(commits.when[editable], (0, number))]  # positions masked before the step
    if len(step.selection.remask):
        message["remask"] = trace.start.places(step.selection.remask)
    return message | {
        "nfe": step.nfe,
        "calls": step.calls,
        "seconds": round(step.seconds, 3),
        "when": _encode_bytes(commits.when[slots], 1),
        "confidence": _encode_bytes(confidence[slots], 255),
        "entropy": _encode_bytes(step.prediction.entropy[asked], NATS),
        "notes": {name: _shorten(value) for name, value in step.selection.notes.items() if math.isfinite(value)},
    }


def _shorten(value: float) -> float:
    """Return a whole number as an int, others rounded to three decimals."""
    return int(value) if value == int(value) else round(float(value), 3)


def _encode_bytes(values: Floats | Ids, scale: float) -> str:
    """Return one byte per value, value times `scale` clipped to 255, in base64."""
    return base64.b64encode(np.clip(np.nan_to_num(values) * scale, 0, 255).round().astype(np.uint8).tobytes()).decode()


def list_candidates(trace: Trace, number: object) -> list[list[list[Any]]]:
    """Return the candidates of step `number` (from 1) at each slot: [n][up to 5] of [text, probability], surest first.

    A slot about which the model was not asked has []. Raises InfillError if the run has no such step.
    """
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= len(trace.steps):
        raise InfillError(f"the run has no step {number!r}")
    prediction = trace.steps[number - 1].prediction
    return [
        [
            [_name_token(trace.lexicon.get(int(token), b"")), round(float(probability), 4)]
            for token, probability in zip(prediction.top_tokens[i, :TOP], prediction.top_probs[i, :TOP], strict=True)
            if token >= 0
        ]
        for i in trace.start.slots
    ]


def _name_token(token: bytes) -> str:
    """Return the text of a token, or its bytes in hexadecimal if they are only part of a character."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "<" + token.hex(" ").upper() + ">"
