"""What a training writes: a plain Hugging Face folder to use, and a state to go on from; each whole or not at all."""

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
    """Write a checkpoint folder of safetensors; `weights` instead of the network's own where those are sharded.

    Raises ValueError if it cannot be written; what was there before is still there then.
    """

    def write(fresh: Path) -> None:
        tensors = network.state_dict() if weights is None else weights
        cast = {tensor.data_ptr(): tensor.detach().to(dtype) for tensor in tensors.values()}  # a tied head stays tied
        network.save_pretrained(fresh, state_dict={name: cast[tensor.data_ptr()] for name, tensor in tensors.items()})
        config = json.loads((fresh / "config.json").read_text())
        config["dtype"] = str(dtype).removeprefix("torch.")  # it says the network's, not the file's
        (fresh / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        tokenizer.save_pretrained(fresh)

    replace(out, write)


def save_state(accelerator: Accelerator, out: Path, step: int, tokens: int) -> None:
    """Write model, optimizers, and random states; all processes call it. Raises as `save_folder` does."""

    def write(fresh: Path) -> None:
        accelerator.save_state(str(fresh))
        if accelerator.is_main_process:
            (fresh / _STEP).write_text(json.dumps({"step": step, "tokens": tokens}))

    replace(out, write, accelerator)


def load_state(accelerator: Accelerator, out: Path) -> tuple[int, int]:
    """Go on from what `save_state` wrote, if it did: steps done, tokens seen. Raises ValueError if it is damaged."""
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
            f"{out} is damaged, or belongs to a training of another shape ({one_line(error)}); move it away to start "
            f"again, from the weights in {out.with_suffix('')} if you give them as --model"
        ) from error
