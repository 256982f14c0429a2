"""Confidence extrapolation: what will be sure soon is committed now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, Tau, strategy
from models.denoiser import Bools, Floats

LEVEL, SLOPE, NOISE = 0.05, 0.01, 0.25
"""Variances, in squared logits: what a step adds to the level and to the slope, and of an observation."""
STEADY = 3
"""Predictions that must put the same token first."""
RAREST = 1 / (1 + math.exp(8))
"""Probabilities are followed between this and 1 - this, that is, as logits from -8 to 8."""


@strategy(budget="cap")
def extrapolate(
    now: Snapshot,
    *,
    tau: Tau = 0.9,
    horizon: Annotated[int, Knob(0, 8, "steps to look ahead; 0 is the strategy threshold")] = 3,
    certainty: Annotated[float, Knob(0.5, 0.999, "how likely the forecast must reach the threshold")] = 0.9,
    near: Annotated[int, Knob(0, 16, "so many positions to the left must be steady as well")] = 4,
) -> Selection:
    """Commit every draft above a threshold, and steady ones whose probability is on its way there.

    A Kalman filter follows level and slope of the best token's logit, log p / (1 - p), at every position. A draft may
    go ahead if it is that token, no other was best in the last three steps, and the latter holds of all masks near it
    on its left, too, unless known tokens stand near it on both sides.

    The idea is Li et al., 2026, Confidence Extrapolation, arXiv:2605.30753; the equations and constants are our own
    """
    prediction, masks = now.prediction, now.canvas.masks
    beliefs = [*(step.prediction for step in now.history), prediction]
    best = [belief.top_tokens[:, 0] for belief in beliefs[-STEADY:]]
    steady = np.all([tokens == best[-1] for tokens in best], axis=0) & (len(best) == STEADY)
    ahead = np.zeros(len(now.canvas), dtype=np.bool_)
    # Nothing is taken back here, so each mask of now has been one in all steps.
    ahead[masks] = _rising([belief.top_probs[masks, 0] for belief in beliefs], tau, horizon, certainty)
    ahead &= steady & (prediction.candidates == best[-1]) & _calm(now.canvas.masked, steady, near)
    sure = prediction.confidence >= tau
    count = int((ahead & ~sure)[masks].sum())
    return now.commit_passing(sure | ahead, prediction.confidence, threshold=tau, ahead=count)


def _rising(seen: Sequence[Floats], tau: float, horizon: int, certainty: float) -> Bools:
    """[m] whether probabilities, seen in every step [steps][m], are forecast to reach tau within the horizon."""
    logits = [_logit(probabilities) for probabilities in seen]
    state, spread = np.array([logits[0], np.zeros_like(logits[0])]), np.eye(2)  # one spread: all were seen as often
    step = np.array([[1.0, 1.0], [0.0, 1.0]])
    for logit in logits[1:]:
        state, spread = step @ state, step @ spread @ step.T + np.diag([LEVEL, SLOPE])
        gain = spread[:, 0] / (spread[0, 0] + NOISE)
        state = state + np.outer(gain, logit - state[0])
        spread = spread - np.outer(gain, spread[0])
    reached = np.zeros(len(logits[0]), dtype=np.bool_)
    for steps in range(1, horizon + 1):
        look = np.array([1.0, steps])
        deviation = math.sqrt(look @ spread @ look + steps * LEVEL + steps**3 / 3 * SLOPE + NOISE)
        reached |= look @ state - NormalDist().inv_cdf(certainty) * deviation >= _logit(np.array(tau))
    return reached


def _logit(probability: Floats) -> Floats:
    clipped = np.clip(probability, RAREST, 1 - RAREST)
    return np.log(clipped / (1 - clipped))


def _calm(masked: Bools, steady: Bools, near: int) -> Bools:
    """[length] no unsteady mask within `near` on the left, or known tokens within it on both sides."""
    calm = np.zeros(len(masked), dtype=np.bool_)
    for i in np.flatnonzero(masked):
        left, right = slice(max(0, i - near), i), slice(i + 1, i + 1 + near)
        framed = not masked[left].all() and not masked[right].all()
        calm[i] = framed or not (masked & ~steady)[left].any()
    return calm
