"""When each token of a run was known: the step from which on the best guess was the token that stands there now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.trace.trace import Trace
from models.denoiser import Bools, Ids


@dataclass(frozen=True, eq=False, kw_only=True)
class Settling:
    """The n tokens that a run wrote and that stand in its last state; steps count from 1, and K is their number.

    A best guess is the likeliest token, which need not be the one that is drawn. Where a token stood before a step, the
    guess is that token. It is -1 where the model was not asked.
    """

    places: Ids  # [n] their slots, from 0
    tokens: Ids  # [n]
    guesses: Ids  # [K, n] the best guess in each step
    open: Bools  # [K, n] whether the slot was masked before the step, and the model was asked about it
    written: Ids  # [n] the step that wrote it last
    settled: Ids  # [n] the first step from which on the guess was this token, until it was written

    @property
    def steps(self) -> int:
        """The number of steps of the run."""
        return len(self.guesses)

    @property
    def idle(self) -> Ids:
        """[n] steps between knowing the token and writing it."""
        return self.written - self.settled


def settling(trace: Trace) -> Settling:
    """Return when each token was known and when it was written.

    Inherited, pinned and masked slots are left out, and so is what was written and taken back for good.
    """
    order = trace.order
    places = np.flatnonzero(order)
    at, written = trace.start.slots[places], order[places]
    tokens = trace.canvas.ids[at]
    shape = (len(trace.steps), len(places))
    guesses, open_ = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
    for number, step in enumerate(trace.steps):
        before = trace.state(number)
        best = step.prediction.top_tokens[at, 0]
        masked = before.masked[at]
        guesses[number] = np.where(masked, best, before.ids[at])
        open_[number] = masked & (best >= 0)
    return Settling(
        places=places,
        tokens=tokens,
        guesses=guesses,
        open=open_,
        written=written,
        settled=since(guesses == tokens, written),
    )


def since(same: Bools, until: Ids) -> Ids:
    """Return the first step [n], from 1, from which on `same` [K, n] holds in every step up to `until` [n].

    It is `until` if it does not hold there: then the token was known only when it was written.
    """
    steps = np.arange(1, len(same) + 1)[:, None]
    broken = np.where(~same & (steps <= until), steps, 0).max(0, initial=0)
    return np.minimum(broken + 1, until)
