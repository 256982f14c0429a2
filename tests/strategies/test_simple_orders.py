from __future__ import annotations

import pytest

from tests.strategies.scenes import Indifferent, blank, orders, run

EXPECTED = {
    "left_to_right": [1, 2, 3, 4, 5],
    "right_to_left": [5, 4, 3, 2, 1],
    "outside_in": [1, 5, 2, 4, 3],
    "middle_out": [3, 2, 4, 1, 5],
}


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
def test_one_token_per_step_follows_the_whole_order(name, expected):
    assert orders(run(name, Indifferent(), blank(5), steps=64)) == [[position] for position in expected]


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
def test_fewer_steps_than_masks_commit_groups_in_the_same_order(name, expected):
    assert orders(run(name, Indifferent(), blank(5), steps=2)) == [expected[:3], expected[3:]]
