"""Logits of asked positions to a `Prediction`, on the logits' own device; only small arrays leave it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.denoiser import Floats, Query
from models.prediction import Prediction

_UNLIKELY = -100.0
"""A logit for what cannot be, where minus infinity would leave nothing to compare with."""


def reduce(logits: Tensor, query: Query, *, forwards: int = 1) -> Prediction:
    """logits [n, vocabulary], aligned: row j is about `query.positions[j]`; banned tokens are -inf already."""
    log_pi = logits.log_softmax(-1)
    pi = log_pi.exp()
    top = min(query.tops, logits.shape[-1])
    top_log, top_tokens = log_pi.topk(max(top, 2), -1)
    top_probs = top_log.exp()
    entropy = torch.special.entr(pi).sum(-1)
    margin = top_probs[:, 0] - top_probs[:, 1]
    gap = (top_log[:, 0] - top_log[:, 1]).clamp(max=1e3)
    if query.sampling.temperature <= 0:
        candidates = top_tokens[:, 0]
        confidence = drawn_confidence = top_probs[:, 0]
        drawn_entropy, drawn_margin = entropy, margin
    else:
        q = _nucleus(logits, query)
        uniforms = torch.as_tensor(query.uniforms, dtype=torch.float64, device=q.device)[:, None]
        cumulative = q.cumsum(-1, dtype=torch.float64)
        candidates = torch.searchsorted(cumulative, uniforms * cumulative[:, -1:], right=True)
        candidates = candidates.clamp(max=q.shape[-1] - 1)[:, 0]
        confidence = pi.gather(-1, candidates[:, None])[:, 0]
        drawn_confidence = q.gather(-1, candidates[:, None])[:, 0]
        drawn_entropy = torch.special.entr(q).sum(-1)
        best = q.topk(2, -1).values
        drawn_margin = best[:, 0] - best[:, 1]

    length, positions = len(query.ids), query.positions

    def spread(values: Tensor) -> Floats:
        full = np.zeros(length)
        full[positions] = values.cpu().numpy()
        return full

    log_targets = None
    if query.targets is not None:
        wanted = torch.from_numpy(query.targets).to(log_pi.device)
        log_targets = spread(log_pi.gather(-1, wanted[:, None])[:, 0])
    full_candidates = np.full(length, -1, dtype=np.int64)
    full_candidates[positions] = candidates.cpu().numpy()
    full_tokens = np.full((length, query.tops), -1, dtype=np.int64)
    full_tokens[positions, :top] = top_tokens[:, :top].cpu().numpy()
    full_probs = np.zeros((length, query.tops))
    full_probs[positions, :top] = top_probs[:, :top].cpu().numpy()
    full_tokens[full_probs == 0] = -1  # banned, or there are fewer tokens than places
    return Prediction(
        candidates=full_candidates,
        confidence=spread(confidence),
        entropy=spread(entropy),
        margin=spread(margin),
        gap=spread(gap),
        drawn_confidence=spread(drawn_confidence),
        drawn_entropy=spread(drawn_entropy),
        drawn_margin=spread(drawn_margin),
        top_tokens=full_tokens,
        top_probs=full_probs,
        drift=_drift(log_pi, query),
        log_targets=log_targets,
        forwards=forwards,
    )


def contrasted(own: Tensor, other: Tensor, weight: float) -> Tensor:
    """[n, vocabulary] logits other + (1 + weight)(own - other): classifier-free guidance, arXiv:2207.12598.

    What is impossible (-inf) in `own` stays so; what is impossible in `other` alone counts as very unlikely there.
    """
    floor = other.masked_fill(other.isneginf(), _UNLIKELY)
    return torch.where(own.isneginf(), own, floor + (1 + weight) * (own - floor))


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """[n] KL(p || q) in nats, of log-probabilities [n, vocabulary]; -inf where banned."""
    p = log_p.exp()
    return (p * (log_p - log_q)).masked_fill(p == 0, 0.0).sum(-1).clamp(min=0)


def _drift(log_pi: Tensor, query: Query) -> Floats:
    """[length, lookback], see `Prediction`. The run keeps log pi for it, so nothing is normalised twice.

    It keeps it although another query of the batch may still fail: who asks again for the same state gets the same.
    """
    length, positions = len(query.ids), query.positions
    drift = np.zeros((length, query.lookback))
    drift[positions] = np.inf
    if query.cache is None or not query.lookback:
        return drift
    earlier = query.cache.earlier(query.state, (length, positions, log_pi), query.lookback)
    for column, (size, asked, before) in enumerate(earlier):
        if size == length:  # else it was about another text
            both, now, then = np.intersect1d(positions, asked, return_indices=True)
            moved = divergence(log_pi[torch.from_numpy(now)], before[torch.from_numpy(then)])
            drift[both, column] = moved.cpu().numpy()
    return drift


def _nucleus(logits: Tensor, query: Query) -> Tensor:
    """q [n, vocabulary]: 0 outside the smallest set of most probable tokens that reaches top-p.

    Tokens that are exactly as probable as the last one in the set are in it, too. Only values are sorted: sorting a
    whole vocabulary with its indices takes as long as a small model's forward pass.
    """
    centred = logits - logits.amax(-1, keepdim=True)  # else a tiny temperature makes infinities
    q = (centred.double() / query.sampling.temperature).to(logits.dtype).softmax(-1)
    if query.sampling.top_p < 1:
        # On a CPU numpy sorts several times as fast as torch.
        on_cpu = q.device.type == "cpu"
        rising = torch.from_numpy(np.sort(q.numpy(), axis=-1)) if on_cpu else q.sort(dim=-1).values
        below = (
            rising.cumsum(-1, dtype=torch.float64) <= 1 - query.sampling.top_p
        )  # the tail that the nucleus can do without
        last = below.sum(-1, keepdim=True).clamp(max=q.shape[-1] - 1)
        q = q.masked_fill(q < rising.gather(-1, last), 0.0)
    return q / q.sum(-1, keepdim=True)
