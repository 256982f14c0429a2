"""What a run may start from, how it is laid out, and what is refused with which words."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import models
from app.errors import InfillError
from app.infill import infill
from app.sampling.layout import encode_sides, lay_out
from app.sampling.request import InfillRequest
from app.sampling.start import Start
from models.denoiser import Denoiser

MASK = 30  # the toy's; 29 begins a text
GOOD = {"gaps": [[1, None, 2], [None]], "locked": [2], "confidence": [[0.25, 0, 1], [0]]}


@pytest.fixture(scope="module")
def toy() -> Denoiser:
    return models.load("toy")


def test_a_start_comes_back_from_json_as_it_was():
    start = Start.from_json(GOOD)
    assert start == Start(gaps=((1, None, 2), (None,)), locked=(2,), confidence=((0.25, 0, 1), (0,)))
    assert start.to_json() == GOOD
    assert Start.from_json(json.loads(json.dumps(start.to_json()))) == start
    assert pickle.loads(pickle.dumps(start)) == start


def test_a_confidence_that_is_not_known_is_1_and_others_have_four_digits():
    assert Start.from_json({"gaps": [[1, None]]}).confidence == ((1.0, 0.0),)
    assert Start(gaps=((1, None),), confidence=((0.123456, 0),)).confidence == ((0.1235, 0.0),)


def test_locked_slots_are_kept_in_order_and_each_once():
    assert Start(gaps=((1, 2, None),), locked=(1, 0, 1)).locked == (0, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gap": []}, "no part 'gap', only gaps, locked, confidence"),
        ({"gaps": None}, "'gaps' of a start must be a list for each gap"),
        ({"gaps": [1, None]}, "'gaps' of a start must be a list for each gap"),
        ({"gaps": "ab"}, "'gaps' of a start must be a list for each gap"),
        ({"gaps": []}, "at least one gap"),
        ({"gaps": [[None], []]}, "at least one token in each"),
        ({"gaps": [["a", None]]}, "whole numbers from 0"),
        ({"gaps": [[-1, None]]}, "whole numbers from 0"),
        ({"gaps": [[True, None]]}, "whole numbers from 0"),
        ({"gaps": [[1.0, None]]}, "whole numbers from 0"),
        ({"gaps": [[10**30, None]]}, "whole numbers from 0"),
        ({"gaps": [[1, 2, 2], [3]]}, "nothing is masked in this start"),
        ({"locked": 2}, "'locked' of a start must be a list of slots"),
        ({"locked": [2.0]}, "'locked' of a start must be a list of slots"),
        ({"locked": [-1]}, "'locked' of a start must be a list of slots"),
        ({"locked": [4]}, "locks slot 4, but its slots are 0 to 3"),
        ({"locked": [1]}, "locks slot 1, which is masked"),
        ({"confidence": [[1, 0, 1]]}, "one confidence for each token of each gap"),
        ({"confidence": [[1, 0], [0, 1]]}, "one confidence for each token of each gap"),
        ({"confidence": [[1, 0, 2], [0]]}, "numbers from 0 to 1"),
        ({"confidence": [[1, 0, float("nan")], [0]]}, "numbers from 0 to 1"),
        ({"confidence": [[1, 0, "1"], [0]]}, "numbers from 0 to 1"),
        ({"confidence": [[1, 0.5, 1], [0]]}, "a confidence of 0.5 for a mask"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused_with_the_reason(change, words):
    with pytest.raises(InfillError) as caught:
        Start.from_json({**GOOD, **change})
    assert words in str(caught.value)


def test_a_request_takes_a_start_as_an_object_a_mapping_or_json():
    start = Start(gaps=((1, None),))
    for given in (start, start.to_json(), json.dumps(start.to_json())):
        assert InfillRequest(text="a[[2]]", start=given).start == start
    with pytest.raises(InfillError, match="start is not JSON"):
        InfillRequest(text="a[[2]]", start="[1")
    with pytest.raises(InfillError, match="start: a start must have named parts, not 3"):
        InfillRequest(text="a[[2]]", start=3)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"text": "a[[2]]b[[1]]"}, "the start has gaps of 3 and 1 tokens, and the text has gaps of 2 and 1"),
        ({"text": "a[[4]]"}, "the start has gaps of 3 and 1 tokens, and the text has gaps of 4"),
        ({"length": 4}, "the start has gaps of 3 and 1 tokens, and the text has gaps of 4"),
        ({"text": "a[[3]]b[[auto]]"}, r"cannot have an \[\[auto\]\] gap"),
    ],
)
def test_a_start_must_have_the_gaps_of_the_text(asked, words):
    with pytest.raises(InfillError, match=words):
        InfillRequest(**asked, start=GOOD)


def test_written_tokens_may_be_taken_back_and_locked_ones_not(toy):
    canvas, _ = lay_out(InfillRequest(text="aa[[3]]b[[1]]", start=GOOD), toy)
    assert canvas.ids.tolist() == [0, 0, 1, MASK, 2, *toy.tokenizer.encode(" b"), MASK]
    assert canvas.slots.tolist() == [2, 3, 4, 7]
    assert canvas.span.tolist() == [2, 3, 7]
    assert canvas.masks.tolist() == [3, 7]
    assert canvas.pinned.tolist() == [False, False, True, False]
    assert canvas.inherited.tolist() == [0, 0, 0.25, 0, 0, 0, 0, 0]


def test_pinned_words_are_in_force_whatever_the_start_has_there(toy):
    start = Start(gaps=((1, None, 3, None),))
    canvas, _ = lay_out(InfillRequest(text="aa[[4|1:b,2:c]]", start=start, space=False), toy)
    assert canvas.ids.tolist() == [0, 0, 1, 2, 3, MASK]
    assert canvas.pinned.tolist() == [True, True, False, False]
    canvas, _ = lay_out(InfillRequest(text="aa[[4|1:z]]", start=start, space=False), toy)
    assert canvas.ids.tolist() == [0, 0, 25, MASK, 3, MASK]


def test_a_pin_where_the_start_locks_another_token_is_refused(toy):
    start = Start(gaps=((1, None),), locked=(0,))
    assert lay_out(InfillRequest(text="aa[[2|1:b]]", start=start, space=False), toy)[0].pinned.tolist() == [True, False]
    with pytest.raises(InfillError, match="pins position 1 of gap 1, and the start locks another token there"):
        lay_out(InfillRequest(text="aa[[2|1:c]]", start=start, space=False), toy)


def test_a_start_whose_only_masks_are_pinned_is_refused(toy):
    with pytest.raises(InfillError, match="leave nothing masked"):
        lay_out(InfillRequest(text="aa[[2|1:b]]", start=Start(gaps=((None, 3),)), space=False), toy)


@pytest.mark.parametrize("locked", [(), (0,)])
@pytest.mark.parametrize(
    ("token", "words"),
    [
        (31, "token 31 at position 1 of gap 1, and 'toy' has only the tokens 0 to 30"),
        (MASK, "the mask, token 30, written at position 1 of gap 1"),
        (29, "a special token, token 29, written at position 1 of gap 1"),
    ],
)
def test_ids_that_are_no_text_of_the_model_are_refused(toy, token, words, locked):
    request = InfillRequest(text="aa[[2]]", start=Start(gaps=((token, None),), locked=locked))
    with pytest.raises(InfillError, match=words):
        next(infill(request, toy))


def test_a_banned_word_in_the_start_is_refused_unless_it_is_locked(toy):
    def first(**start):
        request = InfillRequest(text="x [[5]]", start=Start(gaps=((26, 3, 14, 6, None),), **start), banned=["dog"])
        return next(infill(request, toy))

    with pytest.raises(InfillError, match="the start has the banned word 'dog': mask it again, lock it, or drop"):
        first()
    assert first(locked=(1, 2, 3)).pieces(0)[1:4] == ["d", "o", "g"]


def test_a_parent_cannot_continue_from_a_start(toy):
    with pytest.raises(InfillError, match="this one is a branch"):
        encode_sides(InfillRequest(prefix="a", length=2, start=Start(gaps=((1, None),))), toy)


def test_nothing_written_lays_out_as_no_start_does(toy):
    plain, _ = lay_out(InfillRequest(text="aa[[3]]"), toy)
    started, _ = lay_out(InfillRequest(text="aa[[3]]", start=Start(gaps=((None,) * 3,))), toy)
    for name in ("ids", "editable", "masked", "inherited"):
        assert np.array_equal(getattr(plain, name), getattr(started, name))
