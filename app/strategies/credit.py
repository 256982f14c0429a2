"""CreditDecoding: confidence raised by what earlier steps believed."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, Tau, strategy


@strategy(title="Above a bar, steady favoured", group="Above a bar", budget="cap")
def credit(
    now: Snapshot,
    *,
    tau: Tau = 0.9,
    weight: Annotated[
        float,
        Knob(0.0, 4.0, "how much a token gains from having been the first choice before; 0 is the same as threshold"),
    ] = 1.0,
) -> Selection:
    """Commit drafts above a threshold, after raising the probability of earlier first choices.

    A token earns its probability as credit in each step in which it is the first choice; credit C from earlier steps is
    multiplied by the known fraction of the span. The token's probability p becomes proportional to
    p (1 + C)^(weight known). Only the five most probable tokens are considered; credit of any other token counts once
    it is among them again. If the draft is the model's first choice, the new first choice is committed; otherwise the
    draft is.

    Wang et al., 2025, CreditDecoding, arXiv:2510.06133
    """
    masks, prediction, length = now.canvas.masks, now.prediction, len(now.canvas.span)
    tokens, probs = prediction.top_tokens[masks], prediction.top_probs[masks]
    earned, known = np.zeros(probs.shape), 1 - now.masks_at_start / length
    for step in now.history:
        before = step.prediction
        earned = known * earned + (tokens == before.top_tokens[masks, :1]) * before.top_probs[masks, :1]
        known = 1 - len(step.canvas.masks) / length
    earned *= known
    earned[:, 0] += probs[:, 0]
    raised = probs * (1 + earned) ** (weight * known)
    total = 1 + (raised - probs).sum(1)

    rows, draft = np.arange(len(masks)), prediction.candidates[masks]
    chosen = np.where(draft == tokens[:, 0], tokens[rows, raised.argmax(1)], draft)
    match = tokens == chosen[:, None]
    seen, place = match.any(1), match.argmax(1)
    scores, written, confidence = np.zeros(len(now.canvas)), prediction.candidates.copy(), prediction.confidence.copy()
    scores[masks] = np.where(seen, raised[rows, place], confidence[masks]) / total
    confidence[masks] = np.where(seen, probs[rows, place], confidence[masks])
    written[masks] = chosen

    order = now.rank(scores)
    passed = int((scores[order] >= tau).sum())
    first = now.commit_first(order, max(1, passed), threshold=tau, passed=passed, known=known)
    return replace(first, tokens=written[first.commit], confidence=confidence[first.commit])
