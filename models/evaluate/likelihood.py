"""The likelihood of a text: a bound for a diffusion model, the exact value for an autoregressive one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.denoiser import Bools, Floats, Ids, Vocabulary
from models.mask_sets import antithetic, mask_counts
from models.networks.autoregressive import AutoregressiveModel
from models.networks.transformer import TransformerDenoiser
from models.terminal import progress

_TOKENS = 4096
"""Approximate number of tokens in a forward pass."""


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """-log p(x_1..x_L | x_0) over chunks, whose first token is given because nothing precedes it."""

    name: str
    nats_per_token: float
    standard_error: float  # of the nats per token, over chunks
    bits_per_byte: float  # comparable between tokenizers; special tokens cost bits and have no bytes
    chunks: int
    tokens: int


def elbo(denoiser: TransformerDenoiser, chunks: NDArray[np.integer], *, seed: int = 0) -> Likelihood:
    """Estimate the denoising ELBO: an upper bound of the negative log-likelihood of chunks [k, L + 1].

    -log p(x_1..x_L | x_0) <= E over n ~ uniform{1..L}, A ~ uniform subsets of size n, of
    (L / n) sum over i in A of -log p(x_i | all tokens outside A).

    Each chunk gets one antithetic pair: a set A of size n, and B of size L + 1 - n, which is the complement of A and
    one random token of A. The estimate is the mean of both. It is unbiased: given its size each set is a uniform
    subset, and a pair's two sizes, either with probability 1/2, are uniform on {1..L} (see `mask_counts`). With the
    plain complement, of size L - n, the empty set could occur and the full one could not. Each pair masks much once
    and little once, and n is drawn by low discrepancy over the chunks; both reduce variance. The standard error covers
    masks and text together, and treats pairs as independent: because of the strata it is rather too large.

    Nothing is banned, as in training: a mask token that is also a word (DiffuLLaMA's 811) may be in the text.
    Position 0 is given: the shift by one (arXiv:2410.17891, section 3.2) cannot predict it. LLaDA (arXiv:2502.09992)
    also evaluates with fixed counts.
    """
    rng = np.random.default_rng(seed)
    count, targets = chunks.shape[0], chunks.shape[1] - 1
    sizes = mask_counts(count, targets, rng)
    ranks = rng.permuted(np.tile(np.arange(targets), (count, 1)), axis=1)
    pairs = antithetic(ranks, sizes)
    both_sizes = np.stack([sizes, targets + 1 - sizes])
    estimates = np.empty((2, count))
    at_once = max(1, _TOKENS // (2 * chunks.shape[1]))
    for start in progress(range(0, count, at_once), "elbo"):
        part = slice(start, start + at_once)
        ids = chunks[part].astype(np.int64)
        losses = _masked_losses(denoiser, np.concatenate([ids, ids]), np.concatenate(pairs[:, part]))
        estimates[:, part] = losses.reshape(2, -1) / both_sizes[:, part]  # (L / n) sum, per token
    return _likelihood("denoising ELBO (upper bound)", estimates.mean(0), chunks, denoiser.tokenizer)


@torch.inference_mode()
def _masked_losses(denoiser: TransformerDenoiser, ids: Ids, chosen: Bools) -> Floats:
    """Return the summed cross-entropy [b] in nats of chosen tokens [b, L] of ids [b, L + 1], masked together."""
    truth = torch.from_numpy(ids).to(denoiser.device)
    masked = torch.from_numpy(chosen).to(denoiser.device)
    noised = truth.clone()
    noised[:, 1:][masked] = denoiser.tokenizer.mask_id
    hidden = denoiser.body(input_ids=noised, use_cache=False).last_hidden_state
    logits = denoiser.head(hidden[:, :-1][masked]).float()  # output i - 1 is about token i
    losses = functional.cross_entropy(logits, truth[:, 1:][masked], reduction="none").double()
    rows = masked.nonzero()[:, 0]
    return torch.zeros(len(ids), dtype=torch.float64, device=losses.device).index_add(0, rows, losses).cpu().numpy()


def next_token_loss(model: AutoregressiveModel, chunks: NDArray[np.integer]) -> Likelihood:
    """Compute the exact negative log-likelihood of chunks [k, L + 1]; its error comes from the choice of chunks."""
    values = []
    at_once = max(1, _TOKENS // chunks.shape[1])
    for start in progress(range(0, len(chunks), at_once), "next-token loss"):
        part = chunks[start : start + at_once]
        values += [-found.mean() for found in model.log_probabilities(part[:, :1], part[:, 1:])]
    return _likelihood("next-token loss (exact)", np.array(values), chunks, model.tokenizer)


def _likelihood(name: str, values: Floats, chunks: NDArray[np.integer], vocabulary: Vocabulary) -> Likelihood:
    """Summarise values [k] in nats per token of chunks [k, L + 1]."""
    targets = chunks[:, 1:]
    tokens, counts = np.unique(targets, return_counts=True)
    length = sum(
        int(n) * len(vocabulary.token_bytes(int(token)))
        for token, n in zip(tokens, counts, strict=True)
        if int(token) not in vocabulary.special_ids
    )
    mean = float(values.mean())
    return Likelihood(
        name=name,
        nats_per_token=mean,
        standard_error=float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan,
        bits_per_byte=mean * targets.size / (length * math.log(2)) if length else math.nan,
        chunks=len(chunks),
        tokens=targets.size,
    )
