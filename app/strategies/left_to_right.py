"""From left to right."""

from __future__ import annotations

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import strategy


@strategy(title="Left to right", group="By place", budget="orders")
def left_to_right(now: Snapshot) -> Selection:
    """Commit from left to right, as an autoregressive model does, but knowing the suffix."""
    return now.commit_first(now.canvas.masks, 1)
