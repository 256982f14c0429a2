"""From the middle to both ends."""

from __future__ import annotations

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import strategy


@strategy(title="From the middle outwards", group="By place", budget="orders")
def middle_out(now: Snapshot) -> Selection:
    """Commit from the middle outwards, alternating sides: the first token is as far as possible from known text.

    Several gaps are filled from their own middles, all at the same time.
    """
    scores = np.zeros(len(now.canvas))
    for gap in now.canvas.gaps:
        places = np.arange(len(gap))
        from_end = np.minimum(places, places[::-1])
        scores[gap.start : gap.stop] = from_end - from_end.max(initial=0)
    return now.commit_first(now.rank(scores), 1)
