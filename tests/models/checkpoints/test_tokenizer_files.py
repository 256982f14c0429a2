"""Folders that hold their tokenizer in one file only."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

import models
from models.adapt.data import train_tokenizer
from models.checkpoints.checkpoint import load_autoregressive
from models.checkpoints.tokenizer import TextTokenizer, read_tokenizer
from tests.models.checkpoints.test_formats import WORDS, write

TEXTS = ("the cat sat", " the  cat", "é☃ cat\n dog", "<s>the</s>", "The ﬁ", "")


def keep_only(folder: Path, name: str) -> Path:
    """Remove every file of the tokenizer but one."""
    for file in folder.iterdir():
        if file.name.startswith(("tokenizer", "special_tokens")) and file.name != name:
            file.unlink()
    return folder


def train_sentencepiece(**rules: Any) -> bytes:
    """Return a tokenizer.model by LLaMA's rules, other `rules` excepted."""
    from sentencepiece import SentencePieceTrainer

    written = io.BytesIO()
    usual = {"model_type": "bpe", "byte_fallback": True, "vocab_size": 290, "normalization_rule_name": "identity"}
    SentencePieceTrainer.train(
        sentence_iterator=iter(WORDS * 5),
        model_writer=written,
        hard_vocab_limit=False,
        remove_extra_whitespaces=False,
        minloglevel=2,
        **(usual | rules),
    )
    return written.getvalue()


@pytest.mark.parametrize("architecture", ["llama", "mistral", "qwen2", "gpt2"])
def test_tokenizer_json_alone_takes_begin_and_end_from_the_config(tmp_path, architecture):
    folder = write(tmp_path / "alone", architecture, is_causal=False, mask_token_id=1, bos_token_id=3, eos_token_id=5)
    tokenizer = read_tokenizer(keep_only(folder, "tokenizer.json"))
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (3, 5)
    loaded: Any = models.load(str(folder))
    assert loaded.tokenizer.begin == (3,)
    assert loaded.tokenizer.special_ids >= {3, 5}
    assert b"".join(map(loaded.tokenizer.token_bytes, loaded.tokenizer.encode(TEXTS[0]))).decode() == TEXTS[0]


def test_of_several_ends_in_the_config_the_first_is_taken(tmp_path):
    folder = write(tmp_path / "ends", bos_token_id=None, eos_token_id=[7, 8])
    tokenizer = read_tokenizer(keep_only(folder, "tokenizer.json"))
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (None, 7)


def test_a_file_that_states_the_ends_outweighs_the_config(tmp_path):
    folder = write(tmp_path / "stated", bos_token_id=3, eos_token_id=5)
    assert read_tokenizer(folder).bos_token_id == 0


def test_a_tokenizer_without_ends_is_refused_with_where_to_state_them(tmp_path):
    folder = write(tmp_path / "endless", bos_token_id=None, eos_token_id=None, is_causal=False, mask_token_id=1)
    keep_only(folder, "tokenizer.json")
    with pytest.raises(ValueError, match=r"say which they are as bos_token_id and eos_token_id in config\.json"):
        models.load(str(folder))
    train_tokenizer(WORDS, 280).backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match="neither a begin- nor an end-of-text token"):
        TextTokenizer(read_tokenizer(tmp_path))  # a folder without any config


@pytest.mark.parametrize("architecture", ["llama", "mistral", "qwen2"])
@pytest.mark.parametrize("rules", [{}, {"model_type": "unigram"}, {"add_dummy_prefix": False}])
def test_tokenizer_model_alone_reads_as_sentencepiece_does(tmp_path, architecture, rules):
    from sentencepiece import SentencePieceProcessor

    folder = write(tmp_path / "alone", architecture, is_causal=False, mask_token_id=299, bos_token_id=1, eos_token_id=2)
    (keep_only(folder, "") / "tokenizer.model").write_bytes(train_sentencepiece(**rules))
    loaded: Any = models.load(str(folder))
    theirs = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    assert (loaded.tokenizer.begin, loaded.tokenizer.size) == ((1,), theirs.vocab_size())
    for text in TEXTS:
        if rules.get("model_type") == "unigram" and "<s>" in text:
            continue  # it is a piece like others there
        if not text.startswith(" "):  # before an opening space we put no second one
            assert loaded.tokenizer.encode(text, opening=True) == theirs.encode(text)
        ids = loaded.tokenizer.encode(text)
        assert b"".join(map(loaded.tokenizer.token_bytes, ids)).decode() == text


def test_begin_and_end_of_tokenizer_model_are_those_of_the_config(tmp_path):
    folder = write(tmp_path / "ends", is_causal=False, bos_token_id=2, eos_token_id=1)
    (keep_only(folder, "") / "tokenizer.model").write_bytes(train_sentencepiece())
    tokenizer = read_tokenizer(folder)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (2, 1)
    assert load_autoregressive(write(tmp_path / "causal")).tokenizer.begin == (0,)


def test_a_tokenizer_model_that_cannot_be_read_says_what_helps(tmp_path, monkeypatch):
    folder = keep_only(write(tmp_path / "other"), "")
    (folder / "tokenizer.model").write_bytes(b"IQ== 0\nIg== 1\n")  # as tiktoken writes it
    with pytest.raises(ValueError, match=r"is not of SentencePiece\); add the tokenizer\.json") as caught:
        read_tokenizer(folder)
    assert "\n" not in str(caught.value)
    monkeypatch.setattr("models.checkpoints.tokenizer._installed", lambda name: name != "sentencepiece")
    with pytest.raises(ValueError, match=r": pip install sentencepiece protobuf$"):
        read_tokenizer(folder)


def test_a_folder_without_a_tokenizer_says_which_file_it_needs(tmp_path):
    with pytest.raises(ValueError, match=r"it needs a tokenizer\.json or tokenizer\.model$"):
        read_tokenizer(keep_only(write(tmp_path / "none"), ""))
