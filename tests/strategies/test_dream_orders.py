"""The strategies maskgit, margin and entropy, which share the schedule and `alg_temp`."""

from __future__ import annotations

import numpy as np
import pytest

from models.toy import toy
from tests.strategies.scenes import blank, choose, counts, run, snapshot

ORDERS = {"maskgit": "confidence", "margin": "margin", "entropy": "entropy"}


@pytest.mark.parametrize(
    ("length", "steps", "expected"),
    [
        (16, 5, [3, 3, 3, 3, 4]),
        (16, 8, [2] * 8),
        (7, 3, [2, 2, 3]),
        (7, 4, [1, 2, 2, 2]),
        (5, 5, [1] * 5),
        (3, 64, [1] * 3),
    ],
)
@pytest.mark.parametrize("name", ORDERS)
def test_shares_are_rounded_down_and_grow_towards_the_end(name, length, steps, expected):
    denoiser = toy()
    assert counts(run(name, denoiser, blank(length, mask_id=denoiser.tokenizer.mask_id), steps=steps)) == expected


@pytest.mark.parametrize(("name", "score"), ORDERS.items())
def test_the_surest_positions_come_first(name, score):
    values = [0.3, 0.9, 0.1, 0.6]
    now = snapshot(steps=2, **{score: [1 - v if score == "entropy" else v for v in values]})
    assert choose(name, now).commit.tolist() == [2, 4]
    flipped = snapshot(steps=2, **{score: values if score == "entropy" else [1 - v for v in values]})
    assert sorted(choose(name, flipped).commit.tolist()) == [1, 3]


@pytest.mark.parametrize(("name", "score"), ORDERS.items())
def test_without_raw_it_ranks_by_the_distribution_of_the_drafts(name, score):
    sign = -1 if score == "entropy" else 1
    now = snapshot(**{score: [sign * 0.9, sign * 0.1], f"drawn_{score}": [sign * 0.1, sign * 0.9]})
    assert choose(name, now).commit.tolist() == [1]
    assert choose(name, now, raw=False).commit.tolist() == [2]


@pytest.mark.parametrize(("name", "score"), ORDERS.items())
def test_alg_temp_draws_positions_from_a_softmax_of_the_scores(name, score):
    sign, scores, runs = (-1 if score == "entropy" else 1), np.array([0.2, 0.5, 0.9]), 4000
    expected = np.exp(scores / 0.5) / np.exp(scores / 0.5).sum()
    now = snapshot(**{score: sign * scores})  # one generator throughout
    drawn = np.bincount([choose(name, now, alg_temp=0.5).commit[0] for _ in range(runs)], minlength=4)[1:] / runs
    assert np.abs(drawn - expected).max() < 3.5 * np.sqrt(0.25 / runs)
    assert np.abs(drawn - 1 / 3).max() > 0.1, "a uniform draw would pass as well"


def test_drawing_is_without_replacement():
    now = snapshot(steps=1, confidence=[0.9, 0.8, 0.7, 0.6])
    assert sorted(choose("maskgit", now, alg_temp=1.0).commit.tolist()) == [1, 2, 3, 4]
