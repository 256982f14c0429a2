from __future__ import annotations

import pytest

from models.toy import toy
from tests.strategies.scenes import blank, choose, counts, orders, run, snapshot

SURE = [0.95, 0.2, 0.9, 0.5]


@pytest.mark.parametrize(
    ("tau", "expected"), [(0.96, [1]), (0.95, [1]), (0.9, [1, 3]), (0.4, [1, 3, 4]), (0.0, [1, 3, 4, 2])]
)
def test_every_draft_at_or_above_the_threshold_is_committed_or_the_surest(tau, expected):
    assert choose("threshold", snapshot(confidence=SURE), tau=tau).commit.tolist() == expected


def test_the_pace_of_the_budget_is_a_minimum():
    assert len(choose("threshold", snapshot(confidence=SURE, steps=2), tau=0.99).commit) == 2


def test_a_threshold_never_reached_equals_low_confidence_one_token_per_step():
    denoiser = toy()
    canvas = blank(9, mask_id=denoiser.tokenizer.mask_id)
    assert orders(run("threshold", denoiser, canvas, steps=64, tau=1.01)) == orders(
        run("low_confidence", denoiser, canvas, steps=9)
    )


def test_threshold_zero_takes_one_forward_pass():
    denoiser = toy()
    assert counts(run("threshold", denoiser, blank(9, mask_id=denoiser.tokenizer.mask_id), steps=64, tau=0.0)) == [9]


def test_a_higher_threshold_never_takes_fewer_forward_passes():
    denoiser = toy()
    canvas = blank(24, mask_id=denoiser.tokenizer.mask_id)
    nfe = [run("threshold", denoiser, canvas, steps=64, tau=tau)[-1].nfe for tau in (0.0, 0.2, 0.4, 0.7, 1.0)]
    assert nfe == sorted(nfe)
    assert nfe[0] < nfe[2] < nfe[-1]
