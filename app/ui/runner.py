"""How runs are made: in this process, or on ZeroGPU in a worker that has a GPU for one run."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from app.errors import InfillError
from app.infill import before, infill
from app.length.choose import TRIES
from app.length.probe import LONGEST
from app.sampler import policy_of
from app.sampling.request import MAX_LENGTH, InfillRequest
from app.strategies.registry import find
from app.trace.trace import Trace
from app.ui.pool import ModelPool

Run = Callable[[InfillRequest, str], Iterator[Trace]]
"""From a request and a model's name (see `pool`) to traces, each one step longer. Raises InfillError, also during a
run; closing the iterator ends the run before the next step."""

START = 10.0
"""Seconds that a worker may take to start and to move the weights to its GPU."""
PASS = 0.15
"""Seconds of a forward pass of a 7B model. Like START it is a guess, because no ZeroGPU was available to measure on."""
AT_ONCE, WAITING = 4, 8
"""The number of runs that share a model, and of those that may wait for it. More at once would slow all of them on a
CPU, where merging passes saves little, and bring them closer to the time limit; with fewer, a short run waits for the
end of a long one. Chosen, not measured."""


_MOMENT = 0.3  # seconds


def runs_at_once(zero_gpu: bool) -> int | None:
    """Return how many runs the page's queue lets through; None is all of them, since each model has its own `Turns`.

    On ZeroGPU each run has a worker of its own that shares nothing, and GPUs are lent for one run at a time.
    """
    return 1 if zero_gpu else None


class Turns:
    """The queue of one model: at most AT_ONCE runs use it at once, first come, first served."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._runs: list[object] = []  # in the order of arrival: running ones, then waiting ones

    @contextmanager
    def place(self) -> Iterator[Callable[[], bool]]:
        """Join the queue; the context's value is a function that waits a moment and returns whether the turn has come.

        Raises InfillError if too many runs are waiting already.
        """
        mine = object()
        with self._changed:
            if len(self._runs) >= AT_ONCE + WAITING:
                raise InfillError("too many runs are waiting for this model: try again in a minute, or choose another")
            self._runs.append(mine)
        try:
            yield lambda: self._wait(mine)
        finally:
            with self._changed:
                self._runs.remove(mine)
                self._changed.notify_all()

    def _wait(self, mine: object) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: mine in self._runs[:AT_ONCE], _MOMENT)


def runner(pool: ModelPool, time_limit: float, *, zero_gpu: bool = False) -> Run:
    """Return how this process makes traces, from any number of threads.

    On ZeroGPU the first model must be loaded before the page is launched.
    """

    turns: dict[str, Turns] = {}

    def run(request: InfillRequest, model: str) -> Iterator[Trace]:
        with pool.lease(model) as denoiser, turns.setdefault(model or pool.name, Turns()).place() as my_turn:
            waiting = None
            while not my_turn():  # a visitor who leaves closes the generator here
                waiting = waiting or before(request, denoiser, "Waiting: other runs are ahead of you.")
                yield waiting
            try:
                yield from infill(request, denoiser, time_limit=time_limit)
            except MemoryError as error:
                raise InfillError(f"The run ended: {error}") from error

    made = on_zero_gpu(run, time_limit) if zero_gpu else run

    def checked(request: InfillRequest, model: str) -> Iterator[Trace]:
        policy_of(request)  # report a mistake before waiting, and before asking for a GPU
        yield from made(request, model)

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

    def duration(request: InfillRequest, model: str) -> int:
        return seconds_asked_for(request, time_limit)

    @spaces.GPU(duration=duration)
    def in_the_worker(request: InfillRequest, model: str) -> Iterator[Trace | InfillError]:
        try:
            for trace in run(request, model):
                yield replace(trace, steps=trace.steps[-1:])
        except InfillError as error:
            yield error

    def here(request: InfillRequest, model: str) -> Iterator[Trace]:
        steps = ()
        with closing(in_the_worker(request, model)) as arriving:  # pyright: ignore[reportArgumentType]
            for part in arriving:
                if isinstance(part, InfillError):
                    raise part
                steps += part.steps
                yield replace(part, steps=steps)

    return here
