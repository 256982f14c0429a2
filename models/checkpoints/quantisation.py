"""Networks whose linear layers bitsandbytes stores in four or eight bits: checks, loading settings, scales."""

from __future__ import annotations

from collections.abc import Iterator
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import BitsAndBytesConfig, PreTrainedModel

from models.checkpoints.placement import Placement
from models.checkpoints.weights import QUANTISED


def bits(quantize: str, dtype: torch.dtype) -> BitsAndBytesConfig:
    """Return settings of int8 (LLM.int8, arXiv:2208.07339), or doubly quantised nf4 or fp4 (arXiv:2305.14314)."""
    getLogger("bitsandbytes").setLevel(ERROR)  # int8 warns about every product that is not in fp16
    if quantize == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=quantize,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def check_widths(folder: Path, config: Any, placement: Placement) -> None:
    """Raise ValueError if the CPU's four-bit kernels do not support the layers' widths."""
    widths = (config.hidden_size, getattr(config, "intermediate_size", 0))
    odd = [width for width in widths if width % 64]
    if placement.device == "cpu" and placement.quantize != "int8" and odd:
        raise ValueError(
            f"on a CPU four bits need layers whose width is a multiple of 64, and {folder} has {odd[0]}; use int8"
        )


def stored_quantisation(config: Any) -> str | None:
    """Return how a checkpoint's weights are quantised: nf4, fp4, int8, another method's name, or None."""
    stored = getattr(config, "quantization_config", None)
    if stored is None:
        return None
    settings = stored if isinstance(stored, dict) else stored.to_dict()
    if settings.get("quant_method") != "bitsandbytes":
        return str(settings.get("quant_method"))
    return "int8" if settings.get("load_in_8bit") else str(settings.get("bnb_4bit_quant_type"))


def check_stored(folder: Path, stored: str, asked: str | None) -> None:
    """Raise ValueError if weights are quantised in another way than asked for, or in an unsupported way."""
    getLogger("bitsandbytes").setLevel(ERROR)
    if asked not in (None, stored):
        raise ValueError(f"{folder} is stored in {stored}; leave out --quantize, or quantise the original again")
    if stored not in QUANTISED:
        raise ValueError(f"{folder} is quantised by {stored}, which is not supported; use the original")


def compute_in(network: PreTrainedModel, dtype: torch.dtype) -> None:
    """Make a network compute in another dtype than the saved one, which transformers keeps in spite of its settings."""
    from bitsandbytes.nn.modules import Linear4bit  # takes a second to import

    for module in network.modules():
        if isinstance(module, Linear4bit):
            module.compute_dtype, module.compute_type_is_set = dtype, True
    for parameter in network.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)


def scales(weight: Any) -> Iterator[Tensor]:
    """Yield the scales of a quantised weight, with those of the scales in four bits; nothing for other weights."""
    if getattr(weight, "SCB", None) is not None:
        yield weight.SCB
    if getattr(weight, "quant_state", None) is not None:
        yield weight.quant_state.absmax
        if weight.quant_state.nested:
            yield weight.quant_state.state2.absmax
