"""The soak in a form of seconds: real visitors of a page in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.measure.soak import report, soak
from app.measure.soak_lessons import report as lessons_report
from app.measure.soak_lessons import teach
from app.measure.soak_memory import MOST, Reading, growth, readings
from app.measure.soak_page import a_page
from app.measure.soak_visitors import HABITS, told
from tests.beside import beside


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[str, psutil.Process, Path]]:
    with a_page("toy") as served:
        yield served


def test_visitors_with_every_habit_leave_each_run_as_it_is_alone(page, monkeypatch) -> None:
    monkeypatch.setattr("app.measure.soak_visitors.STALL", 0.1)
    monkeypatch.setattr("app.measure.soak_page.IDLE", 0.1)
    monkeypatch.setattr("app.measure.soak_visitors.HABITS", dict.fromkeys(HABITS, 1) | {"fill": 3})
    one, several = beside(lambda: list(soak(*page, visitors=[1, 6], seconds=3)))
    for stage in (one, several):
        assert (stage.different, stage.errors) == (0, 0)
    assert one.fills + several.fills > 0
    assert len(report([one, several]).splitlines()) == 3


def test_memory_stays_flat_over_runs_uploads_and_refused_bodies(page, monkeypatch) -> None:
    """It would not if the server kept what it has read of refused bodies."""
    address, server, _ = page
    monkeypatch.setattr("app.measure.soak_page.IDLE", 0.1)
    monkeypatch.setattr("app.measure.soak_memory.CAPACITY", 10)
    found = beside(lambda: list(readings(address, server, runs=20, others=60)))
    assert (found[-1].runs, found[-1].uploads, found[-1].refused) == (22, 70, 66)
    assert growth(found) < 1 + MOST


def test_a_class_in_lessons_gets_pages_lessons_and_fills(page, monkeypatch) -> None:
    waits = beside(lambda: teach(page[0], 3, 3, think=(0.0, 0.1)))
    assert waits.errors == []
    assert all(waits.seconds.values())
    assert "own sentence, end" in lessons_report(waits)


def test_growth_is_the_largest_memory_against_that_after_the_warm_up() -> None:
    def reading(megabytes: float) -> Reading:
        return Reading(runs=1, uploads=1, refused=1, megabytes=megabytes, threads=1)

    assert growth([reading(200), reading(230), reading(210)]) == 1.15


def test_what_a_run_told_leaves_out_waiting_repeats_and_times() -> None:
    state = {"step": 0, "nfe": 0, "pieces": [None], "ended": "running", "settled": True, "seconds": 1.0}
    waiting = state | {"settled": False}
    last = state | {"step": 1, "nfe": 1, "pieces": ["a"], "ended": "complete"}
    assert told([waiting, state, state | {"seconds": 2.0}, last]) == [(0, 0, (None,), ""), (1, 1, ("a",), "complete")]
