"""Dream's `maskgit_plus` order."""

from __future__ import annotations

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import AlgTemp, Raw, strategy


@strategy(title="Surest first, slow start", group="By sureness", budget="schedule", ranks="drafts")
def maskgit(
    now: Snapshot,
    *,
    alg_temp: AlgTemp = 0.0,
    raw: Raw = True,
) -> Selection:
    """Commit the most probable drafts, an equal share (rounded down) each step: Dream's confidence order.

    Chang et al., 2022, MaskGIT, arXiv:2202.04200; Ye et al., 2025, Dream 7B, arXiv:2508.15487

    Deviates: Dream's count is floor(m (1 - s / t)) for m masks, with times from 1 to 0.001, so it commits one fewer
    wherever the steps left divide the masks, sometimes none; here it is floor(m / steps left), at least one.
    At temperature 0 Dream still cuts to top-p before it measures a confidence; here top-p has no effect then.
    """
    scores = now.prediction.confidence if raw else now.prediction.drawn_confidence
    return Selection(commit=now.draw_ranking(scores, alg_temp)[: now.share])
