"""Who may start a run: a limit for each visitor, then first come, first served."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from statistics import fmean

PLACES, PER_VISITOR = 24, 12
"""Calls that run or wait at a time, of all visitors and of one. Half of them stay for others, and a browser's tabs, or
a few people behind one address, still have room. A call that waits costs a thread, and no computing. Chosen, not
measured."""
_SOONEST, _LATEST = 1, 15  # seconds after which a visitor is asked to come again
_EARLY, _LATE = 0.5, 3.0
"""Seconds before and after that time in which a free place is kept for the visitor. If it were kept all the while,
places would be empty for visitors who were asked to stay away."""
_LOST, _KNOWN = 20.0, 1000
"""Seconds after that time in which a visitor who has not come loses the place in the line, and how many visitors the
line has; one more starts at its end each time."""


class RefusalError(Exception):
    """There is no place for one more call; `after` is in how many seconds to come again."""

    def __init__(self, message: str, after: int) -> None:
        super().__init__(f"{message}: try again in {after} s.")
        self.after = after


class Reception:
    """Gives out the places. Those who were turned away form a line: who is expected goes before who is behind."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock  # in seconds
        self._line: OrderedDict[str, float] = OrderedDict()  # visitors turned away, with when they were asked to come
        self._held: deque[float] = deque(maxlen=16)  # seconds for which the last calls had their places

    def enter(self, visitor: str, *, taken: int, own: int) -> None:
        """Let a call in, while `taken` places are taken, `own` of them by the same visitor. Raises RefusalError."""
        if own >= PER_VISITOR:
            raise RefusalError(f"{own} of your runs go on or wait, which is the most for one visitor", _SOONEST)
        now = self._clock()
        while self._line and now - next(iter(self._line.values())) > _LOST:
            self._line.popitem(last=False)
        place, expected = self._before(visitor, now)
        if expected < PLACES - taken:
            self._line.pop(visitor, None)
            return
        after = max(_SOONEST, min(_LATEST, math.ceil(self._pace() * (place + 1))))
        if visitor in self._line or len(self._line) < _KNOWN:
            self._line[visitor] = now + after  # which keeps the order
        raise RefusalError(f"All {PLACES} places are taken, and you are number {place + 1} in line", after)

    def free(self, held: float) -> None:
        """Note that a place has fallen free which a call had for `held` seconds."""
        self._held.append(held)

    def _before(self, visitor: str, now: float) -> tuple[int, int]:
        """Return how many visitors are in the line before this one, and how many of them are expected now."""
        place = expected = 0
        for each, due in self._line.items():
            if each == visitor:
                break
            place += now - due <= _LOST
            expected += due - _EARLY <= now <= due + _LATE
        return place, expected

    def _pace(self) -> float:
        """Return how many seconds pass from one place that falls free to the next while all are taken.

        Not the seconds that have passed: while places are empty, because those in the line stay away, they would be
        many, and keep the line away for longer.
        """
        return fmean(self._held) / PLACES if self._held else 1.0
