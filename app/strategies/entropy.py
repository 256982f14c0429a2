"""Dream's `entropy` order."""

from __future__ import annotations

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import AlgTemp, Raw, strategy


@strategy(title="Least undecided first", group="By sureness", budget="schedule")
def entropy(
    now: Snapshot,
    *,
    alg_temp: AlgTemp = 0.0,
    raw: Raw = True,
) -> Selection:
    """Commit the positions with the lowest entropy: the order that Dream recommends.

    Ye et al., 2025, Dream 7B, arXiv:2508.15487

    Deviates: Dream's count is floor(m (1 - s / t)) for m masks, with times from 1 to 0.001, so it commits one fewer
    wherever the steps left divide the masks, sometimes none; here it is floor(m / steps left), at least one.
    """
    scores = -now.prediction.entropy if raw else -now.prediction.drawn_entropy
    return Selection(commit=now.draw_ranking(scores, alg_temp)[: now.share])
