from __future__ import annotations

import pytest

from models.toy import toy
from tests.strategies.scenes import Indifferent, blank, choose, counts, orders, run, snapshot


def test_the_most_confident_drafts_come_first():
    assert choose("low_confidence", snapshot(confidence=[0.3, 0.9, 0.1, 0.6], steps=2)).commit.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("length", "steps", "expected"), [(16, 5, [4, 3, 3, 3, 3]), (7, 7, [1] * 7), (7, 64, [1] * 7), (7, 4, [2, 2, 2, 1])]
)
def test_shares_are_equal_and_the_first_ones_include_the_remainder(length, steps, expected):
    denoiser = toy()
    canvas = blank(length, mask_id=denoiser.tokenizer.mask_id)
    assert counts(run("low_confidence", denoiser, canvas, steps=steps)) == expected


def test_blocks_are_filled_from_left_to_right():
    denoiser = toy()
    canvas = blank(8, mask_id=denoiser.tokenizer.mask_id)
    steps = run("low_confidence", denoiser, canvas, steps=4, blocks=2)
    assert counts(steps) == [2, 2, 2, 2]
    assert sorted(orders(steps)[0] + orders(steps)[1]) == [1, 2, 3, 4]
    assert [step.selection.notes["block"] for step in steps] == [1, 1, 2, 2]


@pytest.mark.parametrize("blocks", range(1, 17))
def test_any_number_of_blocks_uses_exactly_the_budget(blocks):
    for length in (1, 5, 7, 16):
        for steps in (1, 2, 3, 5, 7, 16, 20):
            taken = len(run("low_confidence", Indifferent(), blank(length), steps=steps, blocks=blocks))
            assert taken == min(steps, length), f"{taken} steps of {steps} for {length} masks"
