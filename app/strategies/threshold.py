"""Fast-dLLM's parallel decoding by a confidence threshold."""

from __future__ import annotations

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Tau, strategy


@strategy(title="All above a bar", group="Above a bar", budget="cap", ranks="drafts")
def threshold(
    now: Snapshot,
    *,
    tau: Tau = 0.9,
) -> Selection:
    """Commit every draft whose probability reaches a threshold, or else the surest one.

    Wu et al., 2025, Fast-dLLM, arXiv:2505.22618
    """
    return now.commit_passing(now.prediction.confidence >= tau, now.prediction.confidence, threshold=tau)
