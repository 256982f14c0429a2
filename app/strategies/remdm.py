"""ReMDM: masked diffusion with random remasking."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, OneOf, strategy
from models.denoiser import Floats

HOLD_FROM, HOLD_KNOWN = 0.55, 0.9
"""The loop starts with this fraction of the steps left and keeps this fraction of the span known, as in the release."""


@strategy(title="Takes back some at random", group="Second thoughts", budget="exact")
def remdm(
    now: Snapshot,
    *,
    variant: Annotated[
        str,
        OneOf(
            ("cap", "rescale", "loop", "confidence"),
            "cap: at the rate eta; rescale: at that share of the most; loop: only late; confidence: unsure first",
        ),
    ] = "cap",
    eta: Annotated[
        float, Knob(0.0, 1.0, "probability that a token is taken back in a step; 0 is the same as random")
    ] = 0.05,
) -> Selection:
    """Commit tokens at random and remask some at random, so that more steps allow more corrections.

    The slots are those of `random`. Each slot commits extra tokens to make up for those it remasks, so the expected
    number of masks follows the schedule, from the masks at the start to none. Slots in which nothing happens are
    skipped; if the canvas is full, they are skipped until a token is remasked. `confidence` more often remasks tokens
    that were less probable when they were committed.

    Wang et al., 2025, Remasking Discrete Diffusion Models with Inference-Time Scaling, arXiv:2503.00307

    Deviates: nothing is remasked in the last tenth of the slots, so `loop` ends there and not at a twentieth. The mean
    rate of `confidence` is that of `cap`.
    """
    canvas, steps = now.canvas, now.steps
    loop = variant == "loop" and eta > 0  # without a rate nothing is ever remasked
    final = now.final_steps if eta else steps
    sure = np.where(canvas.masked, now.prediction.confidence, now.scores_at_commit("confidence"))
    slot = int(now.history[-1].selection.notes["slot"]) if now.history else 0
    share = now.masks_at_start / len(canvas.span)
    masked, changed, rate = canvas.masked.copy(), False, 0.0
    while not changed or (not masked.any() and steps - slot > final):
        left = max(1, steps - slot)  # 1 again if a ban has kept masks after the last slot
        slot = min(slot + 1, steps)
        # Expected masks if the span had as many positions as there are slots, before and after this one.
        before, after = _loop_schedule(now, left) if loop else (share * left, share * (left - 1))
        highest = 1.0 if before >= steps else min(1.0, after / (steps - before))
        rate = eta * highest if variant == "rescale" else min(eta, highest)
        if left <= final or (loop and left > HOLD_FROM * steps):
            rate = 0.0
        masks, known = np.flatnonzero(masked), np.flatnonzero(canvas.editable & ~masked)
        revealed = masks[now.rng.random(len(masks)) * before < before - after + rate * (steps - before)]
        if rate:
            rates = _rates(sure[known], rate) if variant == "confidence" else rate
            masked[known[now.rng.random(len(known)) < rates]] = True
        changed = changed or len(revealed) > 0 or int(masked.sum()) > len(masks)
        masked[revealed] = False
    commit, remask = np.flatnonzero(canvas.masked & ~masked), np.flatnonzero(masked & ~canvas.masked)
    return Selection(commit=commit, remask=remask, notes={"slot": slot, "rate": rate})


def _loop_schedule(now: Snapshot, left: int) -> tuple[float, float]:
    """Return the expected masks before and after a slot: down to a tenth, held there, down to 0 at the end.

    If there are fewer at the start, their number is held.
    """
    steps, final, share = now.steps, now.final_steps, now.masks_at_start / len(now.canvas.span)
    held = min(1 - HOLD_KNOWN, share) * steps
    before, after = np.interp(
        [left, left - 1], [0, final, max(final, HOLD_FROM * steps), steps], [0, held, held, share * steps]
    )
    return float(before), float(after)


def _rates(sure: Floats, rate: float) -> Floats:
    """Return rates proportional to exp(-probability) with mean `rate`, each at most 1."""
    weights = np.exp(-sure)
    return np.minimum(1.0, rate * weights / weights.mean()) if len(sure) else weights
