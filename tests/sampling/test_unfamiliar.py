"""Text that a model cannot know: exact counts on bytes, and the warnings for the bundled model's own tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from app.sampling.unfamiliar import Unfamiliar, unfamiliar
from models.catalogue import BUNDLED
from models.checkpoints.frequencies import read_frequencies
from models.checkpoints.tokenizer import CheckpointTokenizer
from models.toy import toy

ROOT = Path(__file__).parents[2]


class Bytes:
    """A tokenizer of single bytes and the word "the", which is a fifth of a training text of small letters."""

    mask_id, begin, special_ids, size = 300, (), frozenset(), 257

    def __init__(self) -> None:
        counts = np.ones(257)
        counts[list(b" abcdefghijklmnopqrstuvwxyz")] = 80_000
        counts[256] = 540_000
        counts[list(b"{}")] = 2
        self.frequencies = counts / counts.sum()

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        return list(text.encode().replace(b"the", b"\x00"))

    def token_bytes(self, token: int) -> bytes:
        return b"the" if token == 256 else bytes([token])


@pytest.fixture(scope="module")
def bundled() -> CheckpointTokenizer:
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    return CheckpointTokenizer(tokenizer, 0, frequencies=read_frequencies(BUNDLED, tokenizer.get_vocab()))


def found(text: str, tokenizer=None) -> Unfamiliar:
    result = unfamiliar([text], tokenizer or Bytes())
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("text", "unknown", "kinds", "never"),
    [
        ("a dog ran", 0, (), True),
        ("a dog 猫 ran", 3, ("Han",), True),
        ("שלום", 8, ("Hebrew",), True),
        ("ab שלום 猫", 11, ("Hebrew", "Han"), True),
        ("über", 2, ("accented letters",), True),
        ("a\u0301b", 2, ("accented letters",), True),
        ("hi 😀👩\u200d👧", 15, ("emoji",), True),
        ("hi \u2764\ufe0f", 6, ("emoji",), True),
        ("it’s", 3, ("typographic quotes and dashes",), True),
        ("abcdefghijklmn {}", 2, ("signs such as { }",), False),
        ("a {b} {c}", 4, ("code",), False),
        ("He SAW", 4, ("rare words",), True),
        ("12 a", 2, ("digits",), True),
        ("小、猫。", 12, ("Han",), True),  # punctuation of another script has no name of its own
    ],
)
def test_it_counts_the_unknown_tokens_and_names_their_kinds(text, unknown, kinds, never):
    result = found(text)
    assert (result.tokens, result.unknown) == (len(text.encode()), unknown)
    assert result.kinds == kinds
    assert result.never is never


def test_parts_are_counted_together_and_never_joined():
    result = unfamiliar(["ab", "", "猫"], Bytes())
    assert result is not None
    assert (result.tokens, result.unknown, result.share) == (5, 3, 0.6)


def test_the_split_compares_the_bytes_of_a_token_with_those_in_training():
    tokenizer = Bytes()
    usual = (27 * 80_000 + 3 * 540_000) / (27 * 80_000 + 540_000)
    assert found("abcd", tokenizer).split == pytest.approx(usual, rel=1e-3)


@pytest.mark.parametrize(("parts", "tokenizer"), [(["a 猫"], toy().tokenizer), ([], Bytes()), (["", ""], Bytes())])
def test_without_counts_or_text_there_is_nothing_to_say(parts, tokenizer):
    assert unfamiliar(parts, tokenizer) is None


@pytest.mark.parametrize(
    ("tokens", "unknown", "said"),
    [
        (20, 1, ""),
        (21, 2, "10 % of"),
        (40, 2, "5 % of"),
        (41, 2, ""),
        (10, 3, "expect nonsense"),
        (100, 29, "may not fit"),
    ],
)
def test_a_few_unknown_tokens_are_not_worth_a_warning(tokens, unknown, said):
    warning = Unfamiliar(tokens=tokens, unknown=unknown, never=True, split=1.0, kinds=("Han",)).warning
    assert said in warning
    assert bool(warning) == bool(said)


def test_the_warnings_are_plain_sentences():
    han = Unfamiliar(tokens=100, unknown=41, never=True, split=1.0, kinds=("Han",))
    assert han.warning == (
        "41 % of this text is made of tokens that the model never saw in training (Han): expect nonsense."
    )
    capitals = Unfamiliar(tokens=30, unknown=0, never=True, split=2.96, kinds=("capitals",))
    assert capitals.warning == (
        "This text takes 3.0 times as many tokens as usual (capitals): the model has seen few such words, and what it "
        "writes may not fit."
    )
    unnamed = Unfamiliar(tokens=30, unknown=0, never=True, split=2.1, kinds=())
    assert "as usual: the model" in unnamed.warning


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "小猫在花园里玩。",
            "100 % of this text is made of tokens that the model never saw in training (Han)",
        ),
        ("הילד הלך לגן.", "(Hebrew): expect nonsense"),
        ("Der Hund lief über die Straße zu Müller.", "(accented letters): what it writes may not fit"),
        ("<div class='box'><p>Hello</p></div>", "(code): expect nonsense"),
        ("def f(n):\n    if n < 2:\n        return n\n    return f(n - 1)", "as many tokens as usual (code)"),
        ("TOM WENT TO THE PARK AND SAW A BIG DOG.", "3.0 times as many tokens as usual (capitals)"),
        ("3.14159 26535 89793 23846", "as many tokens as usual (digits)"),
        ("Tom was happy 😀 and so was Mia 🎉.", "(emoji)"),
        ("“Hello,” said Tom.", "(typographic quotes and dashes): write straight quotes and hyphens instead."),
        ("Tom went home. 小猫在玩。", "(Han)"),
    ],
)
def test_the_bundled_model_is_said_not_to_know(bundled, text, said):
    assert said in found(text, bundled).warning


@pytest.mark.parametrize(
    "text",
    [
        "Tom said STOP! and the dog ran.",
        "In 1984 there were 365 days and 12 months.",
        "The lawyer wrote that the contract was void.",
        '"Wow!" said Mia. "Look - it\'s a (big) red ball!"',
        "Mia",
    ],
)
def test_plain_english_raises_no_alarm(bundled, text):
    assert found(text, bundled).warning == ""


def test_no_beginning_of_a_held_out_text_raises_an_alarm(bundled):
    lines = (ROOT / "assets" / "problems.jsonl").read_text(encoding="utf-8").splitlines()
    alarms, looked_at = [], 0
    for problem in map(json.loads, lines):
        for words in (problem["prefix"].split(), problem["suffix"].split()):
            beginnings = [" ".join(words[:count]) for count in range(1, len(words) + 1)]
            alarms += [text for text in beginnings if found(text, bundled).warning]
            looked_at += len(beginnings)
    assert looked_at > 400
    assert alarms == []
