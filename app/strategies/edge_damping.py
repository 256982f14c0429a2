"""Confidence, damped before the suffix."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, OneOf, strategy


@strategy(title="Surest first, ends later", group="By sureness", budget="schedule", ranks="drafts")
def edge_damping(
    now: Snapshot,
    *,
    damping: Annotated[
        float, Knob(0.0, 1.0, "share of its score that the last place before the suffix loses at first; 0 turns it off")
    ] = 0.5,
    reach: Annotated[
        float, Knob(0.25, 16.0, "how far from the suffix that reaches, in tokens: there it has fallen to a third")
    ] = 2.0,
    score: Annotated[str, OneOf(("confidence", "margin", "entropy"), "the score that ranks the places")] = "confidence",
) -> Selection:
    """Commit the surest drafts, but early in a run trust positions right before the suffix less.

    Models are overconfident next to known text on the right, and would commit there too soon. The score d positions
    before a gap's last one is multiplied by 1 - damping (1 - known) exp(-d / reach), where known is the committed
    fraction of the span. A gap that ends the text is not damped.

    After arXiv:2605.28181

    Deviates: the observation is the paper's; the factor is our own.
    """
    prediction, canvas = now.prediction, now.canvas
    scores = {
        "confidence": prediction.confidence,
        "margin": prediction.margin,
        "entropy": np.exp(-prediction.entropy),
    }[score]
    damped = damping * len(canvas.masks) / len(canvas.span)
    _, right = canvas.from_edges
    nearness = np.exp(-right / reach)
    if canvas.gaps[-1].stop == len(canvas):
        nearness[canvas.gaps[-1].start :] = 0.0
    return now.commit_first(now.rank(scores * (1 - damped * nearness)), 1, damped=damped)
