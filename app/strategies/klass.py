"""KLASS: KL-adaptive stability sampling."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, Tau, strategy


@strategy(budget="cap", lookback=1)
def klass(
    now: Snapshot,
    *,
    tau: Tau = 0.6,
    # Not calibrated: where the probability is as sure as a level asks, having settled is an extra.
    epsilon: Annotated[
        float, Knob(0.0, 1.0, "how far a settled belief may move from step to step, in nats; 0 is one token by one")
    ] = 0.01,
    patience: Annotated[int, Knob(1, 8, "for how many steps it must not have moved further")] = 2,
) -> Selection:
    """Commit every draft above a threshold whose belief has settled, or else the surest one.

    A belief moves by the KL divergence, over the whole vocabulary, from its distribution in the step before. The first
    step has none before it, so several are committed at once from step patience + 1 on, or where the budget hurries.

    Kim et al., 2025, KLASS, arXiv:2511.05664
    """
    recent = [now.prediction, *(step.prediction for step in reversed(now.history))][:patience]
    moved = np.max([prediction.drift[:, 0] for prediction in recent], axis=0)
    sure = now.prediction.confidence >= tau
    return now.commit_passing(sure & (moved < epsilon), now.prediction.confidence, threshold=tau)
