"""How runs are made: in this process, or on ZeroGPU in a worker that has a GPU for one run."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Protocol

from app.errors import InfillError
from app.infill import before, infill
from app.length.choose import TRIES
from app.length.probe import LONGEST
from app.sampler import policy_of
from app.sampling.request import MAX_LENGTH, InfillRequest
from app.strategies.registry import find
from app.trace.trace import Origin, Trace
from app.ui import metrics
from app.ui.gate import Gate
from app.ui.pool import ModelPool
from app.ui.watch import watched


class Run(Protocol):
    """From a request and a model's name (see `pool`) to traces, each one step longer; `origin` is that of a branch.

    A run that waits for its turn or for its gate yields its last trace again, the same object, without waiting itself:
    so one thread can take turns with several runs. Raises InfillError, also during a run; closing the iterator ends the
    run before the next step.
    """

    def __call__(
        self, request: InfillRequest, model: str, gate: Gate | None = None, origin: Origin | None = None
    ) -> Iterator[Trace]: ...


START = 10.0
"""Seconds that a worker may take to start and to move the weights to its GPU."""
PASS = 0.15
"""Seconds of a forward pass of a 7B model. Like START it is a guess, because no ZeroGPU was available to measure on."""
AT_ONCE = 4
"""The number of runs that share a model. More at once would slow all of them on a CPU, where merging passes saves
little, and bring them closer to the time limit; with fewer, a short run waits for the end of a long one. Chosen, not
measured."""


_MOMENT = 0.05  # seconds between two looks at a run that waits


def runs_at_once(zero_gpu: bool) -> int | None:
    """Return how many runs the page's queue lets through; None is all of them, since each model has its own `Turns`.

    On ZeroGPU each run has a worker of its own that shares nothing, and GPUs are lent for one run at a time.
    """
    return 1 if zero_gpu else None


class Turns:
    """The queue of one model: at most AT_ONCE runs use it at once.

    The next turn goes to the visitor who has the fewest runs that use it, and among these to who came first.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._visitors: dict[object, str] = {}  # of running and waiting runs, in the order of arrival
        self._running: set[object] = set()

    def join(self, run: object, visitor: str = "") -> None:
        """Give a run the last place; nothing if it has a place."""
        with self._lock:
            self._visitors.setdefault(run, visitor)

    def leave(self, run: object) -> None:
        """Take away a run's place, if it has one."""
        with self._lock:
            self._visitors.pop(run, None)
            self._running.discard(run)

    def ahead(self, run: object) -> int:
        """Return how many runs must end before this one may begin; 0 is its turn, which lasts until it leaves."""
        with self._lock:
            if run in self._running:
                return 0
            ahead = max(0, self._order().index(run) + 1 + len(self._running) - AT_ONCE)
            if not ahead:
                self._running.add(run)
            return ahead

    def _order(self) -> list[object]:
        """Return the waiting runs in the order in which they get their turns."""
        counts = Counter(self._visitors[run] for run in self._running)
        rounds: dict[object, int] = {}
        for run, visitor in self._visitors.items():
            if run not in self._running:
                rounds[run] = counts[visitor]
                counts[visitor] += 1
        return sorted(rounds, key=rounds.__getitem__)  # runs of one round stay in the order of arrival


def in_turn(
    traces: Iterator[Trace], waiting: Callable[[str], Trace], turns: Turns, gate: Gate, time_limit: float
) -> Iterator[Trace]:
    """Yield a run's traces while it has a turn, its gate is open and its reader has not left; see `Run`.

    `waiting` makes the trace of a run that has not begun from a notice. A paused run gives its turn away, and ends as
    stopped after a while. `time_limit` bounds the seconds of computing; pauses and other runs do not count.
    """
    me, trace, spent = object(), None, 0.0
    turns.join(me, gate.reader.visitor)
    try:
        while not gate.reader.left():
            while not gate.take():
                if gate.reader.left():
                    return
                turns.leave(me)
                gate.waiting = ""
                trace = trace or waiting("Paused.")
                if gate.expired:
                    yield replace(trace, ended="stopped")
                    return
                yield trace
            turns.join(me, gate.reader.visitor)
            while ahead := turns.ahead(me):
                told = f"{ahead} runs are ahead of you." if ahead > 1 else "1 run is ahead of you."
                if trace is None or (told != gate.waiting and not trace.begun):
                    trace = waiting(f"Waiting: {told}")
                elif told != gate.waiting:
                    trace = replace(trace)  # another object, so that the news is passed on
                gate.waiting = told
                yield trace
                if gate.reader.left():
                    return
            gate.waiting, began = "", time.perf_counter()
            trace = next(traces, None)
            spent += time.perf_counter() - began
            if trace is None:
                return
            if trace.ended == "running" and spent > time_limit:
                trace = replace(trace, ended="time limit")
            yield trace
            if trace.ended != "running":
                return
    finally:
        turns.leave(me)


