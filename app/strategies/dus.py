"""The dilated unmasking schedule."""

from __future__ import annotations

import itertools
from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(title="A grid that gets denser", group="By place", budget="cap", ranks="drafts")
def dus(
    now: Snapshot,
    *,
    base: Annotated[int, Knob(2, 8, "how many times denser each round is; larger takes fewer rounds")] = 2,
    block: Annotated[int, Knob(2, 256, "longest block, in tokens; blocks are filled from left to right")] = 32,
    unsure: Annotated[
        float,
        Knob(
            0.0, 1.0, "a draft below this probability waits for the last round of its block; the released code has 0.3"
        ),
    ] = 0.0,
) -> Selection:
    """Commit an evenly spaced grid of positions and make it denser each round, in about log N steps.

    With `unsure` 0, the order does not depend on the model's beliefs, and with base 2, no round commits neighbours. The
    span is cut into equal blocks, and each is treated as the start of a block whose length is a power of the base. If
    there are too few steps, the first and smallest rounds are merged.

    Luxembourg et al., 2025, Plan for Speed, arXiv:2506.19037

    Deviates: `unsure` is 0, as in the paper's schedule; the released code has 0.3, and does not come back to what it
    left masked. It also halves the length of a block rounding down and joins a small last round to the one before, so
    its rounds are others unless the length is a power of 2; these follow the paper's equations.
    """
    span, masked, confidence = now.canvas.span, now.canvas.masked, now.prediction.confidence
    blocks = min(-(-len(span) // block), now.steps)
    edges = np.linspace(0, len(span), blocks + 1).round().astype(int)
    parts = [span[a:b] for a, b in itertools.pairwise(edges)]
    number, current = next((n, part) for n, part in enumerate(parts, start=1) if masked[part].any())
    rounds = 1
    while base**rounds < len(current):
        rounds += 1
    rounds = min(rounds, now.steps // blocks)
    last = now.history[-1].selection.notes if now.history else {"block": 0.0}
    bound = last["stride"] if last["block"] == number else np.inf
    strides = [stride for stride in (base**n for n in reversed(range(rounds))) if stride < bound] or [1]
    # A round in which nothing is sure enough needs no forward pass of its own: the next one has the same belief.
    ready = masked & (confidence >= unsure)
    stride = next((stride for stride in strides if ready[current[::stride]].any()), 1)
    grid = current[::stride]
    commit = grid[(masked if stride == 1 else ready)[grid]]
    return Selection(
        commit=commit, notes={"stride": stride, "block": number, "kept": int(masked[grid].sum()) - len(commit)}
    )
