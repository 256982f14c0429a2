"""AHD: anchor-based history-stable decoding."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy

LONGEST = 6
SMALLEST = 4
"""Tokens of a block: in shorter ones there is no choice of what comes first."""


@strategy(budget="cap", lookback=LONGEST - 1)
def ahd(
    now: Snapshot,
    *,
    blocks: Annotated[
        int, Knob(1, 16, "blocks of 4 tokens or more, filled from the left; 1 is the strategy threshold")
    ] = 4,
    tau: Annotated[
        float,
        Knob(
            0.0,
            1.0,
            "in the current block commit at this probability or above; small models need less",
            calibrated=lambda at: at["confidence"],
        ),
    ] = 0.9,
    epsilon: Annotated[
        float,
        Knob(
            0.0,
            1.0,
            "in later blocks commit what has drifted by less, in nats",
            calibrated=lambda at: at["drift"],
        ),
    ] = 0.01,
    window: Annotated[int, Knob(2, LONGEST, "predictions that must agree, the present one included")] = LONGEST,
    decay: Annotated[float, Knob(0.0, 4.0, "how much less each older prediction counts; 0 is not at all")] = 0.5,
) -> Selection:
    """Fill block by block above a threshold, and ahead of it what has long been believed the same.

    The present belief is the anchor: its KL divergences from those of the last steps, over the whole vocabulary, are
    averaged with weights e^(-decay age). A block gets a token in every step. Before step `window` there is too little
    history, so short gaps are filled block by block only.

    Zou et al., 2026, Breaking Block Boundaries, arXiv:2604.08964; the default of decay is not the paper's
    """
    canvas, confidence = now.canvas, now.prediction.confidence
    parts = np.array_split(canvas.span, max(1, min(blocks, len(canvas.span) // SMALLEST)))
    number, block = next((n, part) for n, part in enumerate(parts, start=1) if canvas.masked[part].any())
    current = np.isin(np.arange(len(canvas)), block)
    weights = np.exp(-decay * np.arange(1, window))
    drift = now.prediction.drift[:, : window - 1] @ (weights / weights.sum())
    passes = np.where(current, confidence >= tau, drift < epsilon)
    scores = np.where(current, confidence, confidence - 2)  # later blocks last
    passes[now.rank(scores)[0]] = True
    ahead = int((passes & canvas.masked & ~current).sum())
    return now.commit_passing(passes, scores, threshold=tau, block=number, ahead=ahead)
