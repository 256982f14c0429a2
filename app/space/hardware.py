"""Hugging Face's hardware for Spaces: hourly prices, GPU memory, and the versions that ZeroGPU offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

FACTS_FROM = "2026-08-22"
"""Date of the Hugging Face documentation that the facts in this file were taken from; they change."""


class Flavour(NamedTuple):
    """One kind of hardware; Hugging Face's name for it is its key in `FLAVOURS`."""

    price: float  # US dollars an hour, while a Space starts and runs
    memory: int  # GB on the GPU; 0: no GPU


CPU, ZERO = "cpu-basic", "zero-a10g"
FLAVOURS = {
    CPU: Flavour(0.0, 0),
    "cpu-upgrade": Flavour(0.03, 0),
    ZERO: Flavour(0.0, 48),  # half of an RTX Pro 6000, assigned to one run at a time
    "t4-small": Flavour(0.40, 16),
    "t4-medium": Flavour(0.60, 16),
    "l4x1": Flavour(0.80, 24),
    "a10g-small": Flavour(1.00, 24),
    "a10g-large": Flavour(1.50, 24),
    "l40sx1": Flavour(1.80, 48),
    "a100-large": Flavour(2.50, 80),
}
"""Hardware with one GPU or none; the page cannot use more than one."""

ZERO_TORCH = ("2.8.0", "2.9.1", "2.10.0", "2.11.0")
ZERO_PYTHON = ("3.10.13", "3.12.12")


def on_zero_gpu(environment: Mapping[str, str]) -> bool:
    """Check whether this process runs on ZeroGPU, by the same rule as the `spaces` package."""
    return environment.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def in_a_space(environment: Mapping[str, str]) -> bool:
    """Check whether this process runs in a Space, by a variable that Hugging Face sets there."""
    return bool(environment.get("SPACE_ID"))


def current_flavour(environment: Mapping[str, str]) -> str:
    """Return the hardware that this process runs on.

    Outside a Space that is always cpu-basic, even with a GPU, so that a private machine downloads nothing unasked.
    """
    if on_zero_gpu(environment):
        return ZERO
    accelerator = environment.get("ACCELERATOR", "")
    return CPU if accelerator in ("", "none") else accelerator


def gpu_memory(flavour: str) -> int:
    """Return the GB on the GPU; for hardware newer than this file, those of the smallest GPU."""
    return FLAVOURS.get(flavour, FLAVOURS["t4-small"]).memory
