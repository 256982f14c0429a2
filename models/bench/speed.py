"""The time of a forward pass, and the memory bandwidth that bounds it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from models.checkpoints.placement import place, reclaim
from models.denoiser import BeliefCache, Ids, Query, Sampling
from models.networks.dual_cache import DualCacheDenoiser
from models.networks.transformer import TransformerDenoiser
from models.quoting import quoted

TORCH = torch.__version__

COPIED = {"cuda": 2**30, "cpu": 2**27}
"""Bytes copied to measure the bandwidth: far more than any cache holds."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One batch-1 forward pass as in a run: ids in, head on the gap, beliefs out. Seconds are medians."""

    context: int  # tokens of the whole canvas
    gap: int  # tokens of these that are masked and asked about
    seconds: float
    window_seconds: float | None  # of a pass of the dual cache's window; None with static shapes, which exclude it
    peak: int | None  # most bytes of GPU memory in use, weights included; None on a CPU


def find_device(asked: str | None = None) -> torch.device:
    """Return the device asked for, by default the GPU, or the CPU if there is none.

    Raises ValueError if the device is not available or of a kind that cannot be measured.
    """
    if asked is None:
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    if asked.partition(":")[0] not in ("cpu", "cuda"):
        raise ValueError(f"networks of random weights run on cpu, cuda or cuda:1, not on {quoted(asked)}")
    return torch.device(place("", None, device=asked).device)


@contextmanager
def name_memory_errors(what: str) -> Iterator[None]:
    """Turn torch's out-of-memory error into a MemoryError that names what did not fit."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(f"the GPU has too little memory for {what} ({error})") from None


def forget() -> None:
    """Free the GPU memory of earlier networks, their recorded graphs included."""
    if torch.cuda.is_available():
        torch.compiler.reset()
    reclaim()


def watch_peak(device: torch.device) -> None:
    """Start measuring the `peak`."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: torch.device) -> int | None:
    """Return the most bytes of GPU memory in use since `watch_peak`; None on a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def canvas(denoiser: TransformerDenoiser, context: int, gap: int, *, seed: int = 0) -> tuple[Ids, Ids]:
    """Return random ids [context] with a masked gap in the middle, and its positions [gap].

    Raises ValueError if that does not fit.
    """
    if not 1 <= gap < context:
        raise ValueError(f"a gap of {gap} does not fit into a context of {context}: one token must come first")
    if context > denoiser.context:
        raise ValueError(f"a context of {context} is more than the {denoiser.context} tokens that the model reads")
    ids = np.random.default_rng(seed).integers(0, denoiser.tokenizer.mask_id, context)
    positions = np.arange(gap) + (context - gap + 1) // 2
    ids[positions] = denoiser.tokenizer.mask_id
    return ids, positions


def time_pass(denoiser: TransformerDenoiser, context: int, gap: int, *, repeat: int) -> Pass:
    """Time a forward pass at temperature 0.9 and top-p 0.9, where the reduction costs most.

    Raises ValueError as `canvas` does, and MemoryError as `predict` does.
    """
    ids, positions = canvas(denoiser, context, gap)
    uniforms = np.random.default_rng(0).random(gap)
    fresh = Query(ids=ids, positions=positions, uniforms=uniforms, sampling=Sampling(temperature=0.9, top_p=0.9))
    watch_peak(denoiser.device)
    seconds = _median(lambda: denoiser.predict([fresh]), denoiser.device, repeat)
    most = peak(denoiser.device)
    window_seconds = _window_seconds(denoiser, fresh, repeat)
    return Pass(context=context, gap=gap, seconds=seconds, window_seconds=window_seconds, peak=most)


def _window_seconds(denoiser: TransformerDenoiser, query: Query, repeat: int) -> float | None:
    if denoiser.static:
        return None
    cached = DualCacheDenoiser(denoiser, refresh=2**30)
    beliefs, ids = BeliefCache(), query.ids.copy()

    def look() -> None:
        """Ask about a new state."""
        ids[query.positions[-1]] = (ids[query.positions[-1]] + 1) % denoiser.tokenizer.mask_id
        cached.predict([replace(query, ids=ids.copy(), cache=beliefs)])

    cached.predict([replace(query, cache=beliefs)])
    return _median(look, denoiser.device, repeat)


def _median(work: Callable[[], object], device: torch.device, repeat: int) -> float:
    """Return the median seconds, after two turns in which kernels are chosen and graphs captured."""
    seconds = []
    for turn in range(-2, repeat):
        synchronize(device)
        began = time.perf_counter()
        work()
        synchronize(device)
        if turn >= 0:
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def synchronize(device: torch.device) -> None:
    """Wait until the GPU has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@name_memory_errors("a copy")
def bandwidth(device: torch.device, *, repeat: int = 10) -> float:
    """Measure bytes read and written per second in copying a large tensor. Raises MemoryError if it does not fit."""
    source = torch.zeros(COPIED[device.type] // 4, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _median(lambda: target.copy_(source), device, repeat)
