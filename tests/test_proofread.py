"""The belief in every written word: by hand on a Markov chain, where words stand, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

import models
from app.errors import InfillError
from app.proofread import Word, least_believed, proofread
from models.denoiser import Query
from models.reduction import reduce

TOY = models.load("toy")


class Letters:
    """Believes in the letters of `likely` at 4 to 1 against all others together, whatever stands there."""

    name, context, notices, judge, tokenizer = "letters", 64, (), None, TOY.tokenizer

    def __init__(self, likely: str) -> None:
        self.likely, self.asked = likely, []

    def predict(self, queries: list[Query]):
        self.asked += queries
        (query,) = queries
        p = np.array([4.0 if letter in self.likely else 1.0 for letter in "abcdefghijklmnopqrstuvwxyz .,\0"])
        logits = np.tile(np.log(p / p.sum()), (len(query.positions), 1))
        return [reduce(logits, query)]


def test_a_word_is_believed_as_much_as_its_least_token_in_one_pass():
    model = Letters("abc ")
    words = proofread(["cab axb, cc."], model)
    total = 4 * 4 + 26
    assert [(word.text, word.start, word.stop, word.tokens) for word in words] == [
        ("cab", 0, 3, 3), ("axb", 4, 7, 3), ("cc", 9, 11, 2),
    ]  # fmt: skip
    assert [word.belief for word in words] == pytest.approx([math.log(share / total) for share in (4, 1, 4)])
    (query,) = model.asked
    assert query.ids.tolist() == [*TOY.tokenizer.begin, *TOY.tokenizer.encode("cab axb, cc.")]


def test_masks_are_no_words_but_the_model_sees_them():
    model = Letters("abc")
    words = proofread(["ab ", 3, " c", "c", 2], model)
    assert [(word.text, word.start) for word in words] == [("ab", 0), ("cc", 4)]
    mask = TOY.tokenizer.mask_id
    assert [int(number) for number in model.asked[0].ids[3:6]] == [mask] * 3, "the space before a gap is left out"
    assert (model.asked[0].ids == mask).sum() == 5


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([" .,"], "there is no word"),
        (["a" * 64], "has 65 tokens, and 'letters' reads 64"),
        (["aÄb"], "cannot read every"),
    ],
)
def test_texts_that_cannot_be_checked_are_refused(parts, why):
    with pytest.raises(InfillError, match=why):
        proofread(parts, Letters("a"))


def test_the_share_of_least_believed_words_is_in_the_order_of_the_text():
    words = [Word(start=at, stop=at + 1, text="a", tokens=1, belief=-belief) for at, belief in enumerate([1, 5, 2, 4])]
    assert [word.start for word in least_believed(words, 0.5)] == [1, 3]
    assert [word.start for word in least_believed(words, 0.0)] == [1], "at least one"
    assert len(least_believed(words, 1.0)) == 4


def test_a_swapped_word_is_the_least_believed_for_the_bundled_model():
    words = proofread(["Tom saw a big dog in the park. The dog was very spoon and ran home."], models.load("bundled"))
    assert min(words, key=lambda word: word.belief).text in ("spoon", "very")
    assert "spoon" in [word.text for word in least_believed(words, 0.2)]
