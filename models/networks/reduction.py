"""Logits of asked positions to a `Prediction`, in torch on the logits' own device; only small arrays leave it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.classes import TokenClasses
from models.denoiser import Query
from models.prediction import Prediction
from models.reduction import LARGEST_LOGIT_MARGIN, UNLIKELY, assemble, drift


def reduce(logits: Tensor, query: Query, *, forwards: int = 1) -> Prediction:
    """Reduce logits [n, vocabulary]: row j is about `query.positions[j]`, and banned tokens are -inf already."""
    log_pi = logits.log_softmax(-1)
    pi = log_pi.exp()
    tops = min(query.tops, logits.shape[-1])
    top_log, top_tokens = log_pi.topk(max(tops, 2), -1)
    top_probs = top_log.exp()
    entropy, margin = torch.special.entr(pi).sum(-1), top_probs[:, 0] - top_probs[:, 1]
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
        confidence, drawn_confidence = _pick(pi, candidates), _pick(q, candidates)
        drawn_entropy = torch.special.entr(q).sum(-1)
        best = q.topk(2, -1).values
        drawn_margin = best[:, 0] - best[:, 1]
    log_targets = None
    if query.targets is not None:
        log_targets = _pick(log_pi, torch.from_numpy(query.targets).to(log_pi.device)).cpu().numpy()
    return assemble(
        query,
        candidates=candidates.cpu().numpy(),
        confidence=confidence.cpu().numpy(),
        entropy=entropy.cpu().numpy(),
        margin=margin.cpu().numpy(),
        logit_margin=(top_log[:, 0] - top_log[:, 1]).clamp(max=LARGEST_LOGIT_MARGIN).cpu().numpy(),
        drawn_confidence=drawn_confidence.cpu().numpy(),
        drawn_entropy=drawn_entropy.cpu().numpy(),
        drawn_margin=drawn_margin.cpu().numpy(),
        top_tokens=top_tokens[:, :tops].cpu().numpy(),
        top_probs=top_probs[:, :tops].cpu().numpy(),
        drift=drift(log_pi, query, lambda log_p, log_q: divergence(log_p, log_q).cpu().numpy()),
        log_targets=log_targets,
        class_probs=None if query.classes is None else _by_class(pi, query.classes).cpu().numpy(),
        forwards=forwards,
    )


def contrasted(own: Tensor, other: Tensor, weight: float) -> Tensor:
    """Return logits [n, vocabulary] other + (1 + weight)(own - other): classifier-free guidance, arXiv:2207.12598.

    What is impossible (-inf) in `own` stays so; what is impossible in `other` alone counts as very unlikely there.
    """
    floor = other.masked_fill(other.isneginf(), UNLIKELY)
    return torch.where(own.isneginf(), own, floor + (1 + weight) * (own - floor))


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL(p || q) [n] in nats of log-probabilities [n, vocabulary], -inf where banned."""
    p = log_p.exp()
    return (p * (log_p - log_q)).masked_fill(p == 0, 0.0).sum(-1).clamp(min=0)


def _nucleus(logits: Tensor, query: Query) -> Tensor:
    """Return q [n, vocabulary]: 0 outside the smallest set of most probable tokens that reaches top-p.

    Tokens exactly as probable as the last one in the set are also in it. Only values are sorted: sorting a whole
    vocabulary with its indices takes as long as a small model's forward pass.
    """
    centred = logits - logits.amax(-1, keepdim=True)  # otherwise a tiny temperature makes infinities
    q = (centred.double() / query.sampling.temperature).to(logits.dtype).softmax(-1)
    if query.sampling.top_p < 1:
        # On a CPU numpy sorts several times as fast as torch.
        on_cpu = q.device.type == "cpu"
        rising = torch.from_numpy(np.sort(q.numpy(), axis=-1)) if on_cpu else q.sort(dim=-1).values
        tail = rising.cumsum(-1, dtype=torch.float64) <= 1 - query.sampling.top_p
        last = tail.sum(-1, keepdim=True).clamp(max=q.shape[-1] - 1)
        q = q.masked_fill(q < rising.gather(-1, last), 0.0)
    return q / q.sum(-1, keepdim=True)


def _by_class(pi: Tensor, classes: TokenClasses) -> Tensor:
    """Return the probability of each class [n, classes]. Padded rows of the vocabulary are banned, and have none."""
    found = pi.new_zeros(len(pi), len(classes.classes))
    return found.index_add_(1, torch.from_numpy(classes.of).to(pi.device), pi[:, : len(classes.of)])


def _pick(rows: Tensor, tokens: Tensor) -> Tensor:
    """Return the value of one token in each row."""
    return rows.gather(-1, tokens[:, None])[:, 0]
