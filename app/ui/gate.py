"""Pausing: every run of the page has a gate, which its visitor closes and opens."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from app.errors import InfillError, quoted

Do = Literal["pause", "step", "go"]

PAUSE = 120.0
"""Seconds after which a paused run ends: until then it holds the memory of its model."""
TELL = 2.0
"""Seconds from one time to the next that a run which waits for others tells how many are ahead. With many visitors each
end of a run would otherwise cost a message to all of them, which is more than the run itself costs."""
LEFT = "The run was ended, because its stream was closed or not read for some seconds. Fill again."


@dataclass(frozen=True)
class Reader:
    """Who reads what a run tells."""

    visitor: str = ""  # the address that the call came from
    left: Callable[[], bool] = lambda: False  # whether the reader has gone, cancelled or stalled; any thread may ask


class Gate:
    """Says whether a run may make its next step. Any thread may ask and answer."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, key: str = "", reader: Reader | None = None
    ) -> None:
        """Make an open gate; `clock` returns seconds, `key` is the browser's name for the run."""
        self.key, self.reader = key, reader or Reader()
        self._clock, self._lock = clock, threading.Lock()
        self._steps = math.inf  # that may be made
        self._closed_at = 0.0
        self.halted = False  # whether the visitor has ended the run
        self._told = -math.inf  # when it was told how many are ahead
        self.waiting = ""  # what the run is waiting for, in words; empty while it computes

    @property
    def paused(self) -> bool:
        """Whether the run stops after the steps that were asked for one by one."""
        return self._steps < math.inf

    @property
    def expired(self) -> bool:
        """Whether the run has been paused for too long."""
        with self._lock:
            return self._steps == 0 and self._clock() - self._closed_at > PAUSE

    def may_tell(self) -> bool:
        """Return whether a new state is to be told now; while the run waits for others, only now and then."""
        now = self._clock()
        if self.waiting and now - self._told < TELL:
            return False
        self._told = now if self.waiting else -math.inf
        return True

    def control(self, do: object) -> None:
        """Pause, allow one step and pause again, or go on. Raises InfillError for anything else."""
        if do not in get_args(Do):
            raise InfillError(f"a run can be told to pause, step or go, not {quoted(do)}")
        with self._lock:
            if do == "go":
                self._steps = math.inf
            else:
                self._steps, self._closed_at = int(do == "step"), self._clock()

    def take(self) -> bool:
        """Return whether one more step may be made now, and count it."""
        with self._lock:
            if not self._steps:
                return False
            self._steps -= 1
            if not self._steps:
                self._closed_at = self._clock()
            return True


class Gates:
    """The gates of the runs that go on, by the run's name."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    @contextmanager
    def open(self, run: str, key: str, reader: Reader | None = None) -> Iterator[Gate]:
        """Return the gate of a run that goes on while the context lasts; `key` is the browser's name for it."""
        gate = self._gates[run] = Gate(key=key, reader=reader)
        try:
            yield gate
        finally:
            del self._gates[run]

    def find(self, run: object) -> Gate | None:
        """Return the gate of a run; None if it does not go on."""
        return self._gates.get(run) if isinstance(run, str) else None

    def control(self, run: object, do: object) -> None:
        """Tell a run to pause, step or go. Raises InfillError if it does not go on, and for anything else."""
        gate = self.find(run)
        if gate is None:
            raise InfillError("this run has ended already: branch from one of its steps to go on")
        gate.control(do)
