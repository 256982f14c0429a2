"""AHD: anchor-based history-stable decoding."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy

LONGEST = 6
"""Largest `window`."""
SMALLEST = 4
"""Fewest tokens in a block: a shorter one leaves no choice of order."""


@strategy(title="Above a bar, block by block", group="Above a bar", budget="cap", lookback=LONGEST - 1, ranks="drafts")
def ahd(
    now: Snapshot,
    *,
    blocks: Annotated[
        int, Knob(1, 16, "blocks of 4 or more tokens, filled from left to right; 1 is the same as threshold")
    ] = 4,
    tau: Annotated[
        float,
        Knob(
            0.0,
            1.0,
            "the bar in the current block: write at this probability or above; small models need less",
            calibrated=lambda at: at["confidence"],
        ),
    ] = 0.9,
    epsilon: Annotated[
        float,
        Knob(
            0.0,
            1.0,
            "in later blocks: write where the model's mind has moved by less than this, in nats",
            calibrated=lambda at: at["drift"],
        ),
    ] = 0.01,
    window: Annotated[
        int, Knob(2, LONGEST, "steps, counting the present one, over which the movement is averaged")
    ] = LONGEST,
    decay: Annotated[float, Knob(0.0, 4.0, "how much less each older step counts; 0 counts all equally")] = 0.5,
) -> Selection:
    """Fill block by block above a threshold; in later blocks, commit beliefs that have long been stable.

    The current belief is the anchor: its KL divergences from the beliefs of the last steps, over the whole vocabulary,
    are averaged with weights e^(-decay age). Every step commits at least one token of the current block. Before step
    `window` there is too little history, so short gaps are filled only block by block.

    Zou et al., 2026, Breaking Block Boundaries, arXiv:2604.08964

    Deviates: the default of `decay` is our own.
    """
    canvas, confidence = now.canvas, now.prediction.confidence
    parts = np.array_split(canvas.span, max(1, min(blocks, len(canvas.span) // SMALLEST)))
    number, block = next((n, part) for n, part in enumerate(parts, start=1) if canvas.masked[part].any())
    current = np.isin(np.arange(len(canvas)), block)
    weights = np.exp(-decay * np.arange(1, window))
    drift = now.prediction.drift[:, : window - 1] @ (weights / weights.sum())
    passes = np.where(current, confidence >= tau, drift < epsilon)
    scores = np.where(current, confidence, confidence - 2)  # rank later blocks last
    passes[now.rank(scores)[0]] = True
    ahead = int((passes & canvas.masked & ~current).sum())
    return now.commit_passing(passes, scores, threshold=tau, block=number, ahead=ahead)
