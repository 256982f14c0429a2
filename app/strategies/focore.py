"""FoCore: the span's own key tokens as the condition of a contrast."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import numpy as np

from app.sampling.canvas import Canvas
from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy
from models.denoiser import Floats, Guidance, Ids

MOST = 8
"""Key tokens that are hidden from the contrasted canvas."""


@strategy(budget="cap", tops=20, least=4)
def focore(
    now: Snapshot,
    *,
    weight: Annotated[float, Knob(0.0, 4.0, "how much more the key tokens count; 0 is low_confidence")] = 0.5,
    density: Annotated[
        float, Knob(0.0, 1.0, "the part of the span that may be key tokens; 0 is low_confidence")
    ] = 0.25,
    converge: Annotated[
        float, Knob(0.0, 1.0, "beliefs that change less have converged; 0 contrasts to the end")
    ] = 0.05,
    window: Annotated[int, Knob(1, 64, "positions, from the leftmost mask on, that must have converged")] = 16,
    tau: Annotated[float, Knob(0.0, 1.0, "what is this sure in the window is then committed at once")] = 0.9,
) -> Selection:
    """Commit the surest drafts of a contrast: the text as it is against the text without its key tokens.

    Key tokens are committed ones whose beliefs changed most between two steps while they were masked, as far as the
    twenty most probable tokens show. The contrast is a pass of its own, so T steps are as many as
    about T / 2 with contrast; it takes the place of the request's guidance. Once the key tokens have been the same and
    the beliefs in the window calm for two steps, there is no more contrast, and sure drafts are committed together.

    The idea is arXiv:2605.01373 (FoCore and FoCore_A); what it leaves open is our own
    """
    confidence, changes = now.prediction.confidence, _changes(now)
    most = np.maximum(now.carry, changes[-1:].max(axis=0, initial=0.0))  # of all steps
    keys = _keys(now.canvas, most, density)
    near = now.canvas.masks[now.canvas.masks < now.canvas.masks[0] + window]
    moved = float(changes[:, near].max(initial=0.0))
    calm = bool(now.history) and now.history[-1].selection.notes["converged"] > 0
    if now.step > 2 and len(keys):
        before = _keys(now.history[-2].canvas, now.carry, density)  # of the canvas that the last step saw
        calm |= moved < converge and np.array_equal(keys, before)
    notes = {"keys": len(keys), "moved": moved, "converged": float(calm)}
    if calm:
        sure = np.zeros(len(now.canvas), dtype=np.bool_)
        sure[near] = confidence[near] >= tau
        return replace(now.commit_passing(sure, confidence, **notes), carry=most)
    if not len(keys) or not weight or now.remaining <= 1:
        return replace(now.commit_first(now.rank(confidence), 1, **notes), carry=most)
    hidden = now.canvas.ids.copy()
    hidden[keys] = now.canvas.mask_id
    (contrast,) = now.probe([now.canvas], guidance=[Guidance(ids=hidden, weight=weight)])
    chosen = now.commit_first(now.rank(contrast.confidence), 1, **notes)
    tokens, sure = contrast.candidates[chosen.commit], contrast.confidence[chosen.commit]
    return replace(chosen, tokens=tokens, confidence=sure, carry=most)


def _changes(now: Snapshot) -> Floats:
    """[<= 2, length] half the L1 distance between a mask's beliefs in the last steps and in those after them.

    0 for others. A token that is not among the twenty most probable counts as 0 there.
    """
    history = now.history[-2:]
    beliefs = [*(step.prediction for step in history), now.prediction]
    tokens = np.array([belief.top_tokens for belief in beliefs])
    probs = np.array([belief.top_probs for belief in beliefs])
    same = tokens[1:, :, :, None] == tokens[:-1, :, None, :]  # [<= 2, length, tops after, tops before]
    kept = np.abs(probs[1:] - (same * probs[:-1, :, None, :]).sum(-1)).sum(-1)
    gone = (probs[:-1] * ~same.any(2)).sum(-1)
    masked = [step.canvas.masked for step in history]
    return (kept + gone) / 2 * np.reshape(masked, kept.shape)


def _keys(canvas: Canvas, most: Floats, density: float) -> Ids:
    """[k] committed positions among the part of the span whose beliefs have changed most while they were masked."""
    span = canvas.span
    top = span[np.argsort(-most[span], kind="stable")][: math.ceil(density * len(span))]
    return np.sort(top[(most[top] > 0) & ~canvas.masked[top]][:MOST])
