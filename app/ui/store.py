"""The last runs of all visitors, stored so that hovering, figures and downloads need no second run."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from app.errors import InfillError
from app.trace.bounds import weight
from app.trace.trace import Trace

CAPACITY = 128
"""Most runs of all visitors that are kept at a time."""


class RunStore:
    """At most `capacity` traces; the least recently used is dropped first. A run's name cannot be guessed.

    `memory` bounds the bytes that all traces take together; the newest always stays. `examples` are traces that
    everybody may see, under names that are known and beside the capacity: they are never dropped and never change.
    """

    def __init__(
        self, capacity: int = CAPACITY, memory: int = 300_000_000, *, examples: Mapping[str, Trace] | None = None
    ) -> None:
        self._capacity, self._memory, self.examples = capacity, memory, dict(examples or {})
        self._traces: OrderedDict[str, Trace] = OrderedDict()
        self._weights: dict[str, int] = {}  # bytes, by the run's name
        self._lock = threading.Lock()

    @staticmethod
    def new_name() -> str:
        """Return a name for a new run."""
        return secrets.token_urlsafe(9)

    def put(self, run: str, trace: Trace) -> Trace:
        """Store the newest trace of a run and return the stored one: a trace that has ended, by *Stop* say, stays."""
        with self._lock:
            if run not in self._traces or self._traces[run].ended == "running":
                self._traces[run], self._weights[run] = trace, weight(trace)
            self._traces.move_to_end(run)
            while len(self._traces) > 1 and self._is_full():
                dropped, _ = self._traces.popitem(last=False)
                del self._weights[dropped]
            return self._traces[run]

    def _is_full(self) -> bool:
        return len(self._traces) > self._capacity or sum(self._weights.values()) > self._memory

    def get(self, run: object) -> Trace:
        """Return a run's trace. Raises InfillError if it is no longer stored."""
        with self._lock:
            return self._find(run)

    def end(self, run: object) -> Trace:
        """End a run at its newest state and return its trace; a step that is still being computed is dropped by `put`.

        Raises InfillError if the run is no longer stored.
        """
        with self._lock:
            trace = end(self._find(run))
            if isinstance(run, str) and run not in self.examples:
                self._traces[run] = trace
            return trace

    def _find(self, run: object) -> Trace:
        known = run if isinstance(run, str) else ""
        if known in self.examples:
            return self.examples[known]
        if known not in self._traces:
            raise InfillError("this run is no longer on the server; run it again, or open its downloaded trace")
        self._traces.move_to_end(known)
        return self._traces[known]


def end(trace: Trace) -> Trace:
    """Return the trace as one that has ended: if it was still running, as stopped, or complete if nothing is masked.

    The latter happens to a best of several continuations, where every step has a whole text.
    """
    if trace.ended != "running":
        return trace
    return replace(trace, ended="stopped" if trace.canvas.masked.any() else "complete")
