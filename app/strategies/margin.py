"""Dream's `topk_margin` order."""

from __future__ import annotations

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import AlgTemp, Raw, strategy


@strategy(title="Clearest lead first", group="By sureness", budget="schedule")
def margin(
    now: Snapshot,
    *,
    alg_temp: AlgTemp = 0.0,
    raw: Raw = True,
) -> Selection:
    """Commit where the best token has the largest lead over the second best, whatever was drafted there.

    Kim et al., 2025, Train for the Worst, Plan for the Best, arXiv:2502.06768; Ye et al., 2025, Dream 7B,
    arXiv:2508.15487

    Deviates: Dream's count is floor(m (1 - s / t)) for m masks, with times from 1 to 0.001, so it commits one fewer
    wherever the steps left divide the masks, sometimes none; here it is floor(m / steps left), at least one.
    """
    scores = now.prediction.margin if raw else now.prediction.drawn_margin
    return Selection(commit=now.draw_ranking(scores, alg_temp)[: now.share])
