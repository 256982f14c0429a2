from __future__ import annotations

import pytest

from models.toy import toy
from tests.strategies.scenes import blank, choose, counts, run, snapshot

# (n + 1) (1 - c_n) along the order: 2 x 0.02 = 0.04, 3 x 0.1 = 0.3, 4 x 0.2 = 0.8, 5 x 0.3 = 1.5
SURE = [0.8, 0.98, 0.7, 0.9]


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(0.01, [2]), (0.1, [2]), (0.5, [2, 4]), (1.0, [2, 4, 1]), (1.4, [2, 4, 1]), (1.6, [2, 4, 1, 3])],
)
def test_the_count_is_the_largest_n_that_satisfies_the_formula(factor, expected):
    assert choose("factor", snapshot(confidence=SURE), factor=factor).commit.tolist() == expected


def test_a_failing_last_rank_is_not_committed():
    """The published code commits it: its search for the first failing rank never looks past the last."""
    assert choose("factor", snapshot(confidence=[0.99, 0.98, 0.1]), factor=1.0).commit.tolist() == [1, 2]


def test_the_recorded_threshold_is_that_of_the_last_rank_that_passes():
    notes = choose("factor", snapshot(confidence=SURE), factor=1.0).notes
    assert notes["passed"] == 3
    assert notes["threshold"] == pytest.approx(1 - 1 / 4)


def test_a_factor_near_zero_commits_one_token_per_step_and_a_huge_one_all():
    denoiser = toy()
    canvas = blank(8, mask_id=denoiser.tokenizer.mask_id)
    assert counts(run("factor", denoiser, canvas, steps=64, factor=1e-9)) == [1] * 8
    assert counts(run("factor", denoiser, canvas, steps=64, factor=10.0)) == [8]


def test_a_larger_factor_never_takes_more_forward_passes():
    denoiser = toy()
    canvas = blank(24, mask_id=denoiser.tokenizer.mask_id)
    nfe = [run("factor", denoiser, canvas, steps=64, factor=f)[-1].nfe for f in (0.0, 0.5, 1.0, 2.0, 4.0, 10.0)]
    assert nfe == sorted(nfe, reverse=True)
    assert nfe[0] > nfe[-1]
