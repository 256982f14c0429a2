"""What tokens read: added words, special tokens and spaces that a tokenizer puts in front."""

from __future__ import annotations

import pytest

from tests.models.checkpoints.small_tokenizers import ADDED, SPECIAL, TOKENIZERS, load

every_tokenizer = pytest.mark.parametrize("name", TOKENIZERS)


def pieces(name: str, text: str, *, opening: bool = False) -> list[bytes]:
    tokenizer = load(name).tokenizer
    return [tokenizer.token_bytes(token) for token in tokenizer.encode(text, opening=opening)]


@every_tokenizer
def test_words_that_were_added_read_as_they_are_written(name):
    for word in ADDED:
        read = pieces(name, f"a {word}")
        assert b"".join(read) == f"a {word}".encode()
        assert word.encode() == read[-1].strip()


@every_tokenizer
def test_the_name_of_a_special_token_is_text_and_its_token_is_special(name):
    tokenizer = load(name).tokenizer
    assert tokenizer.special_ids.isdisjoint(set(tokenizer.encode(SPECIAL)) - unknown(tokenizer))
    (own,) = (token for token in range(tokenizer.size) if tokenizer.token_bytes(token) == SPECIAL.encode())
    assert own in tokenizer.special_ids


def unknown(tokenizer) -> set[int]:
    """Return the token for what cannot be spelled."""
    return {token for token in range(tokenizer.size) if tokenizer.token_bytes(token) == b"<unk>"}


@pytest.mark.parametrize("name", [name for name in TOKENIZERS if "under" not in name and name != "byte-level"])
def test_a_space_is_put_before_the_text_that_opens_and_no_other(name):
    assert b"".join(pieces(name, "cat", opening=True)) == b" cat"
    assert b"".join(pieces(name, " cat", opening=True)) == b" cat"
    assert b"".join(pieces(name, "cat")) == b"cat"
    assert b"".join(pieces(name, "cat café cat")) == "cat café cat".encode()


@pytest.mark.parametrize("name", ["byte-level", "byte-level under LLaMA's name"])
def test_byte_level_tokens_without_that_rule_read_as_typed(name):
    for text in ("the cat", " the  cat\n\tsat", "Åé☃你好", "<s>", f"a {SPECIAL} b"):
        assert b"".join(pieces(name, text, opening=True)) == text.encode()


def test_byte_names_are_bytes_only_where_the_tokenizer_has_them():
    assert pieces("metaspace, bytes", "☃") == [bytes([byte]) for byte in "☃".encode()]
    assert pieces("metaspace, unknown", "☃") == [b"<unk>"]
