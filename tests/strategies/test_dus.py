from __future__ import annotations

import numpy as np
import pytest

from tests.strategies.scenes import Indifferent, blank, counts, orders, run


def grids(length: int, *, steps: int = 64, **knobs: int) -> list[list[int]]:
    return orders(run("dus", Indifferent(), blank(length), steps=steps, **knobs))


def test_thirty_two_positions_take_five_rounds_that_double():
    rounds = grids(32)
    assert [len(grid) for grid in rounds] == [2, 2, 4, 8, 16]
    assert rounds[:3] == [[1, 17], [9, 25], [5, 13, 21, 29]]


def test_a_length_that_is_not_a_power_is_the_start_of_one_that_is():
    assert grids(7) == [[1, 5], [3, 7], [2, 4, 6]]
    assert grids(1) == [[1]]


def test_a_larger_base_takes_fewer_rounds():
    assert [len(grid) for grid in grids(16, base=4)] == [4, 12]
    assert [len(grid) for grid in grids(27, base=3)] == [3, 6, 18]


@pytest.mark.parametrize("length", range(3, 33))
def test_positions_of_one_round_stand_a_stride_apart(length):
    for step in run("dus", Indifferent(), blank(length), steps=64):
        assert (np.diff(step.selection.commit) >= max(2, step.selection.notes["stride"])).all()


@pytest.mark.parametrize(("steps", "expected"), [(5, [2, 2, 4, 8, 16]), (4, [4, 4, 8, 16]), (2, [16, 16]), (1, [32])])
def test_too_few_steps_join_the_first_rounds(steps, expected):
    assert [len(grid) for grid in grids(32, steps=steps)] == expected


@pytest.mark.parametrize(("steps", "expected"), [(64, [2, 2, 4, 2, 2, 4]), (5, [4, 4, 4, 4]), (2, [8, 8]), (1, [16])])
def test_blocks_are_filled_from_the_left_and_share_the_steps(steps, expected):
    rounds = grids(16, block=8, steps=steps)
    assert [len(grid) for grid in rounds] == expected
    if steps > 1:
        half = len(rounds) // 2
        assert sorted(position for grid in rounds[:half] for position in grid) == list(range(1, 9))


def test_any_block_keeps_to_the_budget():
    for block in (2, 3, 5, 256):
        for length in (1, 7, 16):
            for steps in (1, 2, 3, 5, 16):
                taken = run("dus", Indifferent(), blank(length), steps=steps, block=block)
                assert len(taken) <= steps
                assert sum(counts(taken)) == length
