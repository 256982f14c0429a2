"""Pausing a run: what its gate lets through, and what happens to its turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import models
from app.errors import InfillError
from app.infill import before, infill
from app.sampling.request import InfillRequest
from app.trace.trace import Trace
from app.ui.gate import PAUSE, TELL, Gate, Gates
from app.ui.runner import AT_ONCE, Turns, in_turn

REQUEST = InfillRequest(length=6, steps=6)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def run(turns: Turns, gate: Gate, time_limit: float = 90.0) -> Iterator[Trace]:
    denoiser = models.load("toy")
    return in_turn(infill(REQUEST, denoiser), lambda notice: before(REQUEST, denoiser, notice), turns, gate, time_limit)


def test_a_paused_run_repeats_its_state_until_it_goes_on() -> None:
    gate = Gate()
    traces = run(Turns(), gate)
    *_, last = (next(traces) for _ in range(3))
    gate.control("pause")
    assert [next(traces) is last for _ in range(3)] == [True] * 3
    gate.control("go")
    assert [len(trace.steps) for trace in traces] == [3, 4, 5, 6]


def test_one_step_is_made_and_the_run_is_paused_again() -> None:
    gate = Gate()
    traces = run(Turns(), gate)
    next(traces)
    gate.control("step")
    assert [len(next(traces).steps) for _ in range(4)] == [1, 1, 1, 1]
    assert gate.paused
    gate.control("step")
    assert [len(next(traces).steps) for _ in range(2)] == [2, 2]


def test_a_paused_run_gives_its_turn_away_and_waits_for_a_new_one() -> None:
    turns, gate = Turns(), Gate()
    paused, *others = [run(turns, each) for each in (gate, *(Gate() for _ in range(AT_ONCE)))]
    last = next(paused)
    for other in others[:-1]:
        next(other)
    assert not next(others[-1]).begun
    gate.control("pause")
    next(paused)
    assert next(others[-1]).begun
    gate.control("go")
    assert len(next(paused).steps) == len(last.steps)
    assert gate.waiting == "1 run is ahead of you."
    assert list(others[0])[-1].ended == "complete"
    assert len(next(paused).steps) == 1
    assert gate.waiting == ""


def test_a_run_ends_as_stopped_when_it_is_paused_for_too_long() -> None:
    clock = Clock()
    gate = Gate(clock)
    traces = run(Turns(), gate)
    next(traces)
    next(traces)
    gate.control("pause")
    clock.now = PAUSE
    assert next(traces).ended == "running"
    clock.now = PAUSE + 1
    (last,) = traces
    assert (last.ended, len(last.steps)) == ("stopped", 1)


def test_a_run_that_is_closed_while_it_is_paused_leaves_its_turn() -> None:
    turns, gate = Turns(), Gate()
    traces = run(turns, gate)
    next(traces)
    gate.control("pause")
    next(traces)
    traces.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert not turns._visitors


def test_a_run_past_its_time_ends_and_says_so() -> None:
    *_, last = run(Turns(), Gate(), time_limit=0)
    assert (last.ended, len(last.steps)) == ("time limit", 0)


def test_only_a_run_that_goes_on_can_be_paused() -> None:
    gates = Gates()
    with gates.open("a", "key") as gate:
        gates.control("a", "pause")
        assert gate.paused
        with pytest.raises(InfillError, match="pause, step or go, not 'halt'"):
            gates.control("a", "halt")
    for name in ("a", "b", None, ["a"]):
        with pytest.raises(InfillError, match="has ended already"):
            gates.control(name, "go")


def test_a_run_that_waits_tells_how_many_are_ahead_only_now_and_then() -> None:
    now = [0.0]
    gate = Gate(lambda: now[0])
    assert gate.may_tell()
    gate.waiting = "3 runs are ahead of you."
    told = []
    for now[0] in (0.0, 0.5, TELL, TELL + 0.5):
        told.append(gate.may_tell())
    assert told == [True, False, True, False]
    gate.waiting = ""
    assert gate.may_tell()
    assert gate.may_tell()


def test_the_next_turn_is_that_of_who_has_fewest_runs_and_came_first() -> None:
    turns = Turns()
    runs = [*(("greedy", number) for number in range(8)), ("second", 0), ("third", 0)]
    for run_ in runs:
        turns.join(run_, run_[0])
    going = [run_ for run_ in runs if not turns.ahead(run_)]
    assert going == [("greedy", 0), ("greedy", 1), ("second", 0), ("third", 0)]
    turns.leave(("second", 0))
    assert [turns.ahead(("greedy", number)) for number in (2, 3)] == [0, 2 - 1]
