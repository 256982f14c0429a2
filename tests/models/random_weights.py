"""Tiny transformers with random weights, whose tokenizer has no text."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from models.bench.untrained import NumberTokenizer
from models.denoiser import Query, Sampling
from models.networks.transformer import TransformerDenoiser
from models.prediction import Prediction

ARCHITECTURES = ("llama", "gpt2")
VOCABULARY, MASK = 40, 39


def network(architecture: str, *, is_causal: bool = False) -> Any:
    torch.manual_seed(0)
    if architecture == "llama":
        config = LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=64,
            initializer_range=0.3,
        )
        model = LlamaForCausalLM(config)
    else:
        config = GPT2Config(
            vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3
        )
        model = GPT2LMHeadModel(config)
    model.config.is_causal = is_causal
    return model.eval()


def denoiser(model: Any, *, mask_id: int = MASK) -> TransformerDenoiser:
    vocabulary = model.config.vocab_size
    return TransformerDenoiser("random", model, NumberTokenizer(mask_id), context=64, vocabulary=vocabulary)


def ask(
    ids: list[int],
    *,
    mask_id: int = MASK,
    temperature: float = 0.0,
    top_p: float = 1.0,
    banned: tuple[int, ...] = (),
    **settings: Any,
) -> Query:
    """Return a query about the masked positions; `settings` are the other fields of `Query`."""
    array = np.array(ids, dtype=np.int64)
    positions = np.flatnonzero(array == mask_id)
    uniforms = np.random.default_rng(0).random(len(positions))
    sampling = Sampling(temperature=temperature, top_p=top_p, banned=banned)
    return Query(ids=array, positions=positions, uniforms=uniforms, sampling=sampling, **settings)


NUMBERS = (
    *("confidence", "entropy", "margin", "logit_margin", "drawn_confidence", "drawn_entropy", "drawn_margin"),
    "top_probs",
)


def difference(first: Prediction, second: Prediction) -> float:
    """Return the largest difference of any number; infinite if the candidates differ."""
    if not np.array_equal(first.candidates, second.candidates):
        return float("inf")
    return max(float(np.abs(getattr(first, name) - getattr(second, name)).max()) for name in NUMBERS)


def tiny_llama(vocabulary: int, *, context: int) -> LlamaForCausalLM:
    """Return a causal LLaMA of one layer and random weights, whose token 0 begins and ends a text."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=context,
        bos_token_id=0,
        eos_token_id=0,
    )
    return LlamaForCausalLM(config)
