"""Training objectives: next-token prediction, and masked diffusion as in arXiv:2410.17891."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

T_MIN = 1e-3
SKETCHED = 12
"""Tokens in the corner of the mask that `sketch` shows."""
Weighting = Literal["elbo", "uniform"]
Normalization = Literal["tokens", "masked"]


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """Inputs and weighted targets of a batch: the loss is the sum of weights x cross-entropy, so parts add up."""

    inputs: Tensor  # [b, l] int64, tokens that the network sees
    targets: Tensor  # [b, l] int64, tokens that it should predict
    weights: Tensor  # [b, l] float32, of the cross-entropy of each target; 0 where there is no target
    attention: Tensor | None = None  # [b or 1, 1, l, l] True where attention is allowed; None: the network's own

    def part(self, start: int, stop: int) -> Exercise:
        """Return sequences `start` to `stop`, with the weights that they have in the whole batch."""
        attention = self.attention if self.attention is None or len(self.attention) == 1 else self.attention[start:stop]
        return Exercise(
            inputs=self.inputs[start:stop],
            targets=self.targets[start:stop],
            weights=self.weights[start:stop],
            attention=attention,
        )

    def to(self, device: torch.device) -> Exercise:
        """Return the exercise on another device."""
        moved = {name: tensor.to(device) for name, tensor in vars(self).items() if tensor is not None}
        return replace(self, **moved)


def next_token(ids: Tensor) -> Exercise:
    """Make the task to predict every token of ids [b, l] but the first; the loss is in nats per token."""
    weights = torch.full(ids.shape, 1 / ids[:, 1:].numel())
    weights[:, 0] = 0
    return Exercise(inputs=ids, targets=ids, weights=weights)


def masked_diffusion(
    ids: Tensor,
    mask_id: int,
    generator: torch.Generator,
    *,
    maskable: Tensor | None = None,
    attention: Tensor | None = None,
    weighting: Weighting = "elbo",
    normalization: Normalization = "tokens",
) -> Exercise:
    """Mask tokens of ids [b, l] at a noise level t per sequence, only `maskable` [b, l] ones, and ask for them.

    `weighting` counts each masked token 1/t (`elbo`: the evidence lower bound in nats per token, arXiv:2410.17891,
    equation 4) or 1 (`uniform`). `normalization` divides by all maskable tokens of the batch (`tokens`, as the
    paper's sum over N), or by those that were masked (`masked`, as its released code does).
    Position 0 is never a target: no output is about it.
    """
    times = low_discrepancy_times(len(ids), generator)
    noised, masked = absorb(ids, times, mask_id, generator)
    if maskable is not None:
        masked &= maskable
        noised = torch.where(masked, mask_id, ids)
    asked = torch.ones_like(masked) if maskable is None else maskable.clone()
    asked[:, 0] = False
    weights = (masked & asked).float()
    if weighting == "elbo":
        weights /= times[:, None]
    count = (asked if normalization == "tokens" else masked & asked).sum().clamp(min=1)
    return Exercise(inputs=noised, targets=ids, weights=weights / count, attention=attention)


def low_discrepancy_times(count: int, generator: torch.Generator) -> Tensor:
    """Draw noise levels [count] in [T_MIN, 1], one in each of `count` equal strata, in random order."""
    strata = (torch.randperm(count, generator=generator) + torch.rand(1, generator=generator)) / count
    return T_MIN + (1 - T_MIN) * strata


def absorb(ids: Tensor, times: Tensor, mask_id: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Replace each token by the mask with probability t; return noised ids and which were masked, both [b, l]."""
    masked = torch.rand(ids.shape, generator=generator) < times[:, None]
    return ids.masked_fill(masked, mask_id), masked


def annealed_attention(length: int, ratio: float, generator: torch.Generator) -> Tensor | None:
    """Return allowed attention [1, 1, l, l], causal or Bernoulli(ratio), or None (all allowed) from ratio 1 on."""
    if ratio >= 1:
        return None
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return (causal | (torch.rand(length, length, generator=generator) < ratio))[None, None]


def sketch(exercise: Exercise, network: nn.Module) -> dict[str, Any]:
    """Return what an exercise lets its tokens see of later ones: for a log, and for people.

    `future` is the share of the pairs (token, later token) in which the first may attend to the second, of all pairs in
    the context. `mask` is the first corner of the mask that this very step trained with, a text of 0 and 1 for each of
    the first 12 tokens: character j of text i says whether token i sees token j. Empty for causal training, and where
    every sequence has a mask of its own.
    """
    attention, length = exercise.attention, exercise.inputs.shape[1]
    if getattr(network.config, "is_causal", True) or (attention is not None and len(attention) > 1):
        return {}
    seen = torch.ones(length, length, dtype=torch.bool) if attention is None else attention[0, 0]
    later = torch.ones_like(seen).triu(1)
    corner = seen[:SKETCHED, :SKETCHED].int().tolist()
    return {
        "future": round((seen & later).sum().item() / max(1, int(later.sum())), 4),
        "mask": ["".join(map(str, row)) for row in corner],
    }


class Trainee(nn.Module):
    """A causal language model with its read-out and loss, as one module for DDP and FSDP to wrap."""

    network: Any  # a *ForCausalLM of transformers

    def __init__(self, network: nn.Module, *, shift: bool = True) -> None:
        """Wrap a network; with `shift` output i - 1 predicts token i, as before (arXiv:2410.17891, section 3.2)."""
        super().__init__()
        self.network, self.shift = network, shift
        self._no_split_modules = getattr(network, "_no_split_modules", None)  # where FSDP may cut

    def tie_weights(self) -> None:
        """Tie the head again, which FSDP asks for after moving weights; otherwise it would be trained separately."""
        self.network.tie_weights()

    def forward(self, exercise: Exercise) -> Tensor:
        """Return the sum of weights x cross-entropy. Only outputs with a weight go through the head.

        Raises ValueError if the exercise restricts attention, and the network's way to attend would not keep to it.
        """
        if exercise.attention is not None:
            self._check_attention()
        hidden = self.network.base_model(
            input_ids=exercise.inputs, attention_mask=exercise.attention, use_cache=False
        ).last_hidden_state
        targets, weights = exercise.targets, exercise.weights
        if self.shift:
            hidden, targets, weights = hidden[:, :-1], targets[:, 1:], weights[:, 1:]
        asked = weights > 0
        logits = self.network.get_output_embeddings()(hidden[asked])
        return (functional.cross_entropy(logits.float(), targets[asked], reduction="none") * weights[asked]).sum()

    def _check_attention(self) -> None:
        """Raise ValueError unless the network attends by torch's kernel, which hides what a boolean mask forbids.

        Others do not: eager attention adds the mask to the scores, and the loss would be wrong without a sign of it.
        """
        way = getattr(getattr(self.network, "config", None), "_attn_implementation", "sdpa")
        if way != "sdpa":
            raise ValueError(
                f"the network attends by '{way}', which does not hide what a boolean mask forbids; load it with "
                "attn_implementation='sdpa'"
            )
