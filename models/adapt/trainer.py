"""The training loop: one script for a CPU, a GPU, or many, with checkpoints that resume exactly."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from models.adapt.checkpoints import load_state, save_folder, save_state
from models.adapt.curves import draw, kept_folder, read_log
from models.adapt.data import Source
from models.adapt.objective import Exercise, Trainee, sketch
from models.adapt.plan import Plan, optimizers
from models.checkpoints.folders import recover, refuse_other_folders
from models.checkpoints.placement import machine
from models.corpus import Batch

Ask = Callable[[Batch, int | None, torch.Generator], Exercise]
"""(batch, step, generator) -> exercise for the network; step None means validation."""

Merge = Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
"""The network's weights -> weights to save."""


def train(
    trainee: Trainee,
    tokenizer: PreTrainedTokenizerBase,
    ask: Ask,
    source: Source,
    validation: Source,
    plan: Plan,
    out: Path,
    accelerator: Accelerator,
    *,
    merged: Merge | None = None,
) -> None:
    """Train to `plan.steps`; a killed run continues from its last checkpoint exactly as if it had not been killed.

    `out` becomes the checkpoint folder; `out`.state holds the state to resume from, `out`.jsonl the log, `out`.html its
    chart, and `out`.kept the checkpoint folders of the steps `plan.keep_at`. `merged` turns the network's weights into
    those to save. Raises ValueError if the plan does not fit the number of processes, the loss is not finite, a state
    is damaged, or the disk is full.
    """
    share = _share(plan, accelerator)
    network = trainee.network
    model, *steppers = accelerator.prepare(trainee, *optimizers(trainee, plan))
    _make_room(out, plan, accelerator)
    first, before = load_state(accelerator, state := _beside(out, "state"))
    if plan.compile:
        network.base_model.compile()

    own = ask(validation.sample(plan.validation_sequences), None, torch.Generator().manual_seed(1234))
    model.train()
    began, tokens = time.monotonic(), before
    with _log(out, accelerator) as log, _bar(plan, first, accelerator) as bar:

        def validate_and_save(done: int, folders: Sequence[Path]) -> None:
            value = _finite(_validate(model, own, share, accelerator), done)
            _write(log, {"step": done, "tokens": tokens, "validation": value})
            tensors = accelerator.get_state_dict(model)  # all processes take part in gathering
            if accelerator.is_main_process:
                if out in folders:
                    _draw(out)
                _save(trainee, tokenizer, tensors, folders, merged)

        _write(log, {"resumed_at": first, **_facts(network, accelerator), **asdict(plan)})
        if first == 0 and 0 in plan.keep_at:
            validate_and_save(0, [kept_folder(out, 0)])
        for step, batch in zip(range(first, plan.steps), source.batches(plan.batch, skip=first), strict=False):
            # Every process draws the noise of the whole batch, so that it does not depend on their number.
            exercise = ask(batch, step, torch.Generator().manual_seed(plan.seed * 1_000_003 + step))
            loss = _step(model, exercise, steppers, plan, plan.rate(step), share, accelerator)
            done, tokens = step + 1, tokens + (batch.ids.size if batch.real is None else int(batch.real.sum()))
            saving, keeping = done % plan.save_every == 0 or done == plan.steps, done in plan.keep_at
            bar.update()
            if done % 20 == 0 or saving or keeping:
                value = _finite(accelerator.reduce(loss, "sum").item(), done)
                found = {"loss": value, "tokens_per_s": round((tokens - before) / (time.monotonic() - began))}
                bar.set_postfix(found)
                _write(log, {"step": done, **found, **sketch(exercise, network)})
            if folders := [kept_folder(out, done)] * keeping + [out] * saving:
                validate_and_save(done, folders)
            if saving:
                save_state(accelerator, state, done, tokens)


