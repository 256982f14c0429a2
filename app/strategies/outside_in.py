"""From both ends to the middle."""

from __future__ import annotations

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import strategy


@strategy(title="From both ends inwards", group="By place", budget="orders")
def outside_in(now: Snapshot) -> Selection:
    """Commit from both ends inwards, alternating sides, so that prefix and suffix meet in the middle.

    Several gaps are filled from their own ends, and all reach their middles at the same time.
    """
    scores = np.zeros(len(now.canvas))
    for gap in now.canvas.gaps:
        places = np.arange(len(gap))
        scores[gap.start : gap.stop] = -np.minimum(places, places[::-1])
    return now.commit_first(now.rank(scores), 1)
