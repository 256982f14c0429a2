"""What the text around a gap says about it."""

from __future__ import annotations

import numpy as np
import pytest

from app.length.sentences import boundaries, surroundings, typical
from app.sampling.canvas import Canvas

PIECES = ("_", " the", " dog", " ran", ".", " She", ' "', '"', " sat", "!", " and", ",", ' "Oh')


class Words:
    """Token i is the i-th piece; 0 is special."""

    begin, special_ids = (0,), frozenset({0})

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        return [PIECES.index(piece) for piece in text.split("|")]

    def token_bytes(self, token: int) -> bytes:
        return PIECES[token].encode()


def around(before: list[int], after: list[int], *, masks: int = 2):
    ids = np.array([*before, *[99] * masks, *after])
    gap = np.arange(len(before), len(before) + masks)
    span = ids == 99
    return surroundings(Canvas(ids=ids, editable=span, masked=span.copy(), mask_id=99), gap, Words())


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("the dog ran . She sat !", [4, 6]),
        ('the dog ran ." She sat', [5]),
        ("3.5 dogs", []),
        ("", []),
    ],
)
def test_a_sentence_ends_with_a_full_stop_before_a_space(text, ends):
    pieces = {
        "the dog ran . She sat !": [" the", " dog", " ran", ".", " She", " sat!"],
        'the dog ran ." She sat': [" the", " dog", " ran", ".", '"', " She", " sat"],
        "3.5 dogs": [" 3", ".", "5", " dogs"],
        "": [],
    }[text]
    assert boundaries(pieces) == ends


def test_whole_sentences_on_both_sides_are_measured():
    found = around([0, 1, 2, 3, 4], [5, 8, 9, 1, 2, 3, 4, 5])
    assert found.whole
    assert found.lengths == (5, 3, 4)  # the begin token counts with the first


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        ([1, 2, 3, 4], [5, 8], True),
        ([1, 2, 3], [5, 8], False),  # begins inside a sentence
        ([1, 2, 3, 4], [10, 8], False),  # ends inside one
        ([1, 2, 3, 4], [9], False),  # the full stop of the missing one is there
        ([0], [5, 8], True),  # nothing stands before
        ([1, 2, 3, 4], [], True),  # nothing stands after
        ([1, 3, 4, 7], [12, 8], True),  # quotes
    ],
)
def test_a_gap_between_sentences_is_told_from_one_inside(before, after, whole):
    assert around(before, after).whole == whole


def test_what_lies_beyond_another_gap_is_not_read():
    assert around([1, 2, 4, 99, 5, 8, 9], [5, 9]).lengths == (3, 2)


def test_few_sentences_count_less_than_many():
    assert typical([], 2.5) == 2.5
    assert typical([20], 2.5) == pytest.approx((np.log(20) + 7.5) / 4)
    assert typical([20] * 97, 2.5) == pytest.approx(np.log(20), abs=0.02)
