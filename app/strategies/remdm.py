"""ReMDM: masked diffusion that may take tokens back."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, OneOf, strategy
from models.denoiser import Floats

HOLD_FROM, HOLD_KNOWN = 0.55, 0.9
"""The loop begins with this part of the steps left, and holds this part of the span known: the release's values."""


@strategy(budget="exact")
def remdm(
    now: Snapshot,
    *,
    variant: Annotated[
        str,
        OneOf(
            ("cap", "rescale", "loop", "confidence"),
            "eta as a rate, or as a part of the highest rate; only once most is known; or aimed at unsure tokens",
        ),
    ] = "cap",
    eta: Annotated[
        float, Knob(0.0, 1.0, "how likely a token is taken back in a slot; 0 is the strategy random")
    ] = 0.05,
) -> Selection:
    """Reveal tokens at random and take some back at random: more steps give more second thoughts.

    The slots are those of `random`. A slot reveals as many more as it takes back, so the masks keep to the schedule in
    expectation. Slots in which nothing happens are passed over, also on a full canvas, which waits for a token to be
    taken back; that never happens in the last tenth. `confidence` weighs tokens by their probability when they were
    written; unlike the release's, its rates have the mean of `cap`.

    Wang et al., 2025, Remasking Discrete Diffusion Models with Inference-Time Scaling, arXiv:2503.00307
    """
    canvas, steps = now.canvas, now.steps
    loop = variant == "loop" and eta > 0  # without a rate there is nothing to wait for
    settling = now.final_steps if eta else steps
    sure = np.where(canvas.masked, now.prediction.confidence, now.scores_at_commit("confidence"))
    slot = int(now.history[-1].selection.notes["slot"]) if now.history else 0
    masked, moved, rate = canvas.masked.copy(), False, 0.0
    while not moved or (not masked.any() and steps - slot > settling):
        left = max(1, steps - slot)  # in the last slot everything is revealed; a ban may have kept something back
        slot = min(slot + 1, steps)
        # Expected masks if the span had as many positions as there are slots, before and after this one.
        before, after = _loop(steps, now.final_steps, left) if loop else (left, left - 1)
        highest = 1.0 if before >= steps else min(1.0, after / (steps - before))
        rate = eta * highest if variant == "rescale" else min(eta, highest)
        if left <= settling or (loop and left > HOLD_FROM * steps):
            rate = 0.0
        masks, known = np.flatnonzero(masked), np.flatnonzero(canvas.editable & ~masked)
        reveal = masks[now.rng.random(len(masks)) * before < before - after + rate * (steps - before)]
        if rate:
            rates = _aimed(sure[known], rate) if variant == "confidence" else rate
            masked[known[now.rng.random(len(known)) < rates]] = True
        moved = moved or len(reveal) > 0 or int(masked.sum()) > len(masks)
        masked[reveal] = False
    commit, remask = np.flatnonzero(canvas.masked & ~masked), np.flatnonzero(masked & ~canvas.masked)
    return Selection(commit=commit, remask=remask, notes={"slot": slot, "rate": rate})


def _loop(steps: int, settling: int, left: int) -> tuple[float, float]:
    """Expected masks before and after a slot: down to a tenth, held there, and down to nothing in the last slots."""
    held = (1 - HOLD_KNOWN) * steps
    before, after = np.interp(
        [left, left - 1], [0, settling, max(settling, HOLD_FROM * steps), steps], [0, held, held, steps]
    )
    return float(before), float(after)


def _aimed(sure: Floats, rate: float) -> Floats:
    """Rates of mean `rate` (where none would exceed 1) in proportion to softmax(-probability)."""
    weights = np.exp(-sure)
    return np.minimum(1.0, rate * weights / weights.mean()) if len(sure) else weights
