"""Saving a training: a plain Hugging Face folder to use, and a state to resume from; each completely or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models.checkpoints.folders import recover, replace
from models.checkpoints.tokenizer import one_line

_STEP = "step.json"


def save_folder(
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    *,
    weights: Mapping[str, Tensor] | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a checkpoint folder of safetensors, with `weights` instead of the network's own if those are sharded.

    Raises ValueError if it cannot be written; the previous folder is unchanged then.
    """

    def write(fresh: Path) -> None:
        tensors = network.state_dict() if weights is None else weights
        cast = {tensor.data_ptr(): tensor.detach().to(dtype) for tensor in tensors.values()}  # a tied head stays tied
        network.save_pretrained(fresh, state_dict={name: cast[tensor.data_ptr()] for name, tensor in tensors.items()})
        config = json.loads((fresh / "config.json").read_text())
        config["dtype"] = str(dtype).removeprefix("torch.")  # `save_pretrained` writes the network's, not the file's
        (fresh / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        tokenizer.save_pretrained(fresh)

    replace(out, write)


def save_state(accelerator: Accelerator, out: Path, step: int, tokens: int) -> None:
    """Write model, optimizers and random states; call it in all processes. Raises as `save_folder` does."""

    def write(fresh: Path) -> None:
        accelerator.save_state(str(fresh))
        if accelerator.is_main_process:
            (fresh / _STEP).write_text(json.dumps({"step": step, "tokens": tokens}))

    replace(out, write, accelerator)


def load_state(accelerator: Accelerator, out: Path) -> tuple[int, int]:
    """Restore what `save_state` wrote, if anything; return steps done and tokens seen. Raises ValueError if damaged."""
    if accelerator.is_main_process:
        recover(out)
    accelerator.wait_for_everyone()
    if not out.exists():
        return 0, 0
    try:
        done = json.loads((out / _STEP).read_text())
        accelerator.load_state(str(out))
        return int(done["step"]), int(done["tokens"])
    except Exception as error:
        raise ValueError(
            f"{out} is damaged or belongs to a training of another shape ({one_line(error)}); move it away to start "
            f"again, or give {out.with_suffix('')} as --model to start from its weights"
        ) from error
