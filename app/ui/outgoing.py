"""What the page sends to the browser about a run: the messages of app/trace, under the keys of the browser's runs."""

from __future__ import annotations

from typing import Any

from app.sampling.request import InfillRequest, fields_of
from app.trace import messages
from app.trace.trace import Trace
from app.ui.gate import Gate

Message = dict[str, Any]
Answer = dict[str, Any]


def live(trace: Trace, run: str, key: str, gate: Gate | None = None) -> Message:
    """Return the message of a run's newest state; `waiting` says what a run waits for that has begun already."""
    message = messages.build_live(trace, run) | {"key": key}
    return message | {"waiting": gate.waiting} if gate and gate.waiting and trace.begun else message


def waiting(request: InfillRequest, run: str, key: str, notice: str) -> Message:
    """Return the message of a run whose model is not loaded yet: its text with masks, and a notice that says why."""
    gaps = [gap.length or 1 for gap in request.gaps]
    opening = {
        "given": list(request.parts),
        "spaces": list(request.spaces),
        "gaps": gaps,
        "notices": [notice],
        "inherited": [],
        "request": request_json(request),
        "model": "",
        "by": "diffusion",
        "origin": None,
    }
    return {
        "run": run,
        "key": key,
        "step": 0,
        "ended": "running",
        "begun": False,
        "pieces": [None] * sum(gaps),
        "choosing": {"rows": 0, "calls": 0},
        "nfe": 0,
        "calls": 0,
        "seconds": 0.0,
        "opening": opening,
    }


def request_json(request: InfillRequest) -> dict[str, Any]:
    """Return the fields of a request as JSON."""
    fields = {field.name: getattr(request, field.name) for field in fields_of(type(request))}
    return fields | {"knobs": dict(request.knobs), "banned": list(request.banned)}


def closing(trace: Trace, run: str, key: str = "") -> Message:
    """Return the message of a whole run."""
    return messages.build_closing(trace, run) | {"key": key}


def failed(run: str, key: str, reason: str) -> Message:
    """Return the message of a run that ended by a mistake or a fault; the page shows the reason as text."""
    return {"run": run, "key": key, "failed": reason}


def replay(trace: Trace, run: str, key: str = "") -> Message:
    """Return a closing message with the candidates of every step, which can be replayed without a server."""
    found = [messages.list_candidates(trace, number) for number in range(1, len(trace.steps) + 1)]
    return closing(trace, run, key) | {"candidates": found}
