"""What the order map shows of a run: its states as the messages hold them, and what happened to each slot."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass

from app.export.gif_layout import direction_of
from app.trace.messages import build_closing, build_opening
from app.trace.trace import Trace


@dataclass(frozen=True)
class Frame:
    """One state of a run as its message holds it."""

    pieces: list[str | None]  # [n]
    when: bytes  # [n] step of the last write, 0 if masked or given
    confidence: bytes  # [n] 255 is certain
    remask: list[int]


@dataclass(frozen=True)
class Order:
    """What the picture shows of a run."""

    gaps: list[int]
    frames: list[Frame]
    written: list[list[int]]  # [n] steps
    taken: list[list[int]]  # [n] steps
    states: list[str]  # [n] masked, written, pinned or inherited
    mirrored: bool

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.frames) - 1


def order_of(trace: Trace) -> Order:
    """Return what a picture needs of a trace."""
    closing = build_closing(trace, "picture")
    pieces: list[str | None] = [None] * closing["length"]
    frames = []
    for state in closing["states"]:
        pieces = [state["changes"].get(str(slot), piece) for slot, piece in enumerate(pieces)]
        when, confidence = (
            base64.b64decode(state.get(name, "")) or bytes(len(pieces)) for name in ("when", "confidence")
        )
        frames.append(Frame(pieces, when, confidence, state.get("remask", [])))
    written: list[list[int]] = [[] for _ in pieces]
    taken: list[list[int]] = [[] for _ in pieces]
    for step, (before, now) in enumerate(itertools.pairwise(frames), start=1):
        for slot in now.remask:
            taken[slot].append(step)
        for slot, piece in enumerate(now.pieces):
            if piece is not None and (before.pieces[slot] is None or slot in now.remask):
                written[slot].append(step)
    inherited = build_opening(trace).get("inherited", [])
    last = frames[-1]
    states = [
        "masked" if piece is None else "written" if last.when[slot] else "inherited" if slot in inherited else "pinned"
        for slot, piece in enumerate(last.pieces)
    ]
    text = " ".join([*trace.given, *(piece or "" for piece in pieces)])
    return Order(closing["opening"]["gaps"], frames, written, taken, states, direction_of(text) == "rtl")
