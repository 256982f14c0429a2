from __future__ import annotations

import numpy as np
import pytest

from app.sampling.step import Selection
from tests.strategies.scenes import after, snapshot


def commit(*positions: int, back: tuple[int, ...] = ()) -> Selection:
    return Selection(commit=np.array(positions, dtype=np.int64), remask=np.array(back, dtype=np.int64))


def test_a_score_at_commit_is_that_of_the_step_that_committed_the_position_last():
    now = snapshot(confidence=[0.1, 0.2, 0.3], drawn_confidence=[0.4, 0.5, 0.6])
    now = after(now, commit(1, 2), confidence=[0.7])
    now = after(now, commit(3, back=(1,)), confidence=[0.8])
    assert now.scores_at_commit("confidence").tolist() == [0, 0, 0.2, 0.7, 0]
    assert now.scores_at_commit("drawn_confidence").tolist() == [0, 0, 0.5, 0, 0]
    assert after(now, commit(1)).scores_at_commit("confidence").tolist() == [0, 0.8, 0.2, 0.7, 0]


@pytest.mark.parametrize(
    ("passes", "steps", "committed"),
    [([0, 1, 0, 1], 64, [4, 2]), ([0, 0, 0, 0], 64, [1]), ([0, 1, 0, 0], 2, [2, 1]), ([1, 1, 1, 1], 64, [1, 4, 3, 2])],
)
def test_what_passes_is_committed_or_else_the_surest_and_the_pace_is_kept(passes, steps, committed):
    selection = snapshot(length=4, steps=steps).commit_passing(
        np.array([True, *map(bool, passes), True]), np.array([9, 0.9, 0.2, 0.5, 0.7, 9])
    )
    assert selection.commit.tolist() == committed
    assert selection.notes == {"passed": sum(passes)}


@pytest.mark.parametrize(("steps", "final"), [(1, 1), (10, 1), (11, 2), (64, 7)])
def test_the_final_steps_are_the_last_tenth_of_the_budget(steps, final):
    assert snapshot(length=3, steps=steps).final_steps == final


@pytest.mark.parametrize(
    ("scores", "committed", "back"),
    [
        ([5, 4, 6, 2], [3], []),
        ([5, 4, 6, 7], [4, 3], [1]),
        ([5, 4, 5, 7], [4], []),  # a tie: the committed position stays
        ([5, 7, 6, 7], [2, 4], [1]),
    ],
)
def test_the_second_of_four_steps_knows_the_two_best_of_four_positions(scores, committed, back):
    now = after(snapshot(length=4, steps=4), commit(1))
    selection = now.reconsider(np.array([9.0, *scores, 9.0]))
    assert (selection.commit.tolist(), selection.remask.tolist()) == (committed, back)


def test_as_many_positions_are_known_as_the_schedule_says():
    """ceil(5 k / 8): 1, 2, 2, 3, 4, 4, 5."""
    now, known = snapshot(length=5, steps=8), []
    while now.canvas.masked.any():
        now = after(now, now.reconsider(np.arange(7.0)))
        known.append(5 - len(now.canvas.masks))
    assert known == [1, 2, 2, 3, 4, 4, 5]


def test_while_the_run_settles_nothing_is_taken_back_and_every_step_adds_something():
    """Of 40 steps the last four: the schedule asks for 19, 19, 20, 20 of 20."""
    worst_first = -np.arange(22.0)
    now = snapshot(length=20, steps=40, taken=35)
    now = after(now, commit(*range(3, 21)))
    for expected in ([1], [2]):
        selection = now.reconsider(worst_first)
        assert (selection.commit.tolist(), selection.remask.tolist()) == (expected, [])
        now = after(now, selection)
