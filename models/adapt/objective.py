"""The training objectives: next-token prediction, and the 1/t-weighted masked cross-entropy of arXiv:2410.17891."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

T_MIN = 1e-3


def low_discrepancy_times(count: int, generator: torch.Generator) -> Tensor:
    """[count] noise levels in [T_MIN, 1], one in each of `count` equal strata, in random order."""
    strata = (torch.randperm(count, generator=generator) + torch.rand(1, generator=generator)) / count
    return T_MIN + (1 - T_MIN) * strata


def absorb(ids: Tensor, times: Tensor, mask_id: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The absorbing process: each token becomes the mask with probability t. Returns (noised ids, masked), [b, l]."""
    masked = torch.rand(ids.shape, generator=generator) < times[:, None]
    return ids.masked_fill(masked, mask_id), masked


def annealed_attention(length: int, ratio: float, generator: torch.Generator) -> Tensor | None:
    """[1, 1, l, l] True where attention is allowed: causal or Bernoulli(ratio); None (all allowed) from ratio 1 on."""
    if ratio >= 1:
        return None
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return (causal | (torch.rand(length, length, generator=generator) < ratio))[None, None]


def next_token_loss(model: PreTrainedModel, ids: Tensor) -> Tensor:
    """Mean cross-entropy in nats per token of a causal model; ids [b, l]."""
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    return functional.cross_entropy(model.lm_head(hidden).flatten(0, 1), ids[:, 1:].flatten())


def diffusion_loss(
    model: PreTrainedModel,
    ids: Tensor,
    times: Tensor,
    mask_id: int,
    attention: Tensor | None,
    generator: torch.Generator,
) -> Tensor:
    """Mean over sequences and positions of (1/t) x cross-entropy at masked targets: an ELBO in nats per token.

    The shift by one is kept: output i - 1 predicts token i, so position 0 is never a target (arXiv:2410.17891, 3.2).
    """
    noised, masked = absorb(ids, times, mask_id, generator)
    hidden = model.model(input_ids=noised, attention_mask=attention, use_cache=False).last_hidden_state
    target = masked[:, 1:]
    losses = functional.cross_entropy(model.lm_head(hidden[:, :-1][target]), ids[:, 1:][target], reduction="none")
    weights = (1 / times)[:, None].expand_as(target)[target]
    return (losses * weights).sum() / target.numel()