def paced(traces: Iterator[Trace], gate: Gate | None = None) -> Iterator[Trace]:
    """Yield a run's traces, each once and while it waits only now and then; wait a moment for each that is left out."""
    last = None
    with closing(traces):  # pyright: ignore[reportArgumentType]
        for trace in traces:
            if trace is last or not (gate is None or gate.may_tell()):
                time.sleep(_MOMENT)
            else:
                yield trace
            last = trace


def runner(pool: ModelPool, time_limit: float, *, zero_gpu: bool = False) -> Run:
    """Return how this process makes traces, from any number of threads.

    On ZeroGPU the first model must be loaded before the page is launched.
    """

    turns: dict[str, Turns] = {}

    def run(
        request: InfillRequest, model: str, gate: Gate | None = None, origin: Origin | None = None
    ) -> Iterator[Trace]:
        with pool.lease(model) as denoiser:

            def waiting(notice: str) -> Trace:
                return before(request, denoiser, notice, origin=origin)

            queue = turns.setdefault(model or pool.name, Turns())
            try:
                traces = infill(request, denoiser, origin=origin)
                yield from in_turn(traces, waiting, queue, gate or Gate(), time_limit)
            except MemoryError as error:
                metrics.ERRORS.labels("memory").inc()
                raise InfillError(f"The run ended: {error}") from error

    made: Run = on_zero_gpu(run, time_limit) if zero_gpu else run

    def checked(
        request: InfillRequest, model: str, gate: Gate | None = None, origin: Origin | None = None
    ) -> Iterator[Trace]:
        policy_of(request)  # report a mistake before waiting, and before asking for a GPU
        gate = gate or Gate()
        yield from watched(made(request, model, gate, origin), gate)

    return checked


def seconds_asked_for(request: InfillRequest, time_limit: float) -> int:
    """Return how long a run may need a GPU, from its steps and masks; a shorter time is granted sooner.

    A step commits at least one position, unless the strategy takes exactly its budget or probes. For a length that is
    `auto`, the passes of the choice count as well: all lengths are probed and a few are written out.
    """
    strategy = find(request.strategy)
    whole = strategy.budget == "exact" or strategy.least_steps({}) > 1
    passes = request.steps if whole else min(request.steps, request.length or MAX_LENGTH)
    open_ = sum(gap.length is None for gap in request.gaps)
    passes = passes * (1 + (TRIES + 1) * open_) + 2 * LONGEST * open_
    return math.ceil(START + min(passes * PASS, time_limit))


def on_zero_gpu(run: Run, time_limit: float) -> Run:
    """Return a run function whose traces are made by a process that ZeroGPU forks, which shares nothing with this one.

    Everything it yields is pickled. So a trace travels without the steps that have arrived already, and a mistake
    travels as a value: an exception would arrive without its message.
    """
    import spaces  # patches torch, so it must come before any use of CUDA; it is installed on ZeroGPU only

    def duration(request: InfillRequest, model: str, origin: Origin | None) -> int:
        return seconds_asked_for(request, time_limit)

    @spaces.GPU(duration=duration)
    def in_the_worker(request: InfillRequest, model: str, origin: Origin | None) -> Iterator[Trace | InfillError]:
        try:
            for trace in run(request, model, None, origin):
                yield replace(trace, steps=trace.steps[-1:])
        except InfillError as error:
            yield error

    def here(
        request: InfillRequest, model: str, gate: Gate | None = None, origin: Origin | None = None
    ) -> Iterator[Trace]:
        steps = ()
        with closing(in_the_worker(request, model, origin)) as arriving:  # pyright: ignore[reportArgumentType]
            for part in arriving:
                if isinstance(part, InfillError):
                    raise part
                steps += part.steps
                yield replace(part, steps=steps)

    return here
