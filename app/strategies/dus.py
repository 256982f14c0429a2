"""The dilated unmasking schedule."""

from __future__ import annotations

import itertools
from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(title="A grid that gets denser", group="By place", budget="cap")
def dus(
    now: Snapshot,
    *,
    base: Annotated[int, Knob(2, 8, "how many times denser each round is; larger takes fewer rounds")] = 2,
    block: Annotated[int, Knob(2, 256, "longest block, in tokens; blocks are filled from left to right")] = 32,
) -> Selection:
    """Commit an evenly spaced grid of positions and make it denser each round, in about log N steps.

    The order does not depend on the model's beliefs; with base 2, no round commits neighbours. The span is cut into
    equal blocks, and each is treated as the start of a block whose length is a power of the base. If there are too few
    steps, the first and smallest rounds are merged.

    Luxembourg et al., 2025, Plan for Speed, arXiv:2506.19037
    """
    span, masked = now.canvas.span, now.canvas.masked
    blocks = min(-(-len(span) // block), now.steps)
    edges = np.linspace(0, len(span), blocks + 1).round().astype(int)
    current = next(span[a:b] for a, b in itertools.pairwise(edges) if masked[span[a:b]].any())
    rounds = 1
    while base**rounds < len(current):
        rounds += 1
    rounds = min(rounds, now.steps // blocks)
    strides = [base**exponent for exponent in reversed(range(rounds))]
    stride = next(stride for stride in strides if masked[current[::stride]].any())
    grid = current[::stride]
    return Selection(commit=grid[masked[grid]], notes={"stride": stride})
