"""Choosing a model's device and number format, and checking if it fits, before anything is downloaded."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from models.catalogue import CATALOGUE, Source
from models.checkpoints.weights import BYTES, QUANTISED, Weights, read_weights
from models.quoting import quoted
from models.terminal import processor

ROOM = 1.15
"""Memory of weights and forward pass over that of the weights: states, kernels' buffers, the logits of a gap."""


_CGROUPS = Path("/sys/fs/cgroup")
_LIMITS = (  # of control groups, version 2 and 1: limit, usage, and the statistics with cached files
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


class TooLargeError(ValueError):
    """A model needs more memory than is free."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Device and number format; `device` may be `spread`: distributed by accelerate over GPUs, memory and disk."""

    device: str
    dtype: str  # of unquantised weights, and of the computation
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
    """Choose the placement of a model: the device asked for, or else the first available of CUDA, MPS and CPU.

    On a CPU it computes in fp32 and on a GPU in bf16 (fp16 if bf16 is not supported), unless `dtype` says otherwise.
    If `weights` is None, their size is unknown and not checked. Raises ValueError if the device is not available or
    does not support the quantisation, and TooLargeError, with the sizes and what would fit, if memory is short.
    """
    if quantize is not None and quantize not in QUANTISED:
        raise ValueError(f"{quoted(quantize)} is not a quantisation; choose one of {', '.join(QUANTISED)}")
    if dtype is not None and dtype not in BYTES:
        raise ValueError(f"{quoted(dtype)} is not a supported number format; choose one of {', '.join(BYTES)}")
    chosen = _device(device)
    kind = chosen.partition(":")[0]
    if quantize and kind == "mps":
        raise ValueError("bitsandbytes has no kernels for MPS; leave out --quantize, or use --device cpu")
    if quantize and kind == "spread":
        raise ValueError(
            "quantised weights stay on one device (offloaded ones would not be quantised, which defeats the purpose); "
            "use --device cuda or cpu, or leave out --quantize"
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
    """A model that this machine can run, in the least quantised form that fits the best device."""

    name: str
    settings: dict[str, Any]  # for `models.load`
    about: str
    gigabytes: float  # of memory needed; 0: not known before its headers are read


def offers(sources: Iterable[Source] = CATALOGUE.values()) -> list[Offer]:
    """List the models that fit into free memory by their published sizes, each in its most exact form.

    A model whose size is not known is listed; loading it reports if it does not fit.
    """
    device = _device(None)
    dtype, free = _numbers(device), free_memory(device)
    # Four bits are faster than eight on a CPU; MPS has kernels for neither.
    forms = {"cuda": (None, "int8", "nf4"), "cpu": (None, "nf4"), "mps": (None,)}[device]
    found = []
    for source in sources:
        fitting = (form for form in forms if free is None or _needed(source, dtype, form) <= free)
        form = next(fitting, forms[0])
        needed = _needed(source, dtype, form)
        if free is None or needed <= free:
            settings = {"quantize": form} if form else {}
            found.append(Offer(name=source.name, settings=settings, about=source.about, gigabytes=needed / 1e9))
    return found


def _needed(source: Source, dtype: str, quantize: str | None) -> float:
    """Estimate bytes from the published number of parameters, or else from a folder's weights; 0 if not known."""
    if not source.parameters:
        with suppress(ValueError):  # it is damaged, which loading reports
            return ROOM * read_weights(source.folder).memory(dtype, quantize) if source.folder else 0.0
        return 0.0
    layers = BYTES[dtype] if quantize is None else QUANTISED[quantize]
    return ROOM * (source.tables * BYTES[dtype] + (source.parameters - source.tables) * layers)


def _device(asked: str | None) -> str:
    """Return the device asked for, or the best one. Raises ValueError if it is not available."""
    mps = torch.backends.mps.is_available()
    if asked is None:
        return "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    if asked in ("cpu", "spread"):
        return asked
    kind, _, number = asked.partition(":")
    if kind == "mps" and not number:
        if mps:
            return asked
        raise ValueError("there is no Apple GPU (MPS) here; leave out --device, or use --device cpu")
    if kind != "cuda" or (number and not number.isdecimal()):
        raise ValueError(
            f"{quoted(asked)} is not a device; choose cpu, cuda, cuda:1, mps, or spread (over GPUs, memory, disk)"
        )
    if not torch.cuda.is_available():
        raise ValueError("there is no CUDA GPU here; leave out --device, or use --device cpu")
    if number and int(number) >= torch.cuda.device_count():
        raise ValueError(f"there is no {asked} here; the last GPU is cuda:{torch.cuda.device_count() - 1}")
    return asked


def _numbers(kind: str) -> str:
    if kind == "cuda" or (kind == "spread" and torch.cuda.is_available()):
        # A GPU that only emulates bf16, as a T4 does, is faster in fp16.
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "float16" if kind == "mps" else "float32"


def free_memory(device: str) -> int | None:
    """Return the free bytes of a device; None if unknown, as for the GPU that ZeroGPU emulates."""
    if not device.startswith("cuda"):
        free, left = psutil.virtual_memory().available, _container_leaves(_CGROUPS)
        return free if left is None else min(free, left)
    if os.environ.get("SPACES_ZERO_GPU"):
        return None
    # Memory that PyTorch has reserved but does not use is available to it.
    reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + reserve


def _container_leaves(groups: Path) -> int | None:
    """Return the bytes left before the container is killed; None without a container or limit.

    Recently used files, for example a download's, count as used memory there, but are dropped when it is needed.
    """
    for limit, used, statistics, cached in _LIMITS:
        try:
            most, taken = (groups / limit).read_text(), int((groups / used).read_text())
            files = dict(line.split() for line in (groups / statistics).read_text().splitlines())
        except OSError:
            continue
        if most.strip() != "max":  # version 1 says about 2**63 instead, which is no limit either
            return max(0, int(most) - taken + int(files.get(cached, 0)))
    return None


def reclaim() -> None:
    """Free the memory of unused objects, PyTorch's reserve on a GPU included."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _too_large(name: str, weights: Weights, placement: Placement, needed: float, free: int) -> str:
    """Return a message with the sizes and the largest choices that would fit."""
    kinds = () if placement.device == "mps" else ("int8", "nf4")
    smaller = [
        f"--quantize {kind} ({ROOM * weights.memory(placement.dtype, kind) / 1e9:.1f} GB)"
        for kind in kinds
        if kind != placement.quantize and ROOM * weights.memory(placement.dtype, kind) <= free
    ]
    fitting = [
        source
        for source in CATALOGUE.values()
        if source.name != name and _needed(source, placement.dtype, None) <= free
    ]
    if fitting:
        largest = max(fitting, key=lambda source: source.parameters)
        smaller.append(f"--model {largest.name}")
    if not placement.quantize:
        smaller.append("--device spread, which uses GPUs, memory and disk together, slowly")
    form = placement.quantize or placement.dtype
    return (
        f"'{name}' needs about {needed / 1e9:.1f} GB in {form}, and {placement.device} has {free / 1e9:.1f} GB free: "
        f"try {', or '.join(smaller)}"
    )


def machine(device: torch.device) -> str:
    """Return the name of the GPU or the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{processor()}, {threads} thread{'s' * (threads != 1)}"
