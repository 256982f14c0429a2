"""Prophet's early commit, and its smooth version SchED."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, OneOf, strategy

AGGREGATES = {
    "mean": np.mean,
    "median": np.median,
    "quantile": lambda margins: np.quantile(margins, 0.2),
    "min": np.min,
}


@strategy(title="All the rest once it is sure", group="Above a bar", budget="cap", ranks="drafts")
def early_commit(
    now: Snapshot,
    *,
    schedule: Annotated[
        str,
        OneOf(
            ("prophet", "linear", "cosine", "exponential"),
            "how the bar falls during a run: in three stages (prophet), or smoothly",
        ),
    ] = "prophet",
    high: Annotated[
        float,
        Knob(
            0.0,
            20.0,
            "the bar at the start: lead of the first choice over the second, in logits; small models need less",
            calibrated=lambda at: 1.5 * at["logit_margin"],  # the paper's ratio to the middle threshold
        ),
    ] = 7.5,
    middle: Annotated[
        float,
        Knob(0.0, 20.0, "the same in the second third, prophet only", calibrated=lambda at: at["logit_margin"]),
    ] = 5.0,
    low: Annotated[float, Knob(0.0, 20.0, "the same at the end", calibrated=lambda at: 0.5 * at["logit_margin"])] = 2.5,
    rate: Annotated[
        float, Knob(0.5, 16.0, "how fast the exponential bar falls; at 4, 2 % of the fall are left at the end")
    ] = 4.0,
    aggregate: Annotated[
        str, OneOf(tuple(AGGREGATES), "which of the leads at all masks must reach it; quantile: a fifth are smaller")
    ] = "mean",
    min_progress: Annotated[
        float, Knob(0.0, 1.0, "share of the gap that must be written before the rest may be")
    ] = 0.0,
    steady: Annotated[
        str, OneOf(("released", "always", "never"), "wait until no first choice changes; released: with smooth bars")
    ] = "released",
) -> Selection:
    """Commit the most confident drafts, an equal share each step, and all the rest once the answer seems known.

    The answer seems known once the logit margin (the lead of the largest logit over the second largest), combined over
    all masked positions, reaches a threshold. The threshold falls over min(T, N) steps: Prophet's in two falls, once
    0.33 and 0.67 of the steps have begun, SchED's smoothly. SchED's code also waits for a step in which no masked
    position has changed its first choice, so never ends in the first one. The rest is then committed greedily.

    Li et al., 2025, Prophet, arXiv:2508.19982; Mohamed et al., 2025, SchED, arXiv:2512.02892

    Deviates: until then tokens are committed as in `low_confidence`, even with SchED's bars, whose code follows Dream.
    """
    masks = now.canvas.masks
    limit = _bar(now, schedule, (high, middle, low), rate)
    logit_margin = float(AGGREGATES[aggregate](now.prediction.logit_margin[masks]))
    known = 1 - len(masks) / len(now.canvas.span)
    early = logit_margin >= limit and known >= min_progress and _is_steady(now, steady, schedule)
    notes = {"gap": logit_margin, "threshold": limit, "early": float(early)}
    if early:
        best, probability = now.prediction.top_tokens[masks, 0], now.prediction.top_probs[masks, 0]
        return Selection(commit=masks, tokens=best, confidence=probability, notes=notes)
    return now.commit_first(now.rank(now.prediction.confidence), 1, **notes)


def _bar(now: Snapshot, schedule: str, bars: tuple[float, float, float], rate: float) -> float:
    """Return the threshold of this step, from those at the start, in the middle and at the end."""
    high, middle, low = bars
    last = min(now.steps, now.masks_at_start)
    if schedule == "prophet":
        return high if now.step < 0.33 * last else middle if now.step < 0.67 * last else low
    return low + (high - low) * _remaining_height(schedule, (now.step - 1) / (last - 1) if last > 1 else 1, rate)


def _is_steady(now: Snapshot, steady: str, schedule: str) -> bool:
    """Return whether no masked position has another first choice than in the step before, if that is asked for.

    The first step has none before it, so it is never steady.
    """
    if steady == "never" or (steady == "released" and schedule == "prophet"):
        return True
    masks = now.canvas.masks
    before = now.history[-1].prediction.top_tokens[masks, 0] if now.history else np.full(len(masks), -1)
    return bool((now.prediction.top_tokens[masks, 0] == before).all())


def _remaining_height(schedule: str, progress: float, rate: float) -> float:
    """Return the fraction of its fall that a threshold still has before it, at a progress from 0 to 1."""
    if schedule == "linear":
        return 1 - progress
    return (1 + math.cos(math.pi * progress)) / 2 if schedule == "cosine" else math.exp(-rate * progress)
