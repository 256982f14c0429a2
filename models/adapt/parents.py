"""The start of a training: a checkpoint, and the token that will be the mask."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

import models
from models.checkpoints.checkpoint import read_network
from models.checkpoints.facts import check_mask_id
from models.checkpoints.tokenizer import read_tokenizer
from models.checkpoints.weights import read_weights


def read_parent(model: str, dtype: torch.dtype = torch.float32) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Read the tokenizer and causal language model of a name for `models.load`. Raises ValueError as that does."""
    source = models.find(model)
    if source is None:
        raise ValueError("the toy is exact and cannot be trained; choose a checkpoint folder or a hub name")
    folder = models.fetch(source)
    if read_weights(folder).quantised:
        raise ValueError(f"{folder} is quantised and cannot be trained; choose the original")
    network = read_network(folder, dtype=dtype)
    return read_tokenizer(folder), network


def settle_mask(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, new: str | None, id_: int | None
) -> int:
    """Return the mask token's id: a new token's (the embedding grows), a reused one's, or the one of the model.

    Raises ValueError if there is none, or the id is outside the vocabulary.
    """
    if new is not None:
        tokenizer.add_special_tokens({"mask_token": new})
        network.resize_token_embeddings(max(len(tokenizer), network.config.vocab_size), pad_to_multiple_of=2)
    if id_ is not None:
        if not 0 <= id_ < network.config.vocab_size:
            raise ValueError(f"--mask-token-id {id_} is not in the vocabulary of {network.config.vocab_size} tokens")
        return id_
    known: Any = getattr(network.config, "mask_token_id", None)
    known = tokenizer.mask_token_id if known is None or new is not None else known
    if known is None:
        raise ValueError(
            "the tokenizer has no mask token; add one with --mask-token '<|mask|>', or reuse a rare token with "
            "--mask-token-id, as DiffuLLaMA does with 811"
        )
    check_mask_id(known, network.config.vocab_size, network.name_or_path)
    return known


def check_fit(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, context: int) -> None:
    """Raise ValueError if the tokenizer or the context is larger than the network's."""
    rows, longest = len(network.get_input_embeddings().weight), network.config.max_position_embeddings
    if len(tokenizer) > rows:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} tokens, but the network only {rows}: they do not belong together"
        )
    if context > longest:
        raise ValueError(f"--context {context} is more than the {longest} tokens that the model reads")
