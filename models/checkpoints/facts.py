"""Facts about a checkpoint from its files and the catalogue: is it a diffusion model, its mask, its context."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from models.catalogue import Source
from models.checkpoints.json_files import read_json
from models.checkpoints.weights import Weights, read_weights
from models.quoting import quoted


def is_diffusion(folder: Path) -> bool:
    """Check if a folder declares a diffusion model: `is_causal: false`, or DiffuGPT's wrapper.

    Raises ValueError if its config.json or its weights cannot be read.
    """
    return read_config(folder).get("is_causal") is False or read_weights(folder).wrapped


def read_config(folder: Path) -> dict[str, Any]:
    """Return the content of the folder's config.json. Raises ValueError if it cannot be read."""
    try:
        config = read_json(folder / "config.json")
    except ValueError as error:
        raise ValueError(f"{folder} is not a whole checkpoint: its config.json cannot be read ({error})") from error
    if isinstance(config, dict):
        return config
    raise ValueError(f"{folder} is not a whole checkpoint: its config.json is not a JSON object")


_MARKS = {
    "self_attn.q_norm.weight": None,  # Qwen3 and others, which are not supported
    "attn.c_attn.weight": "gpt2",
    "self_attn.o_proj.bias": "llama",
    "self_attn.q_proj.bias": "qwen2",
    "self_attn.q_proj.weight": "llama",  # or Mistral, which is the same without sliding windows
}


def model_type_of(config: Mapping[str, Any], weights: Weights) -> str | None:
    """Return transformers' name of the architecture from a config.json's content, or else from tensor names.

    None if neither shows it. Raises ValueError if the config states a name that is not text.
    """
    stated, classes = config.get("model_type") or "", config.get("architectures") or []
    for name in (stated, *(classes if isinstance(classes, list) else [classes])):
        if not isinstance(name, str):
            raise ValueError(f"its config.json names an architecture that is not text, {quoted(name)}; correct it")  # noqa: TRY004
    if stated:
        return stated
    types = {name: type_ for type_, name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.items()}
    for name in classes:
        if name in types:
            return types[name]
    marks = (mark for mark in _MARKS if any(name.endswith(mark) for name in weights.shapes))
    return _MARKS.get(next(marks, ""))


def context_of(network: PreTrainedModel, source: Source) -> int:
    """Return the most tokens in a text: what the network can read, or less if it was adapted on less.

    Raises ValueError if the config says something else than a number about that.
    """
    adapted = getattr(network.config, "adapted_context", None)
    if adapted is not None and (type(adapted) is not int or adapted < 1):
        raise ValueError(
            f"the adapted_context of '{source.name}' must be a whole number of tokens, not {quoted(adapted)}; "
            "correct it in its config.json, or remove it"
        )
    return min(length for length in (network.config.max_position_embeddings, adapted, source.context) if length)


def mask_id_of(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    network: PreTrainedModel,
    source: Source,
    *,
    asked: int | None = None,
) -> int:
    """Return `asked`, or else the mask of the config (the tokenizer's may serve another purpose), tokenizer, catalogue.

    Raises ValueError if none is known, most likely for an autoregressive model, or if files and catalogue differ.
    """
    rows = len(network.get_input_embeddings().weight)  # pyright: ignore[reportArgumentType]
    if asked is not None:
        if not 0 <= asked < rows:
            raise ValueError(f"--mask-token-id {asked} is not in the vocabulary of '{source.name}', 0 to {rows - 1}")
        return asked
    stated = [getattr(network.config, "mask_token_id", None), tokenizer.mask_token_id, source.mask_id]
    known = [id_ for id_ in stated if id_ is not None]
    for id_ in known:
        check_mask_id(id_, rows, source.name)
    if not known and not (source.adapted or is_diffusion(folder)):
        raise ValueError(
            f"'{source.name}' does not say that it was adapted to diffusion, and has no mask token: `python -m "
            f"models.adapt adapt --model {source.name}` adapts an autoregressive model; if it is a diffusion model "
            "already, give the id of the mask that it was trained with as --mask-token-id"
        )
    if not known:
        raise ValueError(
            f"{folder} has no mask token in its tokenizer or config; a masked diffusion model needs one: give the id "
            "that it was trained with as --mask-token-id"
        )
    if source.mask_id is not None and source.mask_id != known[0]:
        raise ValueError(
            f"the files of '{source.name}' say that its mask is token {known[0]}, but it was published with "
            f"{source.mask_id}; give the right one as --mask-token-id"
        )
    if known[0] >= rows:
        raise ValueError(f"the mask of '{source.name}' is token {known[0]}, but the network has only {rows} tokens")
    return known[0]


def check_mask_id(id_: Any, rows: int, name: str) -> None:
    """Raise ValueError if what the config of the model `name` states as its mask is not a token id at all."""
    if type(id_) is not int or id_ < 0:
        raise ValueError(
            f"the mask token id of '{name}' must be a whole number from 0 to {rows - 1}, not {quoted(id_)}; "
            "correct mask_token_id in its config.json, or give --mask-token-id"
        )
