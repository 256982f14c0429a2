"""How a request is laid out on a canvas, and what may be done to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import models
from app.errors import InfillError
from app.sampling.canvas import Canvas
from app.sampling.layout import lay_out
from app.sampling.request import InfillRequest
from models.adapt.data import MASK, train_tokenizer
from models.checkpoints.tokenizer import CheckpointTokenizer
from models.denoiser import Denoiser
from models.toy import MarkovDenoiser, ToyTokenizer


@pytest.fixture(scope="module")
def toy() -> Denoiser:
    return models.load("toy")


def short(context: int) -> MarkovDenoiser:
    toy = MarkovDenoiser(ToyTokenizer("abc "), np.full((4, 4), 0.25))
    toy.context = context
    return toy


def read(denoiser: Denoiser, canvas: Canvas) -> str:
    """The canvas as text, masks as underscores."""
    name = denoiser.tokenizer.token_bytes
    return "".join(
        "_" if hidden else name(int(token)).decode() for token, hidden in zip(canvas.ids, canvas.masked, strict=True)
    )


@pytest.mark.parametrize(
    ("prefix", "suffix", "expected"),
    [
        ("the cat", "sat", "the cat___ sat"),
        ("the cat ", "sat", "the cat___ sat"),
        ("the cat   ", ", sat", "the cat___, sat"),
        ("the cat", "", "the cat___"),
    ],
)
def test_the_span_is_between_the_texts_and_takes_the_last_space_of_the_prefix(toy, prefix, suffix, expected):
    canvas, notices = lay_out(InfillRequest(prefix=prefix, suffix=suffix, length=3), toy)
    assert read(toy, canvas) == expected
    assert not notices
    assert canvas.masked.tolist() == canvas.editable.tolist()
    assert len(canvas.span) == 3


@pytest.mark.parametrize("prefix", ["", " ", "    "])
@pytest.mark.parametrize("suffix", ["", "end"])
def test_an_empty_prefix_is_the_token_that_begins_a_text(toy, prefix, suffix):
    canvas, notices = lay_out(InfillRequest(prefix=prefix, suffix=suffix, length=2), toy)
    assert canvas.ids[0] == toy.tokenizer.begin[0]
    assert canvas.span.tolist() == [1, 2]
    assert read(toy, canvas) == "__" + (" end" if suffix else "")
    assert not notices


@pytest.mark.parametrize(
    ("prefix", "suffix", "kept", "said"),
    [
        ("a" * 6 + "b" * 30, "c" * 30 + "a" * 9, "b" * 9 + "__" + " " + "c" * 8, ("first 27", "last 31")),
        ("b" * 3, "c" * 30, "bbb__ " + "c" * 14, ("last 16",)),
        ("a" * 9 + "b" * 18, "", "b" * 18 + "__", ("first 9",)),
        ("a" * 30 + "b" * 15, " c", "a" + "b" * 15 + "__ c", ("first 29",)),
        ("", "c" * 30, "__ " + "c" * 16, ("last 14",)),
    ],
)
def test_too_long_a_text_keeps_what_is_next_to_the_span_and_says_what_was_cut(prefix, suffix, kept, said):
    model = short(20)
    canvas, notices = lay_out(InfillRequest(prefix=prefix, suffix=suffix, length=2), model)
    assert len(canvas) == 20
    assert read(model, canvas) == kept
    assert len(notices) == len(said)
    for notice, words in zip(notices, said, strict=True):
        assert words in notice


def test_a_text_that_just_fits_is_not_cut():
    model = short(10)
    canvas, notices = lay_out(InfillRequest(prefix="abc", suffix="-cab", length=3, space=False), model)
    assert len(canvas) == 10
    assert not notices


def test_every_split_of_the_room_fits_the_context_and_starts_with_a_token():
    model = short(9)
    for before in range(12):
        for after in range(12):
            for length in range(1, 9):
                request = InfillRequest(prefix="a" * before, suffix="b" * after, length=length, space=False)
                canvas, _ = lay_out(request, model)
                assert len(canvas) <= 9
                assert canvas.span[0] >= 1
                assert len(canvas.span) == length


def test_a_gap_as_long_as_the_context_is_refused_with_the_longest_that_fits():
    with pytest.raises(InfillError, match="ask for 19 or fewer"):
        lay_out(InfillRequest(length=20), short(20))
    canvas, _ = lay_out(InfillRequest(prefix="abc", suffix="abc", length=19), short(20))
    assert len(canvas) == 20


@dataclass
class OrdinaryMask:
    """A tokenizer whose mask id is the letter m, as 811 is an ordinary token in DiffuLLaMA."""

    mask_id: int = ord("m")
    begin: tuple[int, ...] = (1,)
    special_ids: frozenset[int] = frozenset({1})
    frequencies: None = None

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        return list(text.encode())

    def token_bytes(self, token: int) -> bytes:
        return bytes([token])


def test_a_text_that_contains_the_mask_id_is_still_given_text():
    model = short(64)
    model.tokenizer = OrdinaryMask()  # pyright: ignore[reportAttributeAccessIssue]
    canvas, _ = lay_out(InfillRequest(prefix="mimm", suffix="mum", length=2), model)
    assert read(model, canvas) == "mimm__ mum"
    after = canvas.commit(canvas.masks[:1], np.array([ord("m")]))  # a committed mask id is a token like any other
    assert after.masks.tolist() == [5]


def test_the_names_of_special_tokens_are_text_where_a_user_types_them():
    trained = train_tokenizer(["the cat sat on the mat"] * 3, 300)
    tokenizer = CheckpointTokenizer(trained, trained.convert_tokens_to_ids(MASK))
    for name in trained.all_special_tokens:
        text = f"a {name} b"
        ids = tokenizer.encode(text)
        assert not set(ids) & tokenizer.special_ids
        assert b"".join(map(tokenizer.token_bytes, ids)).decode() == text


def test_commit_and_remask_leave_the_old_canvas_as_it_was():
    canvas, _ = lay_out(InfillRequest(prefix="ab", suffix="c", length=3), short(20))
    filled = canvas.commit(canvas.span[:2], np.array([0, 1]))
    again = filled.remask(canvas.span[:1])
    assert canvas.masks.tolist() == [2, 3, 4]
    assert filled.masks.tolist() == [4]
    assert again.masks.tolist() == [2, 4]
    assert again.ids[2] == canvas.mask_id
    assert again.ids[3] == 1


def test_given_text_is_neither_committed_nor_remasked():
    canvas, _ = lay_out(InfillRequest(prefix="ab", suffix="c", length=3), short(20))
    with pytest.raises(AssertionError):
        canvas.commit(np.array([0]), np.array([1]))
    with pytest.raises(AssertionError):
        canvas.remask(np.array([0]))


def test_several_gaps_follow_the_rules_of_spaces_and_pinned_words_are_given(toy):
    text = "the  [[2]]cat saw [[4|2:a]] [[1]], and [[6|1:so,4:b]]sat"
    canvas, notices = lay_out(InfillRequest(text=text), toy)
    assert read(toy, canvas) == "the__ cat saw_ a__, and so b_ sat"
    assert canvas.gaps == (range(3, 5), range(13, 17), range(17, 18), range(23, 29))
    assert canvas.span.tolist() == canvas.masks.tolist() == [3, 4, 13, 16, 17, 28]
    assert canvas.slots[canvas.pinned].tolist() == [14, 15, 23, 24, 25, 26, 27]
    assert canvas.places(canvas.span) == [0, 1, 2, 5, 6, 12]
    assert not notices


def test_one_gap_of_a_text_is_laid_out_as_prefix_and_suffix_are(toy):
    by_text, _ = lay_out(InfillRequest(text="the cat  [[3]]sat"), toy)
    by_sides, _ = lay_out(InfillRequest(prefix="the cat  ", suffix="sat", length=3), toy)
    assert by_text.ids.tolist() == by_sides.ids.tolist()
    assert by_text.gaps == by_sides.gaps == (range(7, 10),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[4|1:one]] x", "one_ x"),  # nothing stands before it
        ("x\n[[4|1:one]]", "xaone_"),  # the toy has no line break
        ("x [[5|1:one]]", "x one_"),
        ("x[[5|1:one]]", "x one_"),
        ("x.[[5|1:one]]", "x. one_"),
        ("x [[5|2:, y]]", "x_, y_"),
    ],
)
def test_pinned_words_have_a_space_where_words_have_one(toy, text, expected):
    assert read(toy, lay_out(InfillRequest(text=text), toy)[0]) == expected


def test_without_space_pinned_words_stand_as_they_were_typed(toy):
    canvas, _ = lay_out(InfillRequest(text="x [[5|1:one]]", space=False), toy)
    assert read(toy, canvas) == "xone__"
    canvas, _ = lay_out(InfillRequest(text="x [[5|1: one]]", space=False), toy)
    assert read(toy, canvas) == "x one_"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "x [[4|2:cat]]",
            "'2:cat' in gap 1 does not fit: it takes the positions 2 to 5, and the gap has 4; make the gap longer",
        ),
        (
            "[[1]] x [[8|2:cat, 4:b]]",
            "'4:b' in gap 2 does not fit: it takes position 4, which 'cat' takes as well; move one",
        ),
        ("x [[4|1:cat]]", "the words pinned in gap 1 leave nothing to write there; make the gap longer"),
    ],
)
def test_a_pin_that_cannot_be_met_is_refused_with_the_reason(toy, text, words):
    with pytest.raises(InfillError) as caught:
        lay_out(InfillRequest(text=text), toy)
    assert words in str(caught.value)


def test_text_between_the_gaps_is_never_cut():
    model = short(20)
    canvas, notices = lay_out(InfillRequest(text="a" * 9 + "b" * 9 + "[[2]]" + "c" * 9 + "[[1]]" + "a" * 9), model)
    assert read(model, canvas) == "bbbb__ ccccccccc_ aa"
    assert [notice.partition(": ")[2] for notice in notices] == [
        "the first 14 tokens of the text before the gaps were left out.",
        "the last 7 tokens of the text after the gaps were left out.",
    ]
    with pytest.raises(InfillError, match=r"4 masks and 17 tokens between them do not fit.*ask for 2 or fewer"):
        lay_out(InfillRequest(text="a[[2]]" + "c" * 16 + "[[2]]"), model)
    with pytest.raises(InfillError, match=r"the text between the gaps has 31 tokens.*shorten it"):
        lay_out(InfillRequest(text="a[[2]]" + "c" * 30 + "[[2]]"), model)
