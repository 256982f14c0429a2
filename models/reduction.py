"""Logits of asked positions to a `Prediction`, in numpy; `models.networks.reduction` does the same in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classes import TokenClasses
from models.denoiser import Floats, Ids, Query
from models.prediction import Prediction
from models.prediction import entropy as entropy_of

UNLIKELY = -100.0
"""Logit that stands in for minus infinity where a difference to it is needed."""

LARGEST_LOGIT_MARGIN = 1e3
"""Limit of `Prediction.logit_margin`, which is infinite where all tokens but one are banned."""


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # logs of 0, and tiny temperatures
def reduce(logits: Floats, query: Query, *, forwards: int = 1) -> Prediction:
    """Reduce logits [n, vocabulary]: row j is about `query.positions[j]`, and banned tokens are -inf already.

    Equally probable tokens are ranked by id.
    """
    log_pi = _log_softmax(logits)
    pi = np.exp(log_pi)
    tops = min(query.tops, logits.shape[-1])
    top_tokens = np.argsort(-log_pi, axis=-1, kind="stable")[:, : max(tops, 2)]
    top_log = np.take_along_axis(log_pi, top_tokens, -1)
    top_probs = np.exp(top_log)
    entropy, margin = entropy_of(pi), top_probs[:, 0] - top_probs[:, 1]
    if query.sampling.temperature <= 0:
        candidates = top_tokens[:, 0]
        confidence = drawn_confidence = top_probs[:, 0]
        drawn_entropy, drawn_margin = entropy, margin
    else:
        q = _nucleus(logits, query)
        cumulative = q.cumsum(-1)
        below = cumulative <= query.uniforms[:, None] * cumulative[:, -1:]
        candidates = below.sum(-1).clip(max=q.shape[-1] - 1)
        confidence, drawn_confidence = _pick(pi, candidates), _pick(q, candidates)
        drawn_entropy = entropy_of(q)
        best = np.sort(q, axis=-1)
        drawn_margin = best[:, -1] - best[:, -2]
    return assemble(
        query,
        candidates=candidates,
        confidence=confidence,
        entropy=entropy,
        margin=margin,
        logit_margin=np.minimum(top_log[:, 0] - top_log[:, 1], LARGEST_LOGIT_MARGIN),
        drawn_confidence=drawn_confidence,
        drawn_entropy=drawn_entropy,
        drawn_margin=drawn_margin,
        top_tokens=top_tokens[:, :tops],
        top_probs=top_probs[:, :tops],
        drift=drift(log_pi, query, _divergence),
        log_targets=None if query.targets is None else _pick(log_pi, query.targets),
        class_probs=None if query.classes is None else _by_class(pi, query.classes),
        forwards=forwards,
    )


def contrasted(own: Floats, other: Floats, weight: float) -> Floats:
    """Return logits [n, vocabulary] other + (1 + weight)(own - other): classifier-free guidance, arXiv:2207.12598.

    What is impossible (-inf) in `own` stays so; what is impossible in `other` alone counts as very unlikely there.
    """
    floor = np.where(np.isneginf(other), UNLIKELY, other)
    return np.where(np.isneginf(own), own, floor + (1 + weight) * (own - floor))


def assemble(
    query: Query,
    *,
    candidates: Ids,
    top_tokens: Ids,
    top_probs: NDArray[np.floating],
    drift: Floats,
    log_targets: NDArray[np.floating] | None,
    class_probs: NDArray[np.floating] | None,
    forwards: int,
    **numbers: NDArray[np.floating],
) -> Prediction:
    """Make a `Prediction` of arrays [n] about the asked positions; top tokens are [n, tops or fewer].

    `class_probs` is [n, classes], `drift` is [length, lookback] already, and `numbers` are the other fields of
    `Prediction`.
    """
    length, positions = len(query.ids), query.positions

    def spread(values: NDArray[np.floating]) -> Floats:
        full = np.zeros((length, *values.shape[1:]))
        full[positions] = values
        return full

    tops = top_tokens.shape[1]
    full_candidates = np.full(length, -1, dtype=np.int64)
    full_candidates[positions] = candidates
    full_tokens = np.full((length, query.tops), -1, dtype=np.int64)
    full_tokens[positions, :tops] = top_tokens
    full_probs = np.zeros((length, query.tops))
    full_probs[positions, :tops] = top_probs
    full_tokens[full_probs == 0] = -1  # banned, or there are fewer tokens than places
    spread_numbers: dict[str, Any] = {name: spread(values) for name, values in numbers.items()}
    return Prediction(
        candidates=full_candidates,
        top_tokens=full_tokens,
        top_probs=full_probs,
        drift=drift,
        log_targets=None if log_targets is None else spread(log_targets),
        class_probs=None if class_probs is None else spread(class_probs),
        forwards=forwards,
        **spread_numbers,
    )


def drift(log_pi: Any, query: Query, divergence: Callable[[Any, Any], NDArray[np.floating]]) -> Floats:
    """Return `Prediction.drift` [length, lookback], and store log pi [n, vocabulary] in the query's cache for later.

    `divergence` returns KL(p || q) [n] of rows of log-probabilities. Log pi is stored even if another query of the
    batch fails later: asking again for the same state then gives the same result.
    """
    length, positions = len(query.ids), query.positions
    moved = np.zeros((length, query.lookback))
    moved[positions] = np.inf
    if query.cache is None or not query.lookback:
        return moved
    earlier = query.cache.earlier(query.state, (length, positions, log_pi), query.lookback)
    for column, (size, asked, before) in enumerate(earlier):
        if size == length:  # otherwise it was about another text
            both, now, then = np.intersect1d(positions, asked, return_indices=True)
            moved[both, column] = divergence(log_pi[now], before[then])
    return moved


def _nucleus(logits: Floats, query: Query) -> Floats:
    """Return q [n, vocabulary]: 0 outside the smallest set of most probable tokens that reaches top-p.

    Tokens exactly as probable as the last one in the set are also in it.
    """
    centred = logits - logits.max(-1, keepdims=True)  # otherwise a tiny temperature makes infinities
    q = np.exp(_log_softmax(centred / query.sampling.temperature))
    if query.sampling.top_p < 1:
        rising = np.sort(q, axis=-1)
        tail = rising.cumsum(-1) <= 1 - query.sampling.top_p
        last = tail.sum(-1, keepdims=True).clip(max=q.shape[-1] - 1)
        q = np.where(q < np.take_along_axis(rising, last, -1), 0.0, q)
    return q / q.sum(-1, keepdims=True)


def _log_softmax(logits: Floats) -> Floats:
    centred = logits - logits.max(-1, keepdims=True)
    return centred - np.log(np.exp(centred).sum(-1, keepdims=True))


def _divergence(log_p: Floats, log_q: Floats) -> Floats:
    p = np.exp(log_p)
    return np.where(p == 0, 0.0, p * (log_p - log_q)).sum(-1).clip(min=0)


def _by_class(pi: Floats, classes: TokenClasses) -> Floats:
    """Return the probability of each class [n, classes]."""
    found = np.zeros((len(classes.classes), len(pi)))
    np.add.at(found, classes.of, pi[:, : len(classes.of)].T)
    return found.T


def _pick(rows: Floats, tokens: Ids) -> Floats:
    """Return the value of one token in each row."""
    return np.take_along_axis(rows, tokens[:, None], -1)[:, 0]
