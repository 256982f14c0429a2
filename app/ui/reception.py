"""Who may start a run: a limit for each visitor, then first come, first served."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import islice, pairwise
from statistics import fmean

PLACES, PER_VISITOR = 24, 12
"""Calls that run or wait at a time, of all visitors and of one. Half of them stay for others, and a browser's tabs, or
a few people behind one address, still have room. A call that waits costs a thread, and no computing. Chosen, not
measured."""
_BACK, _KNOWN = 30.0, 1000
"""Seconds in which a visitor who was turned away has to come back to keep the place in the line, and how many visitors
the line has; one more starts at its end each time."""
_SOONEST, _LATEST = 1, 15  # seconds after which a visitor is asked to come again


class RefusalError(Exception):
    """There is no place for one more call; `after` is in how many seconds to come again."""

    def __init__(self, message: str, after: int) -> None:
        super().__init__(f"{message}: come again in {after} s")
        self.after = after


class Reception:
    """Gives out the places. Those who were turned away form a line: a place that falls free is kept for its head."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock  # in seconds
        self._line: OrderedDict[str, float] = OrderedDict()  # visitors turned away, with the time of their last visit
        self._freed: deque[float] = deque(maxlen=16)  # when places fell free

    def enter(self, visitor: str, *, taken: int, own: int) -> None:
        """Let a call in, while `taken` places are taken, `own` of them by the same visitor. Raises RefusalError."""
        if own >= PER_VISITOR:
            raise RefusalError(
                f"{own} of your runs go on or wait already, and more are not possible at a time", _SOONEST
            )
        now = self._clock()
        while self._line and now - next(iter(self._line.values())) > _BACK:
            self._line.popitem(last=False)
        place = self._place(visitor, now)
        if place < PLACES - taken:
            self._line.pop(visitor, None)
            return
        if visitor in self._line or len(self._line) < _KNOWN:
            self._line[visitor] = now  # which keeps the order
        after = max(_SOONEST, min(_LATEST, math.ceil(self._pace() * (place + 1))))
        raise RefusalError(f"all {PLACES} places are taken, and {place} visitors are in line before you", after)

    def free(self) -> None:
        """Note that a place has fallen free."""
        self._freed.append(self._clock())

    def _place(self, visitor: str, now: float) -> int:
        """Return how many visitors in the line are before this one and may still come back."""
        before = 0
        for each in islice(self._line, _KNOWN):
            if each == visitor:
                break
            before += now - self._line[each] <= _BACK
        return before

    def _pace(self) -> float:
        """Return how many seconds pass from one place that falls free to the next."""
        return fmean(later - earlier for earlier, later in pairwise(self._freed)) if len(self._freed) > 1 else 1.0
