"""How long a run stays on the server, and what is said when it is gone."""

from __future__ import annotations

import pytest

import models
from app.errors import InfillError
from app.infill import infill
from app.sampling.request import InfillRequest
from app.trace.bounds import weight
from app.trace.trace import Trace
from app.ui.store import RunStore


def traces() -> list[Trace]:
    return list(infill(InfillRequest(length=1, steps=1), models.load("toy")))


def is_stored(runs: RunStore, name: str) -> bool:
    try:
        runs.get(name)
    except InfillError:
        return False
    return True


def test_no_more_runs_are_stored_than_there_is_room_for() -> None:
    trace = traces()[-1]
    runs = RunStore(3)
    for name in "abcde":
        runs.put(name, trace)
    kept = [name for name in "abcde" if is_stored(runs, name)]
    assert kept == ["c", "d", "e"]


@pytest.mark.parametrize("use", ["get", "put"])
def test_the_run_that_was_not_used_for_longest_is_dropped(use: str) -> None:
    first, second = traces()
    runs = RunStore(3)
    for name in "abc":
        runs.put(name, first)
    if use == "get":
        runs.get("a")
    else:
        runs.put("a", second)
    runs.put("d", first)
    assert [name for name in "abcd" if is_stored(runs, name)] == ["a", "c", "d"]
    assert runs.get("a") is (first if use == "get" else second)


@pytest.mark.parametrize("name", ["other", "", None, 3, True, ["a"], {"a": 1}])
def test_an_unknown_run_is_said_to_be_gone(name: object) -> None:
    runs = RunStore()
    runs.put("a", traces()[-1])
    with pytest.raises(InfillError, match="run it again"):
        runs.get(name)


def test_names_of_runs_are_long_and_never_the_same() -> None:
    names = {RunStore.new_name() for _ in range(200)}
    assert len(names) == 200
    assert min(map(len, names)) >= 12


def test_large_runs_push_others_out_sooner_but_the_newest_stays() -> None:
    trace = traces()[-1]
    runs = RunStore(10, memory=2 * weight(trace))
    for name in "abc":
        runs.put(name, trace)
    assert [name for name in "abc" if is_stored(runs, name)] == ["b", "c"]
    tight = RunStore(10, memory=0)
    tight.put("a", trace)
    assert is_stored(tight, "a")


def test_a_run_that_has_ended_stays_as_it_is() -> None:
    first, complete = traces()
    runs = RunStore()
    assert runs.put("a", first) is first
    stopped = runs.end("a")
    assert (stopped.steps, stopped.ended) == (first.steps, "stopped")
    assert runs.put("a", complete) is stopped  # the step that was in flight when it was stopped
    assert runs.end("a") is runs.get("a") is stopped


def test_a_run_that_is_complete_does_not_become_one_that_was_stopped() -> None:
    complete = traces()[-1]
    runs = RunStore()
    runs.put("a", complete)
    assert runs.end("a") is complete


def test_a_run_that_is_not_stored_cannot_be_ended() -> None:
    with pytest.raises(InfillError, match="run it again"):
        RunStore().end("a")


def test_an_example_is_never_dropped_never_changed_and_never_ended() -> None:
    running, complete = traces()
    runs = RunStore(1, examples={"example-a": running})
    for name in "abc":
        runs.put(name, complete)
    assert runs.get("example-a") is running
    assert runs.end("example-a").ended == "stopped"
    assert runs.get("example-a") is running
    assert not is_stored(runs, "a")
