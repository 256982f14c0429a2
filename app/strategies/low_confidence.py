"""LLaDA's low-confidence remasking, with semi-autoregressive blocks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(title="Surest first", group="By sureness", budget="schedule", ranks="drafts")
def low_confidence(
    now: Snapshot,
    *,
    blocks: Annotated[
        int, Knob(1, 16, "cut the gap into this many blocks and fill them from left to right; 1 is no blocks")
    ] = 1,
) -> Selection:
    """Commit the most confident drafts, an equal share each step; the rest stay masked.

    Confidence is the probability of the drafted token at temperature 1. With blocks, the steps of each are fixed before
    the run, in proportion to its masks, so T = N always means one token per step.

    Nie et al., 2025, LLaDA, arXiv:2502.09992

    Deviates: blocks need not be equal, nor the steps a multiple of their number; where they are, the schedule is the
    paper's.
    """
    span, masked = now.canvas.span, now.canvas.masked
    edges = np.linspace(0, len(span), min(blocks, len(span), now.steps) + 1).round().astype(int)
    parts = [span[a:b] for a, b in itertools.pairwise(edges)]
    ends = _step_edges([int(now.start.masked[part].sum()) for part in parts], now.steps)
    current = next(number for number, part in enumerate(parts) if masked[part].any())
    left = int(masked[parts[current]].sum())
    count = -(-left // max(1, ends[current] - now.step + 1))
    scores = now.prediction.confidence.copy()
    scores[span[edges[current + 1] :]] = -1.0
    return Selection(commit=now.rank(scores)[:count], notes={"block": current + 1} if blocks > 1 else {})


def _step_edges(masks: Sequence[int], steps: int) -> list[int]:
    """Return [blocks] the number of the last step of each block, with these masks at the start.

    Each block with masks has at least one step. The last one has all steps that are left, even if it has fewer masks.
    """
    total, done, end, ends = sum(masks), 0, 0, []
    planned, later = min(steps, total), sum(number > 0 for number in masks)
    for number in masks:
        done += number
        if number:
            later -= 1
            rounded = (2 * planned * done + total) // (2 * total)  # halves are rounded up
            end = max(end + 1, min(rounded, planned - later))
        ends.append(steps if done == total else end)
    return ends
