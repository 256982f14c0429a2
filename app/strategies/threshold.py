"""Fast-dLLM's parallel decoding by a confidence threshold."""

from __future__ import annotations

from typing import Annotated

from app.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(budget="cap")
def threshold(
    now: Snapshot,
    *,
    tau: Annotated[float, Knob(0.0, 1.0, "commit at this probability or above; small models need less than 0.9")] = 0.9,
) -> Selection:
    """Commit every draft whose probability reaches a threshold, or else the surest one.

    Wu et al., 2025, Fast-dLLM, arXiv:2505.22618
    """
    order = now.ranked(now.prediction.confidence)
    passed = int((now.prediction.confidence[order] >= tau).sum())
    return now.first(order, max(1, passed), threshold=tau, passed=passed)
