"""Dream's `maskgit_plus` order."""

from __future__ import annotations

from typing import Annotated

from app.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(budget="schedule")
def maskgit(
    now: Snapshot,
    *,
    alg_temp: Annotated[float, Knob(0.0, 2.0, "0 takes the surest; more draws from softmax(score / alg_temp)")] = 0.0,
    raw: Annotated[
        bool, Knob(0, 1, "score before temperature and top-p; off is Dream's own way, with many ties")
    ] = True,
) -> Selection:
    """Commit the drafts of highest probability, the shares rounded down: Dream's confidence order.

    Chang et al., 2022, MaskGIT, arXiv:2202.04200; Ye et al., 2025, Dream 7B, arXiv:2508.15487
    """
    scores = now.prediction.confidence if raw else now.prediction.drawn_confidence
    return Selection(commit=now.drawn(scores, alg_temp)[: now.share])
