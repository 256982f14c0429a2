"""FoCore: a contrast with the text from which the span's key tokens are hidden."""

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
"""Most key tokens that are hidden from the contrasted canvas."""


@strategy(title="Asks what the key words add", group="Probing", budget="cap", tops=20, least=4, ranks="tokens")
def focore(
    now: Snapshot,
    *,
    weight: Annotated[float, Knob(0.0, 4.0, "extra weight of the key words; 0 is the same as low_confidence")] = 0.5,
    density: Annotated[
        float, Knob(0.0, 1.0, "largest share of the gap that may be key words; 0 is the same as low_confidence")
    ] = 0.25,
    converge: Annotated[
        float,
        Knob(
            0.0, 1.0, "a belief has settled if its probabilities change by less than this in a step; 0 asks to the end"
        ),
    ] = 0.05,
    window: Annotated[int, Knob(1, 64, "how many tokens from the first mask on must have settled")] = 16,
    tau: Annotated[float, Knob(0.0, 1.0, "the bar once they have settled: write at this probability or above")] = 0.9,
) -> Selection:
    """Commit the surest drafts of a contrast between the text and the text without its key tokens.

    Key tokens are committed tokens whose beliefs changed most between two steps while they were masked, judged by the
    twenty most probable tokens. The contrast is a probe, so a budget of T allows about T / 2 steps with contrast; it
    replaces the request's guidance. Once the key tokens and the beliefs in the window have stayed the same for two
    steps, the contrast ends, and sure drafts are committed together.

    After arXiv:2605.01373 (FoCore and FoCore_A)

    Deviates: the idea is the paper's; the measure of change and the number of key tokens are our own.
    """
    confidence, changes = now.prediction.confidence, _changes(now)
    largest = np.maximum(now.carry, changes[-1:].max(axis=0, initial=0.0))  # change in any step
    keys = _keys(now.canvas, largest, density)
    window_masks = now.canvas.masks[now.canvas.masks < now.canvas.masks[0] + window]
    moved = float(changes[:, window_masks].max(initial=0.0))
    converged = bool(now.history) and now.history[-1].selection.notes["converged"] > 0
    if now.step > 2 and len(keys):
        before = _keys(now.history[-2].canvas, now.carry, density)  # of the canvas that the last step saw
        converged |= moved < converge and np.array_equal(keys, before)
    notes = {"keys": len(keys), "moved": moved, "converged": float(converged)}
    if converged:
        sure = np.zeros(len(now.canvas), dtype=np.bool_)
        sure[window_masks] = confidence[window_masks] >= tau
        return replace(now.commit_passing(sure, confidence, **notes), carry=largest)
    if not len(keys) or not weight or now.remaining <= 1:
        return replace(now.commit_first(now.rank(confidence), 1, **notes), carry=largest)
    hidden = now.canvas.ids.copy()
    hidden[keys] = now.canvas.mask_id
    (contrast,) = now.probe([now.canvas], guidance=[Guidance(ids=hidden, weight=weight)])
    chosen = now.commit_first(now.rank(contrast.confidence), 1, **notes)
    tokens, sure = contrast.candidates[chosen.commit], contrast.confidence[chosen.commit]
    return replace(chosen, tokens=tokens, confidence=sure, carry=largest)


def _changes(now: Snapshot) -> Floats:
    """Return [<= 2, length] half the L1 distance between the beliefs before and after each of the last two steps.

    It is 0 for positions that were not masked after the step. Tokens outside the twenty most probable count as 0.
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


def _keys(canvas: Canvas, changes: Floats, density: float) -> Ids:
    """Return [k] the committed positions in the fraction of the span whose beliefs changed most while masked."""
    span = canvas.span
    top = span[np.argsort(-changes[span], kind="stable")][: math.ceil(density * len(span))]
    return np.sort(top[(changes[top] > 0) & ~canvas.masked[top]][:MOST])
