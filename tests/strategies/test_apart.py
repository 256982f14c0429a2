from __future__ import annotations

import numpy as np
import pytest

from models.toy import toy
from tests.strategies.scenes import blank, choose, orders, run, snapshot

SURE = [0.95, 0.92, 0.91, 0.5, 0.97]


@pytest.mark.parametrize(
    ("tau", "distance", "expected"),
    [
        (0.9, 1, [5, 1, 2, 3]),
        (0.9, 2, [5, 1, 3]),
        (0.9, 3, [5, 1]),
        (0.9, 5, [5]),
        (0.96, 2, [5]),
        (0.99, 2, [5]),
        (0.0, 2, [5, 1, 3]),
    ],
)
def test_the_surest_are_committed_first_at_the_given_distance(tau, distance, expected):
    assert choose("apart", snapshot(confidence=SURE), tau=tau, distance=distance).commit.tolist() == expected


@pytest.mark.parametrize(("steps", "expected"), [(5, [5]), (2, [5, 1, 3]), (1, [5, 1, 3, 2, 4])])
def test_extra_commits_for_the_budget_avoid_neighbours_as_long_as_possible(steps, expected):
    assert choose("apart", snapshot(confidence=SURE, steps=steps), tau=0.99).commit.tolist() == expected


@pytest.mark.parametrize("tau", [0.2, 0.5, 0.9])
def test_distance_one_equals_threshold(tau):
    denoiser = toy()
    canvas = blank(24, mask_id=denoiser.tokenizer.mask_id)
    host = run("threshold", denoiser, canvas, steps=24, tau=tau)
    assert orders(run("apart", denoiser, canvas, steps=24, tau=tau, distance=1)) == orders(host)


def test_no_step_commits_neighbours_if_the_budget_is_large_enough():
    denoiser = toy()
    steps = run("apart", denoiser, blank(24, mask_id=denoiser.tokenizer.mask_id), steps=24, tau=0.0)
    assert len(steps) < 24, "nothing was ever committed together: the test shows nothing"
    for order in orders(steps):
        assert (np.diff(sorted(order)) >= 2).all()
