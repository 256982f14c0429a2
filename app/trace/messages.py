"""Small JSON messages from which the page draws a run; assets/page/types.d.ts declares them, messages.js reads them.

Every message is idempotent: it names its run and its state, and holds all that is needed to paint that state. So a
browser may drop any of them, as hidden tabs do. The closing message holds all states. A message is addressed by the
server's name for the run and by the browser's key for it, which the server only passes back.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from app.errors import InfillError, quoted
from app.sampling.step import Step
from app.trace.bounds import check_shown
from app.trace.recording import request_to_json
from app.trace.trace import Commits, Trace
from app.trace.verdict import rates, verdict
from models.denoiser import Floats, Ids
from models.prediction import TOP

Message = dict[str, Any]

NATS = 24
"""Entropy is sent as one byte, nats times this; 255 is 10.6 nats, the entropy of 40,000 equally likely words."""


class LiveMessages:
    """The live messages of one run. It remembers the commits, so a message takes no longer the more steps there are."""

    def __init__(self, run: str, key: str = "") -> None:
        self._address = {"run": run, "key": key}
        self._commits, self._steps = Commits(0), ()

    def build(self, trace: Trace) -> Message:
        """Build the message of the latest state; the one before the first step also carries the opening.

        Steps may have been left out since the last message; a trace that does not continue the last one begins anew.
        """
        number = len(trace.steps)
        message = {**self._address, "step": number, "ended": trace.ended, "begun": trace.begun}
        message |= {**_build_state(trace, number, self._follow(trace)), "choosing": _count_choosing(trace)}
        return message if number else {**message, "opening": build_opening(trace)}

    def _follow(self, trace: Trace) -> Commits:
        known: tuple[Step, ...] = self._steps
        continued = bool(known) and len(trace.steps) >= len(known) and trace.steps[len(known) - 1] is known[-1]
        if not continued:
            known, self._commits = (), Commits(len(trace.start), trace.start.inherited)
        for step in trace.steps[len(known) :]:
            self._commits.add(step)
        self._steps = trace.steps
        return self._commits


def build_live(trace: Trace, run: str, key: str = "") -> Message:
    """Build the message of the latest state from all steps; `LiveMessages` does so for one step after another."""
    return LiveMessages(run, key).build(trace)


def build_opening(trace: Trace) -> Message:
    """Build the part that stays the same during a run: the given text around the gaps, and the request."""
    request, origin = trace.request, trace.origin
    return {
        "given": list(trace.given),
        "spaces": list(request.spaces),
        "gaps": [len(gap) for gap in trace.start.gaps],
        "inherited": trace.inherited,
        "notices": [*trace.notices, *(choice.describe(gap) for gap, choice in trace.choices.items())],
        "request": request_to_json(request),
        "model": trace.model,
        "by": trace.by,
        "origin": origin and {"run": origin.run, "step": origin.step},
    }


def build_closing(trace: Trace, run: str, key: str = "") -> Message:
    """Build the message of the whole run: the opening, and every state as text changes from the one before."""
    states, known = [], [None] * len(trace.start.slots)
    commits = Commits(len(trace.start), trace.start.inherited)
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
    speed = rates(trace)
    return {
        "run": run,
        "key": key,
        "step": len(trace.steps),
        "ended": trace.ended,
        "begun": trace.begun,
        "opening": build_opening(trace),
        "length": len(trace.start.slots),
        "text": trace.text,
        "states": states,
        "choosing": _count_choosing(trace),
        "verdict": verdict(trace),
        "rates": {"effective": _three_digits(speed.effective), "in_step": _three_digits(speed.in_step)},
    }


def build_replay(trace: Trace, run: str, key: str = "") -> Message:
    """Build a closing message with the candidates of every step [steps][slots][<= 5]; it needs no server any more.

    Raises InfillError if their texts are too long to be sent.
    """
    check_shown(trace)
    candidates = [list_candidates(trace, number) for number in range(1, len(trace.steps) + 1)]
    return build_closing(trace, run, key) | {"candidates": candidates}


def _count_choosing(trace: Trace) -> Message:
    return {"rows": trace.choosing.rows, "calls": trace.choosing.calls}


def _three_digits(rate: float | None) -> float | None:
    return None if rate is None else float(f"{rate:.3g}")


def _build_state(trace: Trace, number: int, commits: Commits) -> Message:
    """Build state `number`; positions are slots, counted from 0. A piece that no step committed stood there before."""
    message: Message = {"pieces": trace.pieces(number), "nfe": 0, "calls": 0, "seconds": 0.0}
    if number == 0:
        inherited = {"confidence": _encode_bytes(commits.confidence[trace.start.slots], 255)} if trace.inherited else {}
        return message | inherited
    step, slots = trace.steps[number - 1], trace.start.slots
    masked, editable = step.canvas.masked, trace.start.span
    confidence = np.where(masked, step.prediction.confidence, commits.confidence)
    # The browser sees bytes: from step 255 on it cannot tell the tokens of the last steps apart.
    fresh = np.minimum(commits.when, 255) == min(number, 255)
    asked = editable[(masked | fresh)[editable]]  # positions masked before or after the step
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
        raise InfillError(f"the run has no step {quoted(number)}")
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
