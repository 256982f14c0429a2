"""Dream's `topk_margin` order."""

from __future__ import annotations

from typing import Annotated

from app.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(budget="schedule")
def margin(
    now: Snapshot,
    *,
    alg_temp: Annotated[float, Knob(0.0, 2.0, "0 takes the surest; more draws from softmax(score / alg_temp)")] = 0.0,
    raw: Annotated[
        bool, Knob(0, 1, "score before temperature and top-p; off is Dream's own way, with many ties")
    ] = True,
) -> Selection:
    """Commit where the best token leads the second best by most, whatever was drafted there.

    Kim et al., 2025, Train for the Worst, Plan for the Best, arXiv:2502.06768; Ye et al., 2025, Dream 7B,
    arXiv:2508.15487
    """
    scores = now.prediction.margin if raw else now.prediction.drawn_margin
    return Selection(commit=now.drawn(scores, alg_temp)[: now.share])
