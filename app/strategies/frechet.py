"""Parallel decoding by the Fréchet bound on the joint probability."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(title="While sure of all at once", group="Above a bar", budget="cap", ranks="drafts")
def frechet(
    now: Snapshot,
    *,
    delta: Annotated[
        float,
        Knob(
            0.0,
            1.0,
            "how far the tokens together must lead any other text, in probability; 1 writes one token at a time",
            calibrated=lambda at: 3 * at["confidence"] - 2,  # two drafts of this confidence just fail
        ),
    ] = 0.25,
) -> Selection:
    """Commit the n surest drafts while their joint probability is sure to lead any other text's by delta.

    However the tokens depend on each other, their joint probability is at least sum c - (n - 1), and that of a text
    that differs anywhere is at most 1 - c_n. The rule is from Fast-dLLM++ (2026) and builds on a theorem of

    Wu et al., 2025, Fast-dLLM, arXiv:2505.22618
    """
    order = now.rank(now.prediction.confidence)
    sure = now.prediction.confidence[order]
    joint = np.cumsum(sure) - np.arange(len(sure))
    lead = joint - (1 - sure)  # never increases along the order
    passed = int((lead > delta).sum())
    chosen = max(1, passed, now.pace)
    return now.commit_first(order, chosen, joint=max(0.0, joint[chosen - 1]), lead=lead[chosen - 1], passed=passed)
