"""What is noted of every run of the page and the endpoint, in metrics and in the log, and its end at a shutdown."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from logging import getLogger
from typing import Any, Literal

from app.errors import InfillError
from app.trace.trace import Trace
from app.ui import metrics, shutdown
from app.ui.gate import Gate
from app.ui.store import end

Ending = Literal["complete", "stopped", "time limit", "left", "refused", "crashed", "shutdown"]
"""How runs end: three as traces do; their visitor has gone; by a mistake or a full queue; by a fault of the program; by
the server's shutdown."""

_log = getLogger(__name__)
_going: set[str] = set()  # references


def going() -> int:
    """Return how many runs go on."""
    return len(_going)


def watched(traces: Iterator[Trace], gate: Gate) -> Generator[Trace, None, None]:
    """Yield a run's traces until it ends or the server shuts down: then the last one is stopped, and says why.

    Raises what `traces` raises, and InfillError if the server is shutting down already.
    """
    shutdown.refuse()
    run = _Watch(gate)
    ending: Ending = "left"
    try:
        for trace in traces:
            if shutdown.begun() and trace.ended == "running":
                ending, trace = "shutdown", end(replace(trace, notices=(*trace.notices, shutdown.STOPPED)))
            elif trace.ended != "running":
                ending = trace.ended
            run.see(trace)
            yield trace
            if trace.ended != "running":
                return
    except InfillError:
        ending = "refused"
        raise
    except Exception:
        ending = "crashed"
        raise
    finally:
        getattr(traces, "close", lambda: None)()
        run.end("stopped" if ending == "left" and gate.halted else ending)


class _Watch:
    """Counts one run from its begin to its end."""

    def __init__(self, gate: Gate) -> None:
        self._gate, self._began = gate, time.perf_counter()
        self._trace: Trace | None = None
        self._waits = False
        self.reference = secrets.token_hex(4)
        _going.add(self.reference)
        metrics.GOING.inc()

    def see(self, trace: Trace) -> None:
        """Note the newest state."""
        if trace.steps and not (self._trace and self._trace.steps):
            metrics.FIRST_STEP.observe(time.perf_counter() - self._began)
        self._trace = trace
        self._wait(bool(self._gate.waiting))

    def _wait(self, waits: bool) -> None:
        metrics.WAITING.inc(waits - self._waits)
        self._waits = waits

    def end(self, ending: Ending) -> None:
        """Note how the run has ended, and write its line."""
        self._wait(False)
        _going.discard(self.reference)
        metrics.GOING.dec()
        metrics.RUNS.labels(ending).inc()
        metrics.STEPS.inc(len(self._trace.steps) if self._trace else 0)
        facts = {"run": self.reference, **describe(self._trace)}
        facts |= {"seconds": round(time.perf_counter() - self._began, 3), "ending": ending}
        _log.info(" ".join(f"{name}={value}" for name, value in facts.items()), extra={"facts": facts})


def describe(trace: Trace | None) -> dict[str, Any]:
    """Return what the log says of a run: nothing that its visitor wrote, and nothing that was written for them."""
    if trace is None:  # it has not begun, so what was asked for may be anything
        return {"model": None, "strategy": None, "masks": None, "steps": 0, "passes": 0}
    return {
        "model": trace.model,
        "strategy": trace.request.strategy,
        "masks": int(trace.start.masked.sum()),
        "steps": len(trace.steps),
        "passes": trace.nfe + trace.choosing.rows,
    }
