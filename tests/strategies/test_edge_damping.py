from __future__ import annotations

import numpy as np
import pytest

from app.sampling.step import Selection
from models.toy import toy
from tests.strategies.scenes import after, blank, choose, orders, run, snapshot


@pytest.mark.parametrize(
    ("damping", "reach", "order"),
    [
        (0.0, 2.0, [4, 1, 2, 3]),
        (0.5, 2.0, [1, 2, 4, 3]),  # times 0.888, 0.816, 0.697, 0.5: 0.533, 0.408, 0.348, 0.4
        (0.5, 0.25, [1, 2, 3, 4]),  # times 1, 1, 0.991, 0.5: 0.6, 0.5, 0.495, 0.4
        (0.2, 2.0, [4, 1, 2, 3]),  # times 0.955, 0.926, 0.879, 0.8: 0.573, 0.463, 0.439, 0.64
    ],
)
def test_positions_before_the_suffix_count_less(damping, reach, order):
    now = snapshot(steps=1, confidence=[0.6, 0.5, 0.5, 0.8])
    assert choose("edge_damping", now, damping=damping, reach=reach).commit.tolist() == order


def test_the_damping_fades_as_the_span_becomes_known():
    """A half of 0.5 is left: 0.5 x 0.848 = 0.424 against 0.65 x 0.75 = 0.4875; undiminished, 0.348 against 0.325."""
    fresh = choose("edge_damping", snapshot(steps=1, confidence=[0.0, 0.0, 0.5, 0.65]))
    assert (fresh.commit.tolist()[:2], fresh.notes["damped"]) == ([3, 4], 0.5)
    now = after(snapshot(steps=2, length=4), Selection(commit=np.array([1, 2])), confidence=[0.5, 0.65])
    later = choose("edge_damping", now)
    assert (later.commit.tolist(), later.notes["damped"]) == ([4, 3], 0.25)


@pytest.mark.parametrize(
    ("score", "order"),
    [
        ("confidence", [1, 2]),  # 0.7 x 0.697 = 0.488 against 0.5 x 0.8
        ("margin", [1, 2]),  # 0.5 x 0.697 = 0.348 against 0.5 x 0.6
        ("entropy", [2, 1]),  # exp(-1) x 0.697 = 0.256 against exp(-0.5) x 0.5 = 0.303
    ],
)
def test_any_score_can_be_damped(score, order):
    now = snapshot(steps=1, confidence=[0.7, 0.8], margin=[0.5, 0.6], entropy=[1.0, 0.5])
    assert choose("edge_damping", now, score=score).commit.tolist() == order


@pytest.mark.parametrize("steps", [1, 4, 9, 64])
def test_without_damping_it_is_low_confidence(steps):
    denoiser = toy()
    canvas = blank(9, mask_id=denoiser.tokenizer.mask_id)
    ours = run("edge_damping", denoiser, canvas, steps=steps, damping=0.0)
    assert orders(ours) == orders(run("low_confidence", denoiser, canvas, steps=steps))


@pytest.mark.parametrize(("score", "host"), [("margin", "margin"), ("entropy", "entropy")])
def test_without_damping_a_token_a_step_is_the_order_of_the_score(score, host):
    denoiser = toy()
    canvas = blank(9, mask_id=denoiser.tokenizer.mask_id)
    ours = run("edge_damping", denoiser, canvas, steps=9, damping=0.0, score=score)
    assert orders(ours) == orders(run(host, denoiser, canvas, steps=9))


def test_a_gap_that_ends_the_text_is_not_damped():
    denoiser = toy()
    canvas = blank(9, after=(), mask_id=denoiser.tokenizer.mask_id)
    ours = run("edge_damping", denoiser, canvas, steps=9, damping=1.0)
    assert orders(ours) == orders(run("low_confidence", denoiser, canvas, steps=9))
