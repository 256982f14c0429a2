"""Texts and numbers that follow from the record of a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import models
from app.infill import infill
from app.sampling.layout import lay_out
from app.sampling.request import InfillRequest
from app.sampling.start import Start
from app.sampling.step import Selection, Step
from app.trace.trace import Origin, Trace, join_pieces

FAMILY = "👩‍👩‍👧"


def written(prefix: str, suffix: str, tokens: list[bytes]) -> Trace:
    """Return a trace whose single step committed these tokens: ids of the toy, with the given bytes."""
    toy = models.load("toy")
    request = InfillRequest(prefix=prefix, suffix=suffix, length=len(tokens), steps=1)
    *_, trace = infill(request, toy)
    (step,) = trace.steps
    ids = np.arange(len(tokens))
    canvas = trace.start.commit(trace.start.span, ids)
    lexicon = {**trace.lexicon, **dict(enumerate(tokens))}
    return replace(trace, steps=(replace(step, canvas=canvas),), lexicon=lexicon)


@pytest.mark.parametrize(
    ("prefix", "tokens", "fill"),
    [
        ("go ", [b"a", b"b"], " ab"),  # the space of the prefix is put back
        ("go ", [b" a", b"b"], " ab"),  # the fill starts with its own
        ("go  ", [b"a"], "  a"),
        ("go  ", [b" a"], "  a"),  # which is one of two
        ("go ", [b"\na"], " \na"),
        ("go", [b"ing"], "ing"),
        ("", [b"a"], "a"),
        ("  ", [b"a"], "  a"),
    ],
)
def test_spaces_typed_before_a_gap_are_kept_and_one_may_be_the_fills_own(prefix, tokens, fill):
    trace = written(prefix, ", end", tokens)
    assert trace.fill == fill
    assert trace.text == prefix.rstrip(" ") + fill + ", end"


def test_the_text_includes_what_did_not_fit_the_context():
    toy = models.load("toy")
    request = InfillRequest(prefix="a" * 400, suffix="b" * 400, length=2, steps=1)
    *_, trace = infill(request, toy)
    assert trace.text.startswith("a" * 400)
    assert trace.text.endswith(" " + "b" * 400)
    assert trace.given == (request.prefix, " " + request.suffix)
    assert len(trace.start) == toy.context
    assert len(trace.notices) == 2


@pytest.mark.parametrize("text", ["<b>&amp;</b><script>", "a\tb\nc", "שלום עולם", FAMILY, "ﷺ", "e\u0301"])
def test_markup_and_all_scripts_stay_unchanged(text):
    trace = written("x ", text, [bytes([byte]) for byte in (" " + text).encode()][:29])
    assert trace.fill == (" " + text).encode()[:29].decode("utf-8", "replace")
    assert trace.text.endswith(trace.request.parts[1])


@pytest.mark.parametrize(
    ("tokens", "pieces"),
    [
        ([b"a", b"b"], ["a", "b"]),
        ([b"\xf0", b"\x9f\x91", b"\x8d"], ["", "", "👍"]),
        ([b"x\xc3", b"\xa9y"], ["x", "éy"]),
        ([b"\xc3", None, b"\xa9"], ["\ufffd", None, "\ufffd"]),  # a mask between the halves
        ([b"\xc3", b"a"], ["", "\ufffda"]),
        ([b"a", b"\xe2\x82"], ["a", "\ufffd"]),
        ([None, b"\xff", None], [None, "\ufffd", None]),
        ([], []),
    ],
)
def test_a_character_spread_over_tokens_is_in_the_piece_of_its_last_token(tokens, pieces):
    assert join_pieces(tokens) == pieces


def test_joined_pieces_are_the_decoded_bytes_wherever_tokens_are_cut():
    rng = np.random.default_rng(0)
    whole = f"naïve שלום {FAMILY} 日本".encode()
    for _ in range(50):
        cuts = sorted(rng.choice(np.arange(1, len(whole)), size=12, replace=False).tolist())
        tokens = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
        assert "".join(piece or "" for piece in join_pieces(tokens)) == whole.decode()


def test_the_order_is_the_step_of_the_last_commit_and_0_if_masked():
    toy = models.load("toy")
    start, _ = lay_out(InfillRequest(prefix="a", length=3), toy)
    *_, model_run = infill(InfillRequest(prefix="a", length=3, steps=1), toy)
    prediction, first = model_run.steps[0].prediction, start.span[0]

    def positions(*places: int) -> np.ndarray:
        return np.array(places, dtype=np.int64) + first

    canvas, steps = start, []
    for commit, remask in [((0, 1), ()), ((), (1,)), ((2,), ())]:
        canvas = canvas.remask(positions(*remask)).commit(positions(*commit), np.zeros(len(commit), dtype=np.int64))
        selection = Selection(commit=positions(*commit), remask=positions(*remask))
        steps.append(
            Step(
                canvas=canvas,
                prediction=prediction,
                selection=selection,
                nfe=1,
                calls=1,
                seconds=0.0,
                model_seconds=0.0,
            )
        )
    trace = replace(model_run, steps=tuple(steps))
    assert trace.order.tolist() == [1, 0, 3]
    assert trace.masks_left == [3, 1, 2, 1]


def test_a_trace_without_steps_has_counts_of_zero():
    trace = next(infill(InfillRequest(prefix="ab ", suffix="c", length=2), models.load("toy")))
    assert (trace.nfe, trace.seconds, trace.masks_left, trace.ended) == (0, 0.0, [2], "running")
    assert trace.pieces(0) == [None, None]
    assert trace.text == "ab  c"


SEVERAL = "<b>the</b> [[3]] saw  [[6|2:cat]] [[2]]."


def test_the_text_of_several_gaps_has_each_fill_in_its_place():
    *_, trace = infill(InfillRequest(text=SEVERAL, steps=4), models.load("toy"))
    first, second, third = trace.fills
    assert trace.text == f"<b>the</b>{first} saw{second}{third}."
    assert second[-5:-1] == " cat"
    assert [len(fill.lstrip(" ")) <= length for fill, length in zip(trace.fills, (3, 6, 2), strict=True)] == [True] * 3
    assert third[0] == " ", "the space between the last two gaps must be put back"
    assert trace.fill == " … ".join(trace.fills)
    assert trace.given[1:] == (" saw", "", ".")
    assert len(trace.pieces(0)) == len(trace.order) == 11
    assert trace.pieces(0) == [None, None, None, None, " ", "c", "a", "t", None, None, None]
    assert trace.masks_left[0] == 7
    assert (trace.order == 0).tolist() == [piece is not None for piece in trace.pieces(0)]


def test_a_character_is_not_joined_across_the_text_between_gaps():
    *_, trace = infill(InfillRequest(text="a[[1]]b[[1]]", steps=1), models.load("toy"))
    lexicon = {**trace.lexicon, 900: b"\xc3", 901: b"\xa9"}
    canvas = trace.start.commit(trace.start.span, np.array([900, 901]))
    odd = replace(trace, steps=(replace(trace.steps[0], canvas=canvas),), lexicon=lexicon)
    assert odd.fills == ("\ufffd", "\ufffd")


STARTED = Start(gaps=((0, None, 2), (None, None, 3)), locked=(0,), confidence=((1, 0, 0.25), (0, 0, 0.5)))


def test_what_was_written_before_the_run_has_its_text_in_every_state_and_no_step():
    request = InfillRequest(text="go[[3]] on [[3|1:b]].", space=False, start=STARTED, steps=2, strategy="left_to_right")
    *_, trace = infill(request, models.load("toy"), origin=Origin("first", 2))
    assert trace.origin == Origin("first", 2)
    assert trace.inherited == [2, 5]
    assert trace.start.pinned.tolist() == [True, False, False, True, False, False]
    assert trace.pieces(0) == ["a", None, "c", "b", None, "d"]
    assert trace.order.tolist() == [0, 1, 0, 0, 2, 0]
    assert trace.masks_left == [2, 1, 0]
    written = [piece or "" for piece in trace.pieces(2)]
    assert trace.fills == ("".join(written[:3]), " " + "".join(written[3:]))
    assert trace.text == f"goa{written[1]}c on b{written[4]}d."
    confidence = trace.commits().confidence[trace.start.slots]
    assert confidence[[2, 5]].tolist() == [0.25, 0.5]
    assert trace.nfe == 2


def test_an_inherited_token_that_is_taken_back_and_rewritten_has_a_step():
    start = Start(gaps=((*[8] * 6, *[None] * 6),), confidence=((0.0,) * 12,))
    request = InfillRequest(text="go [[12]]", start=start, steps=12, strategy="rcr", temperature=1.0)
    *_, trace = infill(request, models.load("toy"))
    back = {place for step in trace.steps for place in trace.start.places(step.selection.remask)}
    assert back & set(trace.inherited)
    assert {place for place in trace.inherited if trace.order[place]} == back & set(trace.inherited)


def test_the_commits_of_the_first_steps_are_those_of_a_shorter_run():
    *_, trace = infill(InfillRequest(length=5, steps=5, strategy="left_to_right"), models.load("toy"))
    assert trace.commits(2).when[trace.start.slots].tolist() == [1, 2, 0, 0, 0]
    assert trace.commits().when[trace.start.slots].tolist() == [1, 2, 3, 4, 5]
