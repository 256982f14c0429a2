"""Networks whose linear layers bitsandbytes keeps in four or eight bits: before, while and after they are loaded."""

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
    """How to make int8 (LLM.int8, arXiv:2208.07339), or nf4 or fp4 doubly quantised (QLoRA, arXiv:2305.14314)."""
    getLogger("bitsandbytes").setLevel(ERROR)  # int8 warns of every product that is not in fp16
    if quantize == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=quantize,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def check_widths(folder: Path, config: Any, placement: Placement) -> None:
    """Raises ValueError where the CPU's four-bit kernels cannot take the layers."""
    widths = (config.hidden_size, getattr(config, "intermediate_size", 0))
    odd = [width for width in widths if width % 64]
    if placement.device == "cpu" and placement.quantize != "int8" and odd:
        raise ValueError(
            f"on a CPU four bits need layers whose width is a multiple of 64, and {folder} has {odd[0]}: give int8"
        )


def stored_quantisation(config: Any) -> str | None:
    """How a checkpoint's weights are stored: nf4, fp4, int8, or the name of another method; None: as they are."""
    stored = getattr(config, "quantization_config", None)
    if stored is None:
        return None
    told = stored if isinstance(stored, dict) else stored.to_dict()
    if told.get("quant_method") != "bitsandbytes":
        return str(told.get("quant_method"))
    return "int8" if told.get("load_in_8bit") else str(told.get("bnb_4bit_quant_type"))


def check_stored(folder: Path, stored: str, asked: str | None) -> None:
    """Raises ValueError where weights are stored in a way that was not asked for, or that cannot be read."""
    getLogger("bitsandbytes").setLevel(ERROR)
    if asked not in (None, stored):
        raise ValueError(f"{folder} is stored in {stored}: leave --quantize away, or quantise the original again")
    if stored not in QUANTISED:
        raise ValueError(f"{folder} is quantised by {stored}, which cannot be read here: give the original")


def compute_in(network: PreTrainedModel, dtype: torch.dtype) -> None:
    """Have a network compute in other numbers than it was saved with, which transformers keeps whatever it is told."""
    from bitsandbytes.nn.modules import Linear4bit  # takes a second to import

    for module in network.modules():
        if isinstance(module, Linear4bit):
            module.compute_dtype, module.compute_type_is_set = dtype, True
    for parameter in network.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)


def scales(weight: Any) -> Iterator[Tensor]:
    """What a quantised weight is multiplied by; in four bits the scales are quantised, too. Nothing for others."""
    if getattr(weight, "SCB", None) is not None:
        yield weight.SCB
    if getattr(weight, "quant_state", None) is not None:
        yield weight.quant_state.absmax
        if weight.quant_state.nested:
            yield weight.quant_state.state2.absmax
