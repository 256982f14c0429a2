"""Which device a model goes to, in which numbers, and whether it fits: decided before anything is downloaded."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from models.catalogue import CATALOGUE, Source
from models.checkpoints.weights import BYTES, QUANTISED, Weights

ROOM = 1.15
"""What a forward pass takes besides the weights, as a factor: states, kernels' buffers, the logits of a gap."""


_CGROUPS = Path("/sys/fs/cgroup")
_LIMITS = (  # of control groups, version 2 and 1: the limit, what is in use, and the files that this includes
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


class TooLargeError(ValueError):
    """A model needs more memory than is free."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """`device` is `cpu`, `cuda`, `cuda:1`, `mps`, or `spread`: spread by accelerate over GPUs, memory and disk."""

    device: str
    dtype: str  # of what is not quantised, and of the computation
    quantize: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)


def place(
    name: str,
    weights: Weights | None,
    *,
    device: str | None = None,
    dtype: str | None = None,
    quantize: str | None = None,
) -> Placement:
    """Where a model of these weights goes: where it was told to, or else CUDA, MPS or the CPU, whichever is here.

    On a CPU it computes in fp32 and on a GPU in bf16 (fp16 where there is no bf16), unless `dtype` says otherwise.
    `weights` None: how much they take is not known. Raises ValueError where the device is not here or does not fit
    the quantisation, and TooLargeError where the memory does not suffice: with the numbers, and what would fit.
    """
    if quantize is not None and quantize not in QUANTISED:
        raise ValueError(f"'{quantize}' is no quantisation: give one of {', '.join(QUANTISED)}, or none")
    if dtype is not None and dtype not in BYTES:
        raise ValueError(f"'{dtype}' is no number format that can be computed in: give one of {', '.join(BYTES)}")
    chosen = _device(device)
    kind = chosen.partition(":")[0]
    if quantize and kind == "mps":
        raise ValueError("bitsandbytes has no kernels for MPS: leave the quantisation away, or give --device cpu")
    if quantize and kind == "spread":
        raise ValueError(
            "quantised weights stay on one device (what would be offloaded stays unquantised, which defeats the "
            "purpose): give --device cuda or cpu, or leave the quantisation away"
        )
    numbers = dtype or _numbers(kind)
    notices = ()
    if kind == "cpu" and numbers != "float32":
        notices = (f"This CPU may compute several times slower in {numbers} than in float32.",)
    placement = Placement(device=chosen, dtype=numbers, quantize=quantize, notices=notices)
    if weights is None or kind == "spread":
        return placement
    needed, free = ROOM * weights.memory(numbers, quantize), free_memory(chosen)
    if free is None or needed <= free:
        return placement
    several = torch.cuda.device_count() if kind == "cuda" and device is None and not quantize else 1
    if several > 1 and needed <= sum(free_memory(f"cuda:{number}") or 0 for number in range(several)):
        return Placement(device="spread", dtype=numbers, notices=(f"'{name}' is spread over {several} GPUs.",))
    raise TooLargeError(_too_large(name, weights, placement, needed, free))


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A preset that this machine can run, and how: the least quantised form that fits the best device."""

    name: str
    settings: dict[str, str]  # for `models.load`
    about: str
    gigabytes: float  # of memory that it needs


def offers() -> list[Offer]:
    """All presets that fit the memory that is free, each in the form that loses least; from their published sizes."""
    device = _device(None)
    dtype, free = _numbers(device), free_memory(device)
    # Four bits are faster than eight on a CPU; MPS has kernels for neither.
    forms = {"cuda": (None, "int8", "nf4"), "cpu": (None, "nf4"), "mps": (None,)}[device]
    found = []
    for preset in CATALOGUE.values():
        fitting = (form for form in forms if free is None or _needed(preset, dtype, form) <= free)
        form = next(fitting, forms[0])
        needed = _needed(preset, dtype, form)
        if free is None or needed <= free:
            settings = {"quantize": form} if form else {}
            found.append(Offer(name=preset.name, settings=settings, about=preset.about, gigabytes=needed / 1e9))
    return found


def _needed(preset: Source, dtype: str, quantize: str | None) -> float:
    """Bytes, by the published number of parameters."""
    layers = BYTES[dtype] if quantize is None else QUANTISED[quantize]
    return ROOM * (preset.tables * BYTES[dtype] + (preset.parameters - preset.tables) * layers)


def _device(asked: str | None) -> str:
    """Raises ValueError where it is not here."""
    mps = torch.backends.mps.is_available()
    if asked is None:
        return "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    if asked in ("cpu", "spread"):
        return asked
    kind, _, number = asked.partition(":")
    if kind == "mps" and not number:
        if mps:
            return asked
        raise ValueError("there is no Apple GPU (MPS) here: leave --device away, or give --device cpu")
    if kind != "cuda" or (number and not number.isdecimal()):
        raise ValueError(f"'{asked}' is no device: give cpu, cuda, cuda:1, mps, or spread (spread over what there is)")
    if not torch.cuda.is_available():
        raise ValueError("there is no CUDA GPU here: leave --device away, or give --device cpu")
    if number and int(number) >= torch.cuda.device_count():
        raise ValueError(f"there is no {asked} here: the last GPU is cuda:{torch.cuda.device_count() - 1}")
    return asked


def _numbers(kind: str) -> str:
    if kind == "cuda" or (kind == "spread" and torch.cuda.is_available()):
        # A GPU that only emulates bf16, as a T4 does, is faster in fp16.
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "float16" if kind == "mps" else "float32"


def free_memory(device: str) -> int | None:
    """Bytes; None where nobody knows, as where ZeroGPU only pretends that there is a GPU."""
    if not device.startswith("cuda"):
        free, left = psutil.virtual_memory().available, _container_leaves(_CGROUPS)
        return free if left is None else min(free, left)
    if os.environ.get("SPACES_ZERO_GPU"):
        return None
    # What PyTorch has taken from the GPU and does not use, it will use again.
    reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + reserve


def _container_leaves(groups: Path) -> int | None:
    """Bytes until a container is killed; None where there is no limit, or no container (or one of another system).

    Files that were read or written lately, as by a download, count as used there, but make room when it is needed.
    """
    for limit, used, statistics, cached in _LIMITS:
        try:
            told, taken = (groups / limit).read_text(), int((groups / used).read_text())
            files = dict(line.split() for line in (groups / statistics).read_text().splitlines())
        except OSError:
            continue
        if told.strip() != "max":  # version 1 says some 2**63 instead, which limits nothing either
            return max(0, int(told) - taken + int(files.get(cached, 0)))
    return None


def reclaim() -> None:
    """Give back the memory of what nobody holds any more, PyTorch's reserve on a GPU included."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _too_large(name: str, weights: Weights, placement: Placement, needed: float, free: int) -> str:
    """The numbers, and the largest choices that would fit."""
    kinds = () if placement.device == "mps" else ("int8", "nf4")
    smaller = [
        f"--quantize {kind} ({ROOM * weights.memory(placement.dtype, kind) / 1e9:.1f} GB)"
        for kind in kinds
        if kind != placement.quantize and ROOM * weights.memory(placement.dtype, kind) <= free
    ]
    fitting = [
        preset
        for preset in CATALOGUE.values()
        if preset.name != name and _needed(preset, placement.dtype, None) <= free
    ]
    if fitting:
        largest = max(fitting, key=lambda preset: preset.parameters)
        smaller.append(f"--model {largest.name}")
    if not placement.quantize:
        smaller.append("--device spread, which uses GPUs, memory and disk together, slowly")
    form = placement.quantize or placement.dtype
    return (
        f"'{name}' needs about {needed / 1e9:.1f} GB in {form}, and {placement.device} has {free / 1e9:.1f} GB free: "
        f"try {', or '.join(smaller)}"
    )
