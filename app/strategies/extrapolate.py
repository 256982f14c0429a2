"""Confidence extrapolation: commit now what is forecast to be sure soon."""

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
"""Variances in squared logits: added by each step to the level and to the slope, and of an observation."""
STEADY = 3
"""Number of latest predictions that must put the same token first."""
RAREST = 1 / (1 + math.exp(8))
"""Probabilities are clipped to between this and 1 - this, that is, to logits from -8 to 8."""


@strategy(title="Soon to be above a bar", group="Above a bar", budget="cap", ranks="drafts")
def extrapolate(
    now: Snapshot,
    *,
    tau: Tau = 0.9,
    horizon: Annotated[int, Knob(0, 8, "steps to look ahead; 0 is the same as threshold")] = 3,
    certainty: Annotated[float, Knob(0.5, 0.999, "how certain the forecast must be, as a probability")] = 0.9,
    near: Annotated[int, Knob(0, 16, "how many tokens to the left must be steady as well")] = 4,
) -> Selection:
    """Commit every draft above a threshold, and steady ones forecast to reach it soon.

    A Kalman filter tracks level and slope of the best token's logit, log p / (1 - p), at every position. A position is
    steady if the same token was best in the last three steps. A draft that is forecast to reach the threshold is
    committed early if it is the best token, its position is steady, and so are all masks near it on the left. The last
    condition is waived if known tokens are near it on both sides.

    After Li et al., 2026, Confidence Extrapolation, arXiv:2605.30753

    Deviates: the idea is the paper's; the equations and constants are our own.
    """
    prediction, masks = now.prediction, now.canvas.masks
    beliefs = [*(step.prediction for step in now.history), prediction]
    best = [belief.top_tokens[:, 0] for belief in beliefs[-STEADY:]]
    steady = np.all([tokens == best[-1] for tokens in best], axis=0) & (len(best) == STEADY)
    ahead = np.zeros(len(now.canvas), dtype=np.bool_)
    # This strategy never remasks, so each current mask has been masked in all steps.
    ahead[masks] = _forecast([belief.top_probs[masks, 0] for belief in beliefs], tau, horizon, certainty)
    ahead &= steady & (prediction.candidates == best[-1]) & _undisturbed(now.canvas.masked, steady, near)
    sure = prediction.confidence >= tau
    count = int((ahead & ~sure)[masks].sum())
    return now.commit_passing(sure | ahead, prediction.confidence, threshold=tau, ahead=count)


def _forecast(observed: Sequence[Floats], tau: float, horizon: int, certainty: float) -> Bools:
    """Return [m] whether probabilities, observed in every step [steps][m], are forecast to reach tau in time."""
    logits = [_logit(probabilities) for probabilities in observed]
    state = np.array([logits[0], np.zeros_like(logits[0])])
    covariance = np.eye(2)  # the same for all masks: each has been observed in every step
    step = np.array([[1.0, 1.0], [0.0, 1.0]])
    for logit in logits[1:]:
        state, covariance = step @ state, step @ covariance @ step.T + np.diag([LEVEL, SLOPE])
        gain = covariance[:, 0] / (covariance[0, 0] + NOISE)
        state = state + np.outer(gain, logit - state[0])
        covariance = covariance - np.outer(gain, covariance[0])
    reached = np.zeros(len(logits[0]), dtype=np.bool_)
    for steps in range(1, horizon + 1):
        readout = np.array([1.0, steps])
        deviation = math.sqrt(readout @ covariance @ readout + steps * LEVEL + steps**3 / 3 * SLOPE + NOISE)
        reached |= readout @ state - NormalDist().inv_cdf(certainty) * deviation >= _logit(np.array(tau))
    return reached


def _logit(probability: Floats) -> Floats:
    clipped = np.clip(probability, RAREST, 1 - RAREST)
    return np.log(clipped / (1 - clipped))


def _undisturbed(masked: Bools, steady: Bools, near: int) -> Bools:
    """Return [length] whether no unsteady mask is within `near` on the left, or known tokens are on both sides."""
    undisturbed = np.zeros(len(masked), dtype=np.bool_)
    for i in np.flatnonzero(masked):
        left, right = slice(max(0, i - near), i), slice(i + 1, i + 1 + near)
        enclosed = not masked[left].all() and not masked[right].all()
        undisturbed[i] = enclosed or not (masked & ~steady)[left].any()
    return undisturbed
