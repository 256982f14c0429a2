"""What a checkpoint's files and its preset say of it: diffusion model or not, which mask, how long a text may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from models.catalogue import Source
from models.checkpoints.weights import Weights, read_weights


def is_diffusion(folder: Path) -> bool:
    """Whether a checkpoint folder says that it holds a diffusion model: `is_causal: false`, or DiffuGPT's wrapper.

    Raises ValueError if its config.json or its weights cannot be read.
    """
    return read_config(folder).get("is_causal") is False or read_weights(folder).wrapped


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json. Raises ValueError if there is none that can be read."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} is not a whole checkpoint: its config.json cannot be read ({error})") from error
    if isinstance(config, dict):
        return config
    raise ValueError(f"{folder} is not a whole checkpoint: its config.json is no JSON object")


_MARKS = {
    "self_attn.q_norm.weight": None,  # Qwen3 and others, which cannot be read
    "attn.c_attn.weight": "gpt2",
    "self_attn.o_proj.bias": "llama",
    "self_attn.q_proj.bias": "qwen2",
    "self_attn.q_proj.weight": "llama",  # or Mistral, which is the same without its window
}


def model_type_of(config: Mapping[str, Any], weights: Weights) -> str | None:
    """transformers' name of the architecture: the config's, that of its class, or by its tensors; None: nobody tells.

    `config` is what stands in a config.json.
    """
    if config.get("model_type"):
        return config["model_type"]
    types = {name: type_ for type_, name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.items()}
    for name in config.get("architectures") or ():
        if name in types:
            return types[name]
    marks = (mark for mark in _MARKS if any(name.endswith(mark) for name in weights.shapes))
    return _MARKS.get(next(marks, ""))


def context_of(network: PreTrainedModel, source: Source) -> int:
    """Tokens a text may have: what the network can read, or less where it was adapted to less."""
    told = (network.config.max_position_embeddings, getattr(network.config, "adapted_context", None), source.context)
    return min(length for length in told if length)


def mask_id_of(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    network: PreTrainedModel,
    source: Source,
    *,
    asked: int | None = None,
) -> int:
    """As asked for; or the config's (the tokenizer may have one for another purpose), the tokenizer's, the preset's.

    Raises ValueError where nobody knows one, which is most likely an autoregressive model, or where the files and the
    preset differ.
    """
    rows = len(network.get_input_embeddings().weight)  # pyright: ignore[reportArgumentType]
    if asked is not None:
        if not 0 <= asked < rows:
            raise ValueError(f"--mask-token-id {asked} is not in the vocabulary of '{source.name}', 0 to {rows - 1}")
        return asked
    told = [getattr(network.config, "mask_token_id", None), tokenizer.mask_token_id, source.mask_id]
    known = [id_ for id_ in told if id_ is not None]
    if not known and not (source.adapted or is_diffusion(folder)):
        raise ValueError(
            f"'{source.name}' does not say that it was adapted to diffusion, and has no mask token: `python -m "
            f"models.adapt adapt --model {source.name}` makes an autoregressive model one that fills gaps; if it is "
            "one already, give the id of the mask that it was trained with as --mask-token-id"
        )
    if not known:
        raise ValueError(
            f"{folder} has no mask token in its tokenizer or config; a masked diffusion model needs one: give the id "
            "that it was trained with as --mask-token-id"
        )
    if source.mask_id is not None and source.mask_id != known[0]:
        raise ValueError(
            f"the files of '{source.name}' say that its mask is token {known[0]}, but it was published with "
            f"{source.mask_id}: give the right one as --mask-token-id"
        )
    if known[0] >= rows:
        raise ValueError(f"the mask of '{source.name}' is token {known[0]}, but the network knows only {rows} tokens")
    return known[0]
