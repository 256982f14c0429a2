"""The training loop: AdamW, warm-up and cosine decay, gradient clipping, checkpoints that resume exactly."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from models.adapt.data import Packed

Loss = Callable[[PreTrainedModel, Tensor, int, torch.Generator], Tensor]
"""(model, ids [b, l], step, generator) -> scalar loss. Step -1 means validation."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    steps: int
    batch: int
    learning_rate: float
    warmup: int
    final_fraction: float = 0.02
    decay: float = 0.1
    clip: float = 1.0
    seed: int = 0
    save_every: int = 200
    compile: bool = False

    def rate(self, step: int) -> float:
        """The learning rate of a step: linear warm-up, then cosine to `final_fraction` of the peak."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        floor = self.final_fraction
        return self.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


def save_folder(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write a plain Hugging Face folder in fp16, whole or not at all; a crash leaves the last one, at worst as .old."""
    fresh, old = out.with_name(out.name + ".writing"), out.with_name(out.name + ".old")
    shutil.rmtree(fresh, ignore_errors=True)
    half = {name: tensor.detach().to(torch.float16) for name, tensor in model.state_dict().items()}
    model.save_pretrained(fresh, state_dict=half)
    config = json.loads((fresh / "config.json").read_text()) | {
        "dtype": "float16"
    }  # it says the model's, not the file's
    (fresh / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    tokenizer.save_pretrained(fresh)
    if out.exists():
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)


@torch.no_grad()
def validate(model: PreTrainedModel, loss: Loss, chunks: Tensor, batch: int) -> float:
    """Mean validation loss in nats per token; same noise every time."""
    model.eval()
    generator = torch.Generator().manual_seed(1234)
    values = [loss(model, part, -1, generator).item() for part in chunks.split(batch)]
    model.train()
    return sum(values) / len(values)


def train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    loss: Loss,
    train_data: Packed,
    valid_data: Packed,
    schedule: Schedule,
    out: Path,
) -> None:
    """Train to `schedule.steps`.

    `out` becomes the checkpoint folder, `out`.state.pt holds what a resume needs, `out`.jsonl is the log.
    """
    state_file, log_file = out.with_name(out.name + ".state.pt"), out.with_name(out.name + ".jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": schedule.decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=schedule.learning_rate,
        betas=(0.9, 0.95),
    )
    first = 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    if schedule.compile:
        model.model.compile()
    model.train()
    valid = torch.from_numpy(valid_data.epoch(0)[:96]).long()
    began, tokens = time.monotonic(), 0
    with log_file.open("a") as log:
        log.write(json.dumps({"resumed_at": first, **asdict(schedule)}) + "\n")
        for step, ids in enumerate(train_data.batches(schedule.batch, skip=first), start=first):
            if step >= schedule.steps:
                break
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate(step)
            generator = torch.Generator().manual_seed(schedule.seed * 1_000_003 + step)
            value = loss(model, torch.from_numpy(ids).long(), step, generator)
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            tokens += ids.size
            done = step + 1
            if done % 20 == 0:
                speed = tokens / (time.monotonic() - began)
                record = {"step": done, "loss": round(value.item(), 4), "tokens_per_s": round(speed)}
                log.write(json.dumps(record) + "\n")
                log.flush()
            if done % schedule.save_every == 0 or done == schedule.steps:
                figure = validate(model, loss, valid, schedule.batch)
                log.write(json.dumps({"step": done, "validation": round(figure, 4)}) + "\n")
                log.flush()
                save_folder(model, tokenizer, out)  # first: a resume from the last step writes nothing more
                fresh = state_file.with_suffix(".writing")
                torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": done}, fresh)
                os.replace(fresh, state_file)
