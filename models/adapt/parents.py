"""What a training starts from: a tokenizer, a causal language model, and the token that is to be the mask."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase


def read_tokenizer(model: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or hub name. Raises ValueError where there is none."""
    try:
        return AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no tokenizer can be read from '{model}' ({_line(error)}); a checkpoint folder needs its tokenizer.json"
        ) from error


def read_network(model: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The causal language model of a folder or hub name. Raises ValueError where it is missing or damaged."""
    try:
        network, found = AutoModelForCausalLM.from_pretrained(  # pyright: ignore[reportGeneralTypeIssues]
            model,
            dtype=dtype,
            attn_implementation="sdpa",  # takes a mask of booleans, which others would add to the scores
            output_loading_info=True,
        )
    except Exception as error:
        raise ValueError(
            f"no causal language model can be read from '{model}' ({_line(error)}); copy or train it again"
        ) from error
    if found["missing_keys"]:  # transformers would make them up
        raise ValueError(
            f"'{model}' lacks weights of a causal language model ({min(found['missing_keys'])}); copy or train it again"
        )
    return network


def settle_mask(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, new: str | None, id_: int | None
) -> int:
    """The mask token: a new one (the embedding grows by it), a re-used one, or what the model was trained with.

    Raises ValueError where there is none, or the id is outside the vocabulary.
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
            "the tokenizer has no mask token: give --mask-token '<|mask|>' to add one, or --mask-token-id to re-use a "
            "token that hardly ever occurs, as DiffuLLaMA does with 811"
        )
    return known


def check_fit(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, context: int) -> None:
    """Raises ValueError where the tokenizer or the context is larger than what the network knows."""
    rows, longest = len(network.get_input_embeddings().weight), network.config.max_position_embeddings
    if len(tokenizer) > rows:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} tokens, but the network knows {rows}: they do not belong together"
        )
    if context > longest:
        raise ValueError(f"--context {context} is more than the {longest} tokens that the model reads")


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
