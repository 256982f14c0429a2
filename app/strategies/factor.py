"""Fast-dLLM's parallel decoding by the factor rule."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(title="Higher bar for more at once", group="Above a bar", budget="cap", ranks="drafts")
def factor(
    now: Snapshot,
    *,
    factor: Annotated[
        float,
        Knob(
            0.0,
            10.0,
            "larger writes more at once; up to 1, the text is the same as one by one",
            calibrated=lambda at: 3 * (1 - at["confidence"]),  # two drafts of this confidence just fail
        ),
    ] = 1.0,
) -> Selection:
    """Commit the n surest drafts while (n + 1) (1 - the n-th confidence) stays below a factor.

    Up to factor 1, greedy parallel decoding agrees with greedy decoding one by one.

    Wu et al., 2025, Fast-dLLM, arXiv:2505.22618

    Deviates: this follows the formula; the published code commits one token too many if only the last rank fails.
    """
    order = now.rank(now.prediction.confidence)
    ranks = np.arange(1, len(order) + 1)
    # Both factors grow along the order, so the ranks that pass are the first ones.
    passed = int(((ranks + 1) * (1 - now.prediction.confidence[order]) < factor).sum())
    return now.commit_first(order, max(1, passed), threshold=1 - factor / (max(1, passed) + 1), passed=passed)
