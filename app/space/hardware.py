"""What a Space can run on: the price an hour, the memory of the GPU, and what ZeroGPU asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

FACTS_FROM = "2026-08-22"
"""The day of Hugging Face's documentation that the facts in this file are from; they change."""


class Flavour(NamedTuple):
    """One kind of hardware, by the name that Hugging Face gives it."""

    price: float  # US dollars an hour, while a Space starts and runs
    memory: int  # GB on the GPU; 0: it has none


CPU, ZERO = "cpu-basic", "zero-a10g"
FLAVOURS = {
    CPU: Flavour(0.0, 0),
    "cpu-upgrade": Flavour(0.03, 0),
    ZERO: Flavour(0.0, 48),  # half of an RTX Pro 6000, lent to one run at a time
    "t4-small": Flavour(0.40, 16),
    "t4-medium": Flavour(0.60, 16),
    "l4x1": Flavour(0.80, 24),
    "a10g-small": Flavour(1.00, 24),
    "a10g-large": Flavour(1.50, 24),
    "l40sx1": Flavour(1.80, 48),
    "a100-large": Flavour(2.50, 80),
}
"""Those with one GPU or none: more than one is of no use here."""

ZERO_TORCH = ("2.8.0", "2.9.1", "2.10.0", "2.11.0")
ZERO_PYTHON = ("3.10.13", "3.12.12")


def on_zero_gpu(environment: Mapping[str, str]) -> bool:
    """Whether GPUs are lent for one run at a time; as the `spaces` package reads it."""
    return environment.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def present(environment: Mapping[str, str]) -> str:
    """The flavour that this process runs on.

    Anywhere but on a Space that is cpu-basic, GPU or not: nothing is downloaded to a private machine unasked.
    """
    if on_zero_gpu(environment):
        return ZERO
    accelerator = environment.get("ACCELERATOR", "")
    return CPU if accelerator in ("", "none") else accelerator


def memory(flavour: str) -> int:
    """GB on the flavour's GPU; that of the smallest GPU where the flavour is newer than this file."""
    return FLAVOURS.get(flavour, FLAVOURS["t4-small"]).memory
