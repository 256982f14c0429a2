"""Any confidence, damped before the suffix."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, OneOf, strategy


@strategy(budget="schedule")
def edge_damping(
    now: Snapshot,
    *,
    damping: Annotated[float, Knob(0.0, 1.0, "what a score just before the suffix loses at first; 0 is none")] = 0.5,
    reach: Annotated[float, Knob(0.25, 16.0, "positions over which that falls to a third")] = 2.0,
    score: Annotated[
        str, OneOf(("confidence", "margin", "entropy"), "which score: the draft's, the lead, or exp(-entropy)")
    ] = "confidence",
) -> Selection:
    """Commit the surest drafts, but trust less, early on, what stands right before the suffix.

    Next to an anchor on the right models are overconfident, and commit there too soon. The score d positions before a
    gap's last one is multiplied by 1 - damping (1 - known) exp(-d / reach), known being the committed part of the span;
    not in a gap that ends the text.

    The observation is arXiv:2605.28181; this factor is our own
    """
    prediction, canvas = now.prediction, now.canvas
    scores = {
        "confidence": prediction.confidence,
        "margin": prediction.margin,
        "entropy": np.exp(-prediction.entropy),
    }[score]
    lost = damping * len(canvas.masks) / len(canvas.span)
    _, right = canvas.from_edges
    near = np.exp(-right / reach)
    if canvas.gaps[-1].stop == len(canvas):
        near[canvas.gaps[-1].start :] = 0.0
    return now.commit_first(now.rank(scores * (1 - lost * near)), 1, damped=lost)
