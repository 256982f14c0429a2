"""The last runs of all visitors, stored so that hovering, figures and downloads need no second run."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import replace

from app.errors import InfillError
from app.trace.trace import Trace


class RunStore:
    """At most `capacity` traces; the least recently used is dropped first. A run's name cannot be guessed.

    `cells` bounds the sum of steps times canvas length over all traces, at about 150 bytes each; the newest always
    stays.
    """

    def __init__(self, capacity: int = 128, cells: int = 2_000_000) -> None:
        self._capacity, self._cells = capacity, cells
        self._traces: OrderedDict[str, Trace] = OrderedDict()
        self._lock = threading.Lock()

    @staticmethod
    def new_name() -> str:
        """Return a name for a new run."""
        return secrets.token_urlsafe(9)

    def put(self, run: str, trace: Trace) -> Trace:
        """Store the newest trace of a run and return the stored one: a trace that has ended, by *Stop* say, stays."""
        with self._lock:
            if run not in self._traces or self._traces[run].ended == "running":
                self._traces[run] = trace
            self._traces.move_to_end(run)
            while len(self._traces) > 1 and (len(self._traces) > self._capacity or self._used() > self._cells):
                self._traces.popitem(last=False)
            return self._traces[run]

    def _used(self) -> int:
        return sum(len(trace.steps) * len(trace.start) for trace in self._traces.values())

    def get(self, run: object) -> Trace:
        """Return a run's trace. Raises InfillError if it is no longer stored."""
        with self._lock:
            return self._find(run)

    def end(self, run: str) -> Trace:
        """End a run at its newest state and return its trace; a step that is still being computed is dropped by `put`.

        Raises InfillError if the run is no longer stored.
        """
        with self._lock:
            self._traces[run] = trace = end(self._find(run))
            return trace

    def _find(self, run: object) -> Trace:
        trace = self._traces.get(run) if isinstance(run, str) else None
        if trace is None:
            raise InfillError("this run is no longer on the server; run it again, or open its downloaded trace")
        self._traces.move_to_end(run)  # pyright: ignore[reportArgumentType]
        return trace


def end(trace: Trace) -> Trace:
    """Return the trace as one that has ended: as stopped if it was still running."""
    return replace(trace, ended="stopped") if trace.ended == "running" else trace
