"""Problems of a few letters, and models that read letters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from app.measure.problems import Problem
from models.networks.transformer import TransformerDenoiser
from models.toy import ToyTokenizer

torch.set_num_threads(1)  # for tensors this small, more threads are slower

FEW = [
    Problem(prefix="the cat sat.", middle="a dog.", suffix="it was fun."),
    Problem(prefix="", middle="go.", suffix=""),
    Problem(prefix="the sun", middle="is up.", suffix="we sing."),
]


@pytest.fixture
def few() -> list[Problem]:
    return FEW


@pytest.fixture
def problems(tmp_path) -> Path:
    file = tmp_path / "problems.jsonl"
    file.write_text("\n".join(json.dumps(vars(problem)) for problem in FEW), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def network() -> TransformerDenoiser:
    """Return a GPT-2 of random weights, large enough for its predictions to depend on the text."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=32,
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=4,
        initializer_range=0.3,
        bos_token_id=28,
        eos_token_id=28,
    )
    config.is_causal = False
    tokenizer = ToyTokenizer("abcdefghijklmnopqrstuvwxyz .")
    return TransformerDenoiser("tiny", GPT2LMHeadModel(config).eval(), tokenizer, context=64, vocabulary=30)
