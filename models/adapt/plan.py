"""Settings of a training: its length, learning rate and optimizers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from models.adapt.objective import Trainee


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Settings of a training. `batch` is the number of sequences in a step, over all processes.

    Raises ValueError if a checkpoint is to be kept after the last step.
    """

    steps: int
    batch: int
    learning_rate: float
    warmup: int
    schedule: Literal["cosine", "constant"] = "cosine"
    cooldown: int = 0  # number of last steps over which a constant rate falls
    final_fraction: float = 0.02
    optimizer: Literal["adamw", "muon"] = "adamw"
    decay: float = 0.1
    clip: float = 1.0
    accumulate: int = 1  # number of parts in which each process takes its share of a batch
    seed: int = 0
    save_every: int = 200
    validation_sequences: int = 96
    compile: bool = False
    keep_at: tuple[int, ...] = ()  # steps whose checkpoints are validated and kept; 0: before the first step
    command: str = ""  # how the training was started, for its log

    def __post_init__(self) -> None:
        if self.keep_at and max(self.keep_at) > self.steps:
            raise ValueError(
                f"--keep-at {max(self.keep_at)} is after the last step, {self.steps}; leave it out or give more --steps"
            )

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: linear warm-up; then cosine, or constant with a linear cool-down."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        if self.schedule == "cosine":
            share = 0.5 * (1 + math.cos(math.pi * min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))))
        else:
            share = min(1.0, (self.steps - step) / self.cooldown) if self.cooldown else 1.0
        return self.learning_rate * (self.final_fraction + (1 - self.final_fraction) * share)


def optimizers(trainee: Trainee, plan: Plan) -> list[torch.optim.Optimizer]:
    """Make AdamW for all weights, or Muon for hidden layers' matrices and AdamW for the rest (embeddings, head, norms).

    Muon is Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/; its rate is scaled to AdamW's as in
    Liu et al., 2025, arXiv:2502.16982.
    """
    named = {name: weight for name, weight in trainee.network.named_parameters() if weight.requires_grad}
    embeddings = [module for module in trainee.network.modules() if isinstance(module, torch.nn.Embedding)]
    tables = {id(table.weight) for table in (*embeddings, trainee.network.get_output_embeddings())}
    hidden = [weight for weight in named.values() if weight.dim() == 2 and id(weight) not in tables]
    tables = [weight for weight in named.values() if id(weight) in tables]
    vectors = [weight for weight in named.values() if weight.dim() != 2]
    matrices = tables if plan.optimizer == "muon" else hidden + tables
    groups = [
        {"params": weights, "weight_decay": decay}
        for weights, decay in ((matrices, plan.decay), (vectors, 0.0))
        if weights
    ]
    rate = plan.learning_rate
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)]
    if plan.optimizer == "muon":
        found.append(torch.optim.Muon(hidden, lr=rate, weight_decay=plan.decay, adjust_lr_fn="match_rms_adamw"))
    return found
