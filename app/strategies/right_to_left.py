"""From right to left."""

from __future__ import annotations

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import strategy


@strategy(title="Right to left", group="By place", budget="orders")
def right_to_left(now: Snapshot) -> Selection:
    """Commit from right to left, from the suffix back to the prefix."""
    return now.commit_first(now.canvas.masks[::-1], 1)
