"""The first-hitting sampler."""

from __future__ import annotations

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import strategy


@strategy(title="One at a time, at random", group="By place", budget="orders")
def first_hitting(now: Snapshot) -> Selection:
    """Commit one token per step in random order: the exact limit of infinitely many random slots.

    Continuous time tau runs from 1 to 0; the next of n masked tokens is hit at tau u^(1/n), with u uniform. The time is
    only recorded in the note `tau`; if part of the span was written before the run, it starts from the masked fraction.

    Zheng et al., 2024, Masked Diffusion Models Are Secretly Time-Agnostic, arXiv:2409.02908

    Deviates: with fewer steps than masks, equal groups are committed.
    """
    masks = now.canvas.masks
    tau = now.history[-1].selection.notes["tau"] if now.history else now.masks_at_start / len(now.canvas.span)
    for hit in range(now.pace):
        tau *= now.rng.random() ** (1 / (len(masks) - hit))
    return now.commit_first(now.rng.permutation(masks), 1, tau=tau)
