"""KLASS: KL-adaptive stability sampling."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, Tau, strategy


@strategy(title="Above a bar and settled", group="Above a bar", budget="cap", lookback=1, ranks="drafts")
def klass(
    now: Snapshot,
    *,
    tau: Tau = 0.6,
    # Not calibrated: tau already reaches the preset's certainty, and a settled belief is an extra condition.
    epsilon: Annotated[
        float,
        Knob(
            0.0,
            1.0,
            "a belief has settled if it moves by less than this in a step, in nats; 0 writes one token at a time",
        ),
    ] = 0.01,
    patience: Annotated[int, Knob(1, 8, "steps for which a belief must have been settled")] = 2,
) -> Selection:
    """Commit every draft above a threshold whose belief has settled, or else the surest ones, an equal share.

    A belief moves by its KL divergence, over the whole vocabulary, from the belief in the previous step. The first step
    has no previous one. If no belief has settled, the surest drafts are committed, as many as LLaDA's schedule has for
    the step: with T = N, one.

    Kim et al., 2025, KLASS, arXiv:2511.05664

    Deviates: if earlier steps have committed fewer than the schedule, more are committed than have settled, so that the
    budget suffices. A draft exactly at the threshold passes, as in the code for Dream; in that for LLaDA it fails.
    """
    recent = [now.prediction, *(step.prediction for step in reversed(now.history))][:patience]
    moved = np.max([prediction.drift[:, 0] for prediction in recent], axis=0)
    confidence = now.prediction.confidence
    passes = (confidence >= tau) & (moved < epsilon)
    if passes[now.canvas.masks].any():
        return now.commit_passing(passes, confidence, threshold=tau)
    return now.commit_first(now.rank(confidence), now.planned, passed=0, threshold=tau)