def _make_room(out: Path, plan: Plan, accelerator: Accelerator) -> None:
    """Make the parent folder, and restore what a crash put aside. Raises ValueError if a folder has other content."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if accelerator.is_main_process:
        recover(out)
    for folder in (out, *(kept_folder(out, step) for step in plan.keep_at)):
        refuse_other_folders(folder)


def _facts(network: Any, accelerator: Accelerator) -> dict[str, str]:
    return {"parent": Path(network.name_or_path).name, "machine": machine(accelerator.device)}


def _draw(out: Path) -> None:
    draw({out.name: read_log(_beside(out, "jsonl"))}, _beside(out, "html"), title=f"Training of {out.name}")


def _save(
    trainee: Trainee,
    tokenizer: PreTrainedTokenizerBase,
    tensors: Mapping[str, torch.Tensor],
    folders: Sequence[Path],
    merged: Merge | None,
) -> None:
    """Write the same checkpoint into each of the folders."""
    tied = dict(trainee.named_parameters(remove_duplicate=False)).keys() - dict(trainee.named_parameters())
    weights = {name.removeprefix("network."): tensors[name] for name in tensors if name not in tied}
    for folder in folders:
        folder.parent.mkdir(exist_ok=True)
        save_folder(trainee.network, tokenizer, folder, weights=merged(weights) if merged else weights)


def _share(plan: Plan, accelerator: Accelerator) -> int:
    """Return the number of sequences that a process takes at a time. Raises ValueError if the plan does not fit."""
    share = plan.batch // (accelerator.num_processes * plan.accumulate)
    if share * accelerator.num_processes * plan.accumulate != plan.batch:
        raise ValueError(
            f"a batch of {plan.batch} does not divide among {accelerator.num_processes} processes and "
            f"{plan.accumulate} parts; change --batch or --accumulate"
        )
    sharded = accelerator.distributed_type == DistributedType.FSDP
    # accelerate unscales a second optimizer's fp16 gradients twice, and saves only one optimizer of a sharded model.
    if plan.optimizer == "muon" and (accelerator.mixed_precision == "fp16" or sharded):
        raise ValueError("muon does not support fp16 or FSDP; use --optimizer adamw, or another precision without FSDP")
    return share


def _finite(value: float, done: int) -> float:
    if not math.isfinite(value):
        raise ValueError(f"the loss is {value} at step {done}; resume with another --learning-rate")
    return round(value, 4)


def _step(
    model: torch.nn.Module,
    exercise: Exercise,
    steppers: Sequence[torch.optim.Optimizer],
    plan: Plan,
    rate: float,
    share: int,
    accelerator: Accelerator,
) -> torch.Tensor:
    """Update the weights once, and return this process's part of the loss, a scalar."""
    total = torch.zeros((), device=accelerator.device)
    for number in range(plan.accumulate):
        start = (accelerator.process_index * plan.accumulate + number) * share
        last = number == plan.accumulate - 1
        with contextlib.nullcontext() if last else accelerator.no_sync(model):
            loss = model(exercise.part(start, start + share).to(accelerator.device))
            accelerator.backward(loss * accelerator.num_processes)  # the processes' gradients are averaged
        total += loss.detach()
    accelerator.clip_grad_norm_(model.parameters(), plan.clip)
    for stepper in steppers:
        for group in stepper.param_groups:
            group["lr"] = rate
        stepper.step()
        stepper.zero_grad(set_to_none=True)
    return total


@torch.no_grad()
def _validate(model: torch.nn.Module, exercise: Exercise, share: int, accelerator: Accelerator) -> float:
    """Return the loss of the whole validation exercise, of which each process takes every n-th part."""
    model.eval()
    starts: Sequence[int] = range(0, len(exercise.inputs), share)
    total = torch.zeros((), device=accelerator.device)
    # Every process makes the same number of calls, because a sharded network needs all processes.
    for turn in range(math.ceil(len(starts) / accelerator.num_processes)):
        number = turn * accelerator.num_processes + accelerator.process_index
        start = starts[min(number, len(starts) - 1)]
        loss = model(exercise.part(start, start + share).to(accelerator.device))
        total += loss if number < len(starts) else 0 * loss
    model.train()
    return float(accelerator.reduce(total, "sum"))


def _log(out: Path, accelerator: Accelerator) -> TextIO:
    """Open the main process's log without a cut-off last line, or in other processes the null device."""
    path = _beside(out, "jsonl")
    if not accelerator.is_main_process:
        path = Path(os.devnull)
    elif path.exists():
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
    return path.open("a")


def _beside(out: Path, suffix: str) -> Path:
    return out.with_name(f"{out.name}.{suffix}")


def _write(log: TextIO, record: dict[str, Any]) -> None:
    log.write(json.dumps(record) + "\n")
    log.flush()


def _bar(plan: Plan, first: int, accelerator: Accelerator) -> Any:
    """Make a progress bar, shown by the main process on a terminal only."""
    hidden = None if accelerator.is_main_process else True
    return tqdm(total=plan.steps, initial=first, unit="step", disable=hidden, dynamic_ncols=True)
