"""From both ends to the middle."""

from __future__ import annotations

import numpy as np

from app.step import Selection, Snapshot
from app.strategies.registry import strategy


@strategy(budget="orders")
def outside_in(now: Snapshot) -> Selection:
    """Commit from both ends in turn, so that the prefix and the suffix meet in the middle."""
    span, places = now.canvas.span, np.arange(len(now.canvas))
    return now.first(now.ranked(-np.minimum(places - span[0], span[-1] - places).astype(float)), 1)
