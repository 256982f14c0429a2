"""A tiny autoregressive model of random weights."""

from __future__ import annotations

from typing import Any

from models.bench.untrained import NumberTokenizer
from models.networks.autoregressive import AutoregressiveModel
from tests.models.random_weights import MASK, VOCABULARY, network


def causal(net: Any = None) -> AutoregressiveModel:
    net = network("llama", is_causal=True) if net is None else net
    tokenizer = NumberTokenizer(MASK, special_ids=frozenset({0}))
    return AutoregressiveModel("random", net, tokenizer, context=64, vocabulary=VOCABULARY)
