"""CreditDecoding: confidence raised by what earlier steps believed."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, OneOf, Tau, strategy

VARIANTS = {"known": (None, None, 1.0), "released": (0.7, 0.8, 0.2)}
"""Alpha, beta and gamma; None is the known fraction of the span."""


@strategy(title="Above a bar, steady favoured", group="Above a bar", budget="cap", ranks="tokens")
def credit(
    now: Snapshot,
    *,
    tau: Tau = 0.9,
    weight: Annotated[
        float,
        Knob(0.0, 4.0, "how much a token gains from having been the first choice before; 0 is the same as threshold"),
    ] = 1.0,
    variant: Annotated[
        str, OneOf(tuple(VARIANTS), "how credit is earned, kept and used: by the share that is known, or as in dInfer")
    ] = "known",
) -> Selection:
    """Commit drafts above a threshold, after raising the probability of earlier first choices.

    A token of probability p earns p^gamma as credit in each step in which it is the first choice; credit C from earlier
    steps is multiplied by beta. The token's probability becomes proportional to p (1 + C)^(weight alpha). In the
    variant `known`, which has no parameters, alpha and beta are the known fraction of the span and gamma is 1. In the
    variant `released`, that of dInfer, alpha is 0.7, beta 0.8 and gamma 0.2.

    Wang et al., 2025, CreditDecoding, arXiv:2510.06133

    Deviates: the default variant is not that of the released code. Only the five most probable tokens are considered;
    credit of any other token counts once it is among them again. A draft that is not the model's first choice is
    committed as it was drawn.
    """
    alpha, beta, gamma = VARIANTS[variant]
    masks, prediction, length = now.canvas.masks, now.prediction, len(now.canvas.span)
    tokens, probs = prediction.top_tokens[masks], prediction.top_probs[masks]
    earned, known = np.zeros(probs.shape), 1 - now.masks_at_start / length
    for step in now.history:
        before = step.prediction
        first = (tokens == before.top_tokens[masks, :1]) * before.top_probs[masks, :1] ** gamma
        earned = (known if beta is None else beta) * earned + first
        known = 1 - len(step.canvas.masks) / length
    earned *= known if beta is None else beta
    earned[:, 0] += probs[:, 0] ** gamma
    raised = probs * (1 + earned) ** (weight * (known if alpha is None else alpha))
    total = 1 + (raised - probs).sum(1)

    rows, draft = np.arange(len(masks)), prediction.candidates[masks]
    token = np.where(draft == tokens[:, 0], tokens[rows, raised.argmax(1)], draft)
    match = tokens == token[:, None]
    seen, place = match.any(1), match.argmax(1)
    scores, written, confidence = np.zeros(len(now.canvas)), prediction.candidates.copy(), prediction.confidence.copy()
    scores[masks] = np.where(seen, raised[rows, place], confidence[masks]) / total
    confidence[masks] = np.where(seen, probs[rows, place], confidence[masks])
    written[masks] = token

    order = now.rank(scores)
    passed = int((scores[order] >= tau).sum())
    chosen = now.commit_first(order, max(1, passed), threshold=tau, passed=passed, known=known)
    return replace(chosen, tokens=written[chosen.commit], confidence=confidence[chosen.commit])
