"""What the page sends to the browser about a run, besides the messages of app/trace."""

from __future__ import annotations

from typing import Any

from app.sampling.request import InfillRequest
from app.trace import messages
from app.trace.recording import request_to_json
from app.trace.trace import Trace
from app.ui.gate import Gate

Message = dict[str, Any]
Answer = dict[str, Any]


class Live:
    """The live messages of one run."""

    def __init__(self, run: str, key: str) -> None:
        self._messages = messages.LiveMessages(run, key)

    def build(self, trace: Trace, gate: Gate) -> Message:
        """Build the message of the newest state; `waiting` says what a run waits for that has begun already."""
        message = self._messages.build(trace)
        return message | {"waiting": gate.waiting} if gate.waiting and trace.begun else message


def failed(run: str, key: str, reason: str) -> Message:
    """Build the message of a run that ended by a mistake or a fault; the page shows the reason as text."""
    return {"run": run, "key": key, "failed": reason}


def waiting(request: InfillRequest, run: str, key: str, notice: str) -> Message:
    """Build the message of a run whose model is not loaded yet: its text with masks, and a notice that says why."""
    gaps = [gap.length or 1 for gap in request.gaps]
    opening = {
        "given": list(request.parts),
        "spaces": list(request.spaces),
        "gaps": gaps,
        "inherited": [],
        "notices": [notice],
        "request": request_to_json(request),
        "model": "",
        "by": "diffusion",
        "origin": None,
    }
    state = {"pieces": [None] * sum(gaps), "nfe": 0, "calls": 0, "seconds": 0.0, "choosing": {"rows": 0, "calls": 0}}
    return {"run": run, "key": key, "step": 0, "ended": "running", "begun": False, "opening": opening, **state}
