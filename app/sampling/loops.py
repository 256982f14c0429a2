"""Runs that come back to a state which they had left: the strategy then stops taking tokens back."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from app.sampling.step import NONE, Policy, Selection, Snapshot


def without_loops(policy: Policy) -> Policy:
    """Return the policy with nothing taken back once the run has returned to a state that it had left.

    A state is the tokens and the masks of the canvas. A strategy that takes tokens back by a rule would otherwise
    exchange the same tokens until its budget ends. Returns the policy itself if it takes nothing back, or only by lot:
    such a run may return to a state and still go on differently.
    """
    if not policy.may_loop:
        return policy

    def choose(now: Snapshot) -> Selection:
        wanted = policy.choose(now)
        return _kept(wanted, now) if _has_returned(now) else wanted

    return replace(policy, choose=choose)


def _has_returned(now: Snapshot) -> bool:
    """Return whether some state of the run is an earlier one, with another state in between."""
    if now.history and "loop" in now.history[-1].selection.notes:
        return True
    canvases = [now.start, *(step.canvas for step in now.history)]
    states = [canvas.ids.tobytes() + canvas.masked.tobytes() for canvas in canvases]
    left = set()
    for before, after in itertools.pairwise(states):
        if after != before:
            left.add(before)
            if after in left:
                return True
    return False


def _kept(wanted: Selection, now: Snapshot) -> Selection:
    """Return the selection without what it takes back, and without what it would write there instead."""
    free = now.canvas.masked[wanted.commit]

    def some(values: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if values is None else values[free]

    return replace(
        wanted,
        commit=wanted.commit[free],
        tokens=some(wanted.tokens),
        confidence=some(wanted.confidence),
        drawn=some(wanted.drawn),
        own=some(wanted.own),
        remask=NONE,
        notes={**wanted.notes, "loop": 1.0},
    )
