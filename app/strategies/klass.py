"""KLASS: KL-adaptive stability sampling."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, Tau, strategy


@strategy(title="Above a bar and settled", group="Above a bar", budget="cap", lookback=1)
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
    """Commit every draft above a threshold whose belief has settled, or else the surest one.

    A belief moves by its KL divergence, over the whole vocabulary, from the belief in the previous step. The first step
    has no previous one, so several tokens are committed together only from step patience + 1 on, or if the budget
    requires it.

    Kim et al., 2025, KLASS, arXiv:2511.05664
    """
    recent = [now.prediction, *(step.prediction for step in reversed(now.history))][:patience]
    moved = np.max([prediction.drift[:, 0] for prediction in recent], axis=0)
    sure = now.prediction.confidence >= tau
    return now.commit_passing(sure & (moved < epsilon), now.prediction.confidence, threshold=tau)
