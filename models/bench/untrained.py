"""Networks of random weights in the published models' shapes: as fast as the real ones, without a download."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from models.bench.speed import name_memory_errors
from models.catalogue import BUNDLED
from models.checkpoints.placement import place
from models.checkpoints.quantisation import bits, scales
from models.checkpoints.weights import Weights
from models.networks.transformer import TransformerDenoiser
from models.quoting import quoted

_LLAMA_2_7B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "intermediate_size": 11008,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
}
_GPT_2 = {"model_type": "gpt2", "vocab_size": 50258, "n_positions": 1024}  # with the mask, padded to an even number
SHAPES: dict[str, dict[str, Any]] = {
    "diffullama": _LLAMA_2_7B,
    "diffugpt-m": _GPT_2 | {"n_embd": 1024, "n_layer": 24, "n_head": 16},
    "diffugpt-s": _GPT_2 | {"n_embd": 768, "n_layer": 12, "n_head": 12},
    "bundled": json.loads((BUNDLED / "config.json").read_text(encoding="utf-8")),
}
"""The networks of arXiv:2410.17891 (table 1) and the bundled one, as settings of their configs."""

NUMBERS = {
    "fp32": ("float32", None),
    "bf16": ("bfloat16", None),
    "fp16": ("float16", None),
    "int8": ("float16", "int8"),  # from any other dtype bitsandbytes casts in every layer, with a warning
    "nf4": (None, "nf4"),
}
"""Number formats of weights: dtype (None: the one that the device computes in), quantisation of linear layers."""

_QUANTISED = ("Linear4bit", "Linear8bitLt")


@dataclass(frozen=True)
class NumberTokenizer:
    """A vocabulary whose text is token ids separated by spaces."""

    mask_id: int
    begin: tuple[int, ...] = (0,)
    special_ids: frozenset[int] = frozenset()
    frequencies: None = None
    classes: None = None

    @property
    def size(self) -> int:
        """Number of tokens; the mask is the last one."""
        return self.mask_id + 1

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        return [int(number) for number in text.split()]

    def token_bytes(self, token: int) -> bytes:
        return f" {token}".encode()


def check(name: str, numbers: str) -> int:
    """Return the context of a shape, in tokens. Raises ValueError for an unknown shape or number format."""
    if name not in SHAPES:
        raise ValueError(f"there is no shape {quoted(name)} for random weights: choose one of {', '.join(SHAPES)}")
    if numbers not in NUMBERS:
        raise ValueError(f"{quoted(numbers)} is not a number format for weights: choose one of {', '.join(NUMBERS)}")
    return SHAPES[name].get("n_positions") or SHAPES[name]["max_position_embeddings"]


def build(name: str, numbers: str, *, device: str, static: bool = False) -> TransformerDenoiser:
    """Make a network of SHAPES in NUMBERS, filled layer by layer on its device, so that no step needs more memory.

    Raises ValueError as `check` does, if the device is not available, and if the memory is estimated not to suffice;
    MemoryError if it turns out not to.
    """
    context = check(name, numbers)
    dtype, quantize = NUMBERS[numbers]
    settings = {key: value for key, value in SHAPES[name].items() if key not in ("dtype", "model_type")}
    config = AutoConfig.for_model(SHAPES[name]["model_type"], **settings)
    config.is_causal, config.bos_token_id, config.eos_token_id = False, 0, 0
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    placement = place(name, Weights(shapes=shapes, bytes=0), device=device, dtype=dtype, quantize=quantize)
    model.to(placement.torch_dtype)
    if quantize:
        # Imported late: bitsandbytes takes long to import and prints messages.
        from transformers.integrations.bitsandbytes import replace_with_bnb_linear

        model = replace_with_bnb_linear(model, ["lm_head"], bits(quantize, placement.torch_dtype))
    filled = torch.device(device)
    dice = [filled] if filled.type == "cuda" else []
    with name_memory_errors("the weights"), torch.random.fork_rng(dice), torch.no_grad():
        torch.manual_seed(0)
        _fill(model, filled)
    return TransformerDenoiser(
        f"{name} ({numbers}, random weights)",
        model.eval(),
        NumberTokenizer(config.vocab_size - 1),
        context=context,
        vocabulary=config.vocab_size,
        static=static,
    )


def _fill(model: Any, device: torch.device) -> None:
    """Move a network from the meta device to its own, with random weights."""
    plain = [module for module in model.modules() if type(module).__name__ not in _QUANTISED]
    for module in plain:
        module.to_empty(device=device, recurse=False)
    model.tie_weights()
    for module in plain:
        model._init_weights(module)  # also computes the buffers of rotary embeddings
    for module in model.modules():
        if type(module).__name__ in _QUANTISED:
            _fill_quantised(module, device)


def _fill_quantised(layer: Any, device: torch.device) -> None:
    """Fill a layer of bitsandbytes, whose own `to(device)` would first make the whole weights on the CPU."""
    import bitsandbytes

    bnb: Any = bitsandbytes.nn
    random = torch.empty(layer.out_features, layer.in_features, dtype=torch.float16, device=device).normal_(std=0.02)
    if type(layer).__name__ == "Linear4bit":
        layer.weight = bnb.Params4bit(random, quant_type="nf4", compress_statistics=True, module=layer).to(device)
    else:
        rows, scales, _ = bitsandbytes.functional.int8_vectorwise_quant(random)
        layer.weight = bnb.Int8Params(rows, requires_grad=False, CB=rows, SCB=scales)
    if layer.bias is not None:
        layer.bias = nn.Parameter(torch.zeros(layer.out_features, dtype=layer.bias.dtype, device=device), False)


def weight_bytes(denoiser: TransformerDenoiser) -> int:
    """Return the bytes of weights that every forward pass reads: all but tables in which it looks up a few rows."""
    tables = {id(module.weight) for module in denoiser.body.modules() if isinstance(module, nn.Embedding)}
    tables.discard(id(denoiser.head.weight))  # a head tied to the embedding is read as a whole
    weights = {id(weight): weight for part in (denoiser.body, denoiser.head) for weight in part.parameters()}
    return sum(
        tensor.nbytes for key, weight in weights.items() if key not in tables for tensor in (weight, *scales(weight))
    )
