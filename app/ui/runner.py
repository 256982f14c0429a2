"""Where the model runs: in this process, or on ZeroGPU in a worker that has a GPU for one run."""

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
"""A request and a model's name (see `pool`) to ever longer traces. Raises InfillError, also in mid-run; closing the
iterator ends the run before the next step."""

START = 10.0
"""Seconds that a worker may take to start and to move the weights to its GPU."""
PASS = 0.15
"""Seconds of a forward pass of a 7B model. Like START a guess: there was no ZeroGPU to measure on."""
AT_ONCE, WAITING = 4, 8
"""Runs that share a model, and how many more may wait for it. With more at once, all are slower where merging saves
little (on a CPU), and nearer to the time limit; with fewer, a short run waits for the end of a long one. Chosen, not
measured."""


_MOMENT = 0.3  # seconds


def runs_at_once(zero_gpu: bool) -> int | None:
    """Return how many runs the page's queue lets through; None is all of them, since each model has its own `Turns`.

    On ZeroGPU each run has a worker of its own that shares nothing, and GPUs are lent for one run at a time.
    """
    return 1 if zero_gpu else None


class Turns:
    """Who may use a model now: at most AT_ONCE runs, first come, first served, whatever goes on with other models."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._runs: list[object] = []  # in the order in which they came: those that go on, then those that wait

    @contextmanager
    def place(self) -> Iterator[Callable[[], bool]]:
        """A place among the runs; what it gives waits a moment for its turn, and says whether that has come.

        Raises InfillError where too many wait already.
        """
        mine = object()
        with self._changed:
            if len(self._runs) >= AT_ONCE + WAITING:
                raise InfillError("too many runs wait for this model: try again in a minute, or choose another one")
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
    """How long a run may need a GPU, from its steps and masks; the shorter, the sooner a visitor is served.

    A step commits at least one position, except where the strategy takes exactly its budget, or probes. Where a length
    is `auto`, all are looked at and some written out before, and those passes count, too.
    """
    strategy = find(request.strategy)
    whole = strategy.budget == "exact" or strategy.least_steps({}) > 1
    passes = request.steps if whole else min(request.steps, request.length or MAX_LENGTH)
    open_ = sum(gap.length is None for gap in request.gaps)
    passes = passes * (1 + (TRIES + 1) * open_) + 2 * LONGEST * open_
    return math.ceil(START + min(passes * PASS, time_limit))


def on_zero_gpu(run: Run, time_limit: float) -> Run:
    """The same traces, made by a process that ZeroGPU forks off and that shares nothing with this one.

    What it yields is pickled and unpickled. So a trace travels without the steps that are here already, and a mistake
    as a value: an exception would arrive without its words.
    """
    import spaces  # patches torch, so it must come before anything that uses CUDA; it is installed on ZeroGPU only

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
