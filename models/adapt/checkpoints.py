"""What a training writes: a plain Hugging Face folder to use, and a state to go on from; each whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

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

    _replace(out, write)


def save_state(accelerator: Accelerator, out: Path, step: int, tokens: int) -> None:
    """Write model, optimizers, and random states; all processes call it. Raises as `save_folder` does."""

    def write(fresh: Path) -> None:
        accelerator.save_state(str(fresh))
        if accelerator.is_main_process:
            (fresh / _STEP).write_text(json.dumps({"step": step, "tokens": tokens}))

    _replace(out, write, accelerator)


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
            f"{out} is damaged, or belongs to a training of another shape ({_line(error)}); move it away to start "
            f"again, from the weights in {out.with_suffix('')} if you give them as --model"
        ) from error


def recover(out: Path) -> None:
    """A crash between two renames left the last good one under another name: bring it back."""
    old = _beside(out, "old")
    if old.exists() and not out.exists():
        old.rename(out)


def refuse_other_folders(out: Path) -> None:
    """Raises ValueError where saving into `out` would put something else than a checkpoint away."""
    if out.exists() and not (out / "config.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists and is no checkpoint folder; give another --out")


def _replace(out: Path, write: Callable[[Path], None], accelerator: Accelerator | None = None) -> None:
    """With an accelerator all processes write into the same folder, and the main one puts it into its place."""
    main = accelerator is None or accelerator.is_main_process
    wait = accelerator.wait_for_everyone if accelerator else lambda: None
    fresh = _beside(out, "writing")
    if main:
        shutil.rmtree(fresh, ignore_errors=True)
    wait()
    try:
        write(fresh)
    except Exception as error:  # whatever it was, nothing half-written stays
        shutil.rmtree(fresh, ignore_errors=True)
        kept = f"; the last good one is still in {out}" if out.exists() else ""
        free = shutil.disk_usage(out.parent).free / 1e6
        raise ValueError(f"cannot write {out}: {_line(error)} ({free:.0f} MB are free){kept}") from error
    wait()
    if main:
        _swap(fresh, out)
    wait()


def _swap(fresh: Path, out: Path) -> None:
    old = _beside(out, "old")
    if out.exists():
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _beside(out: Path, suffix: str) -> Path:
    return out.with_name(f"{out.name}.{suffix}")


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
