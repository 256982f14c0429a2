"""The soak in a form of seconds: real visitors of a page in a process of its own."""

from __future__ import annotations

from app.measure.soak import a_page, report, soak
from app.measure.soak_visitors import HABITS, told
from tests.beside import beside


def test_visitors_with_every_habit_leave_each_run_as_it_is_alone(monkeypatch) -> None:
    monkeypatch.setattr("app.measure.soak_visitors.STALL", 0.1)
    monkeypatch.setattr("app.measure.soak._IDLE", 0.1)
    monkeypatch.setattr("app.measure.soak_visitors.HABITS", dict.fromkeys(HABITS, 1) | {"fill": 3})
    with a_page("toy") as (address, server, folder):
        one, several = beside(lambda: list(soak(address, server, folder, visitors=[1, 6], seconds=3)))
    for stage in (one, several):
        assert (stage.different, stage.errors) == (0, 0)
    assert one.fills + several.fills > 0
    assert len(report([one, several]).splitlines()) == 3


def test_what_a_run_told_leaves_out_waiting_repeats_and_times() -> None:
    state = {"step": 0, "nfe": 0, "pieces": [None], "ended": "running", "settled": True, "seconds": 1.0}
    waiting = state | {"settled": False}
    last = state | {"step": 1, "nfe": 1, "pieces": ["a"], "ended": "complete"}
    assert told([waiting, state, state | {"seconds": 2.0}, last]) == [(0, 0, (None,), ""), (1, 1, ("a",), "complete")]
