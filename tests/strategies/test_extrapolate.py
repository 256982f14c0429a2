from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from app.sampling.step import NONE, Selection, Snapshot
from models.toy import toy
from tests.strategies.scenes import after, blank, choose, orders, run, snapshot, written


def sigmoid(logit: float) -> float:
    return 1 / (1 + np.exp(-logit))


def seen(*logits: Sequence[float], best: Sequence[Sequence[int]] | None = None) -> Snapshot:
    """The best tokens' logits in every step, by position; each step commits nothing, and drafts are token 1."""
    now = None
    for number, row in enumerate(logits):
        probabilities = [sigmoid(logit) for logit in row]
        if now is None:
            now = snapshot(confidence=probabilities)
        else:
            now = after(now, Selection(commit=NONE), confidence=probabilities)
        tokens, probs = now.prediction.top_tokens.copy(), now.prediction.top_probs.copy()
        tokens[now.canvas.masks, 0] = best[number] if best else 1
        probs[now.canvas.masks, 0] = probabilities
        now = replace(now, prediction=replace(now.prediction, top_tokens=tokens, top_probs=probs))
    assert now is not None
    return now


# By hand: a logit seen at c, c + d and c + 2d is at level c + 1.87192 d with slope 0.78515 d. One step ahead it should
# be c + 2.65707 d with a standard deviation of 0.99771, three steps ahead c + 4.22737 d with 1.88127. The normal
# quantile of 0.9 is 1.28155, so for c = -4 and d = 2 the forecasts reach 0.0355 and 2.0438: 0.5089 and 0.8853.
RISING = [[-4.0, 0.01], [-2.0, 0.01], [0.0, 0.01]]
"""Position 1 rises; position 2 stays a little surer."""


@pytest.mark.parametrize(("horizon", "reached"), [(1, 0.0355), (3, 2.0438)])
def test_a_draft_on_its_way_to_the_threshold_is_committed_now(horizon, reached):
    for shift, commit, passed in ((1e-3, [2], 0), (-1e-3, [1], 1)):
        selection = choose("extrapolate", seen(*RISING), tau=sigmoid(reached + shift), horizon=horizon)
        assert selection.commit.tolist() == commit
        assert (selection.notes["passed"], selection.notes["ahead"]) == (passed, passed)


def test_more_certainty_asks_for_more():
    now = seen(*RISING)
    passed = [choose("extrapolate", now, tau=0.88, certainty=c).notes["passed"] for c in (0.5, 0.9, 0.92, 0.999)]
    assert passed == [1, 1, 0, 0]


def test_two_steps_are_too_few_and_a_falling_logit_goes_nowhere():
    assert choose("extrapolate", seen([-6.0], [0.0]), tau=0.7).notes["passed"] == 0
    assert choose("extrapolate", seen([4.0], [2.0], [0.0]), tau=0.7).notes["passed"] == 0


@pytest.mark.parametrize(
    ("best", "passed"),
    [
        ([[1, 1], [1, 1], [1, 1]], 1),
        ([[2, 1], [1, 1], [1, 1]], 0),  # another token was best two steps ago
        ([[2, 1], [2, 1], [2, 1]], 0),  # the draft, token 1, is not the best one
    ],
)
def test_the_best_token_must_have_been_the_same_and_be_the_draft(best, passed):
    assert choose("extrapolate", seen(*RISING, best=best), tau=0.88).notes["passed"] == passed


@pytest.mark.parametrize(("near", "passed"), [(0, 1), (1, 0), (2, 1), (3, 1)])
def test_an_unsteady_mask_on_the_left_is_waited_for_unless_known_tokens_are_near_on_both_sides(near, passed):
    """Position 1 wavers, position 2 rises, and positions 0 and 3 are given: within two of it on both sides."""
    now = seen(*[[-1.0, rising] for rising, _ in RISING], best=[[1, 1], [2, 1], [1, 1]])
    assert choose("extrapolate", now, tau=0.88, near=near).notes["passed"] == passed


def test_a_steady_mask_on_the_left_or_any_on_the_right_does_not_block():
    steady = [[1, 1, 1, 1]] * 3
    wavering = [[1, 1, 1, 1], [1, 1, 2, 1], [1, 1, 1, 1]]
    rows = [[-1.0, rising, -1.0, -1.0] for rising, _ in RISING]
    for best in (steady, wavering):
        assert choose("extrapolate", seen(*rows, best=best), tau=0.88, near=1).commit.tolist() == [2]
        assert choose("extrapolate", seen(*rows, best=best), tau=0.88, near=1).notes["passed"] == 1


def test_the_pace_of_the_budget_is_a_floor_and_what_passes_comes_first():
    now = seen(*[[rising, 1.0, 0.5] for rising, _ in RISING])
    hurried = replace(now, steps=4)
    assert choose("extrapolate", now, tau=0.88).commit.tolist() == [1]
    assert choose("extrapolate", hurried, tau=0.88).commit.tolist() == [1, 2]


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_horizon_zero_is_the_threshold(temperature):
    denoiser = toy()
    canvas = blank(16, mask_id=denoiser.tokenizer.mask_id)
    settings = {"steps": 16, "temperature": temperature, "tau": 0.5, "banned": tuple(denoiser.tokenizer.special_ids)}
    host = run("threshold", denoiser, canvas, **settings)
    ours = run("extrapolate", denoiser, canvas, horizon=0, **settings)
    assert orders(ours) == orders(host)
    assert written(ours) == written(host)


def test_probabilities_of_zero_and_one_have_a_logit():
    assert choose("extrapolate", seen([-np.inf], [np.inf], [np.inf]), tau=1.0).notes["passed"] == 1
    assert choose("extrapolate", seen([np.inf], [-np.inf], [-np.inf]), tau=0.5).notes["passed"] == 0
