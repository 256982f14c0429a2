"""Low-rank adapters (LoRA, Hu et al., 2021, arXiv:2106.09685) through the optional package peft."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D


def attach(network: PreTrainedModel, rank: int) -> None:
    """Freeze the network except for new adapters at every linear layer, and the embeddings, which have no mask yet.

    Raises ValueError if peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ValueError("--lora needs the package peft: pip install 'peft>=0.21.2,<0.22'") from error
    transposed = any(isinstance(module, Conv1D) for module in network.modules())  # GPT-2's linear layers
    inject_adapter_in_model(
        LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", fan_in_fan_out=transposed), network
    )
    for table in (network.get_input_embeddings(), network.get_output_embeddings()):
        table.weight.requires_grad_(True)
    for weight in network.parameters():
        if weight.requires_grad:
            weight.data = weight.data.to(torch.float32)  # small updates would be lost in bf16


def merged(network: PreTrainedModel, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `weights` with the adapters' products added, under the names of the plain network."""
    from peft.tuners.lora import LoraLayer

    plain = {name.replace(".base_layer.", "."): tensor for name, tensor in weights.items() if ".lora_" not in name}
    for name, layer in network.named_modules():
        if isinstance(layer, LoraLayer):
            down, up = (weights[f"{name}.lora_{which}.default.weight"] for which in "AB")
            product = layer.scaling["default"] * (up @ down)
            plain[f"{name}.weight"] = plain[f"{name}.weight"] + (product.T if layer.fan_in_fan_out else product)
    return plain
