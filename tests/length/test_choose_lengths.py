"""Lengths that a request leaves open, on the exact toy."""

from __future__ import annotations

import pytest

from app.errors import InfillError
from app.infill import infill
from app.length.choose import choose_lengths
from app.length.prior import UNFITTED
from app.length.probe import outcome
from app.sampler import Sampler
from app.sampling.layout import Layout
from app.sampling.request import InfillRequest
from app.sampling.template import MAX_LENGTH
from app.trace.recording import dump, load
from models.toy import toy

TOY = toy()


def chosen(text: str, **asked):
    request = InfillRequest(text=text, steps=64)
    finish = Sampler.of(request, TOY).fill
    return outcome(choose_lengths(request, Layout.of(request, TOY), TOY, UNFITTED, finish, **asked))


def test_every_open_gap_gets_a_number_and_the_others_keep_theirs():
    request, choices = chosen("the [[auto]] was [[3]] and [[auto]].")
    assert [gap.length for gap in request.gaps] == [choices[0].chosen, 3, choices[2].chosen]
    assert sorted(choices) == [0, 2]


def test_a_gap_is_looked_at_with_those_before_it_as_they_were_chosen():
    whole, choices = chosen("the [[auto]] was [[auto]].")
    first = choices[0].chosen
    again, alone = chosen(f"the [[{first}]] was [[auto]].")
    assert again.length == whole.length
    assert alone[1].score.tolist() == choices[1].score.tolist()


def test_pinned_words_fit_into_every_length_that_is_looked_at():
    request, choices = chosen("the [[auto|4:cat]] ran.", longest=12)
    assert choices[0].lengths.tolist() == list(range(7, 13))  # the toy's tokens are letters, and a space comes before
    assert str(request.gaps[0].pins[0]) == "4:cat"


def test_no_length_takes_more_than_all_gaps_may_have_together():
    request, choices = chosen(f"the [[{MAX_LENGTH - 5}]] was [[auto]].")
    assert choices[1].lengths.tolist() == [1, 2, 3, 4, 5]
    assert request.length is not None
    assert request.length <= MAX_LENGTH
    many, _ = chosen("a " + "b [[auto]] " * 16, longest=9)
    assert all(1 <= (gap.length or 0) <= 9 for gap in many.gaps)


@pytest.mark.parametrize("between", [225, 251])
def test_the_text_between_gaps_leaves_room_for_shorter_ones(between):
    request, choices = chosen("a [[2]]" + "b" * between + "[[auto]]c")
    most = TOY.context - 1 - len(" ") - between - 2
    assert choices[1].lengths.tolist() == list(range(1, most + 1))
    assert request.gaps[1].length == choices[1].chosen


def test_notices_go_along_and_a_text_without_room_is_refused():
    _, choices = chosen("a [[auto]]", longest=3, notices=("not fitted",))
    assert choices[0].notices == ("not fitted",)
    with pytest.raises(InfillError, match="shorten it"):
        chosen("a [[2]]" + "b" * 300 + "[[auto]]")


def test_a_run_starts_with_the_length_that_was_chosen_and_keeps_how():
    *_, trace = infill(InfillRequest(prefix="the cat ", suffix=" ran.", length=None, steps=64), TOY)
    assert len(trace.start.gaps[0]) == trace.choices[0].chosen == trace.request.length
    assert any("not fitted" in notice for notice in trace.notices)
    assert load(dump(trace)).choices[0].score.tolist() == pytest.approx(trace.choices[0].score.tolist(), abs=1e-6)


def test_a_gap_still_open_leaves_room_for_its_own_pinned_words():
    text = "a [[auto]] b [[auto|14:x]] c"
    request, choices = chosen(text)
    assert choices[1].lengths[0] == 15  # the letter, and the space before it
    with pytest.raises(InfillError, match="gap 2 need 41 tokens or more, but at most 32 can be"):
        chosen("a [[auto]] b [[auto|40:x]] c")
    assert str(request.gaps[1].pins[0]) == "14:x"
