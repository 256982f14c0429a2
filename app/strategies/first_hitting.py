"""The first-hitting sampler."""

from __future__ import annotations

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import strategy


@strategy(budget="orders")
def first_hitting(now: Snapshot) -> Selection:
    """Reveal one token a step, in random order: the exact limit of infinitely many random slots.

    The continuous time at which the next of n masked tokens is hit is tau u^(1/n), u uniform; it runs from 1 to 0 and
    changes nothing but the note `tau`. With fewer steps than masks, equal groups are revealed.

    Zheng et al., 2024, Masked Diffusion Models Are Secretly Time-Agnostic, arXiv:2409.02908
    """
    masks = now.canvas.masks
    tau = now.history[-1].selection.notes["tau"] if now.history else 1.0
    for hit in range(now.pace):
        tau *= now.rng.random() ** (1 / (len(masks) - hit))
    return now.commit_first(now.rng.permutation(masks), 1, tau=tau)
