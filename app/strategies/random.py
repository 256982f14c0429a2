"""DiffuLLaMA's quick-start sampler, with a random time slot for each token."""

from __future__ import annotations

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import strategy


@strategy(title="In random order", group="By place", budget="exact")
def random(now: Snapshot) -> Selection:
    """Commit each token in one of T time slots, drawn at random: the checkpoints' own sampler.

    The original commits each masked token with probability 1/(t+1) at t = T-1, ..., 1 and the rest at the end, so each
    token's slot is uniform over 1..T. Slots that commit nothing need no forward pass and are skipped.

    Gong et al., 2025, DiffuLLaMA, arXiv:2410.17891 (quick-start sampler)
    """
    masks = now.canvas.masks
    slot = int(now.history[-1].selection.notes["slot"]) if now.history else 0
    commit = masks[:0]
    while not len(commit):
        slot += 1
        commit = masks[now.rng.random(len(masks)) * (now.steps - slot + 1) < 1]
    return Selection(commit=commit, notes={"slot": slot, "collisions": len(commit) - 1})
