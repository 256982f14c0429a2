"""A corpus and the trainings that were never interrupted, made once for all tests of the recipe."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from models.adapt import trainer
from models.adapt.__main__ import main
from models.adapt.data import train_tokenizer
from tests.models.adapt.runs import EXAMPLES, STORIES, TEXT, VOCABULARY, command


@pytest.fixture(scope="session", autouse=True)
def _plain() -> Iterator[None]:
    """On the CPU, where sums are exact to the last bit, and undrawn: that takes half the time of a tiny training.

    That a training draws is tested in `test_curves`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_USE_CPU", "true")
        patch.setattr(trainer, "draw", lambda curves, out, **_: out.write_text(f"{list(curves)}"))
        yield


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(STORIES, 300)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "train.txt").write_text(TEXT, encoding="utf-8")
    (folder / "valid.txt.xz").write_bytes(lzma.compress(TEXT.encode()))
    (folder / "examples.jsonl").write_text("".join(json.dumps(example) + "\n" for example in EXAMPLES))
    text, out = str(folder / "train.txt"), str(folder / "tokenizer")
    assert main(["tokenizer", "--text", text, "--out", out, "--vocab-size", str(VOCABULARY)]) == 0
    return folder


@pytest.fixture(scope="session")
def trained(corpus) -> Path:
    """A folder with a parent, and a child that was adapted from it, neither of them ever interrupted."""
    assert main(command("pretrain", corpus, corpus / "parent")) == 0
    assert main(command("adapt", corpus, corpus / "child")) == 0
    return corpus


@pytest.fixture(scope="session")
def gpt2(corpus) -> Path:
    """A parent of another kind: learned positions, transposed matrices, and dropout."""
    config = GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=1, n_head=2, n_positions=32, bos_token_id=0, eos_token_id=0
    )
    assert config.resid_pdrop > 0
    torch.manual_seed(0)
    GPT2LMHeadModel(config).save_pretrained(corpus / "gpt2")
    PreTrainedTokenizerFast.from_pretrained(corpus / "tokenizer").save_pretrained(corpus / "gpt2")
    return corpus / "gpt2"
