"""LLaDA's low-confidence remasking, with semi-autoregressive blocks."""

from __future__ import annotations

import itertools
from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(title="Surest first", group="By sureness", budget="schedule")
def low_confidence(
    now: Snapshot,
    *,
    blocks: Annotated[
        int, Knob(1, 16, "cut the gap into this many blocks and fill them from left to right; 1 is no blocks")
    ] = 1,
) -> Selection:
    """Commit the most confident drafts, an equal share each step; the rest stay masked.

    Confidence is the probability of the drafted token at temperature 1. With blocks, steps are divided in proportion to
    block length, so T = N always means one token per step.

    Nie et al., 2025, LLaDA, arXiv:2502.09992
    """
    span = now.canvas.span
    edges = np.linspace(0, len(span), min(blocks, len(span), now.steps) + 1).round().astype(int)
    left = [int(now.canvas.masked[span[a:b]].sum()) for a, b in itertools.pairwise(edges)]
    current = next(block for block, masks in enumerate(left) if masks)
    later = sum(left[current + 1 :])
    # Steps for this block: its share of those remaining, at least one, and one is kept for each later block.
    share = round(now.remaining * left[current] / (left[current] + later))
    share = max(1, min(share, now.remaining - sum(masks > 0 for masks in left[current + 1 :])))
    count = -(-left[current] // share)
    scores = now.prediction.confidence.copy()
    scores[span[edges[current + 1] :]] = -1.0
    return Selection(commit=now.rank(scores)[:count], notes={"block": current + 1} if blocks > 1 else {})
