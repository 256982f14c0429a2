"""Lengths that a request leaves open, on the exact toy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
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
from app.trace.trace import Trace
from models.denoiser import Query
from models.prediction import Prediction
from models.toy import toy

TOY = toy()


class Counting:
    """The toy, with the rows and calls counted: its own, and those of an autoregressive parent if it has one."""

    def __init__(self, *, parent: bool = False) -> None:
        self.name, self.tokenizer, self.context, self.notices = TOY.name, TOY.tokenizer, TOY.context, ()
        self.rows = self.calls = 0
        self.judge = _CountingJudge(self) if parent else None

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        predictions = TOY.predict(queries)
        self.count(sum(found.forwards for found in predictions))  # a belief in the cache costs nothing
        return predictions

    def count(self, rows: int) -> None:
        self.rows, self.calls = self.rows + rows, self.calls + (rows > 0)


class _CountingJudge:
    context = 256

    def __init__(self, counting: Counting) -> None:
        self._counting = counting

    def log_probabilities(self, prefixes, rest):
        self._counting.count(len(rest))
        return [np.full(len(part), -1.0) for part in rest]


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


TEXT = "the [[auto]] was [[3]] and [[auto]]."


@pytest.mark.parametrize(
    ("asked", "parent"),
    [
        ({"text": TEXT}, False),
        ({"text": TEXT}, True),
        ({"prefix": "the cat ", "suffix": " ran.", "length": None, "guidance": 1.0}, False),
        ({"text": "a [[auto|4:cat]]", "strategy": "core"}, False),
    ],
    ids=["two of three gaps", "ranked by a parent", "guidance", "probes and no seam"],
)
def test_every_trace_counts_the_passes_that_were_made_before_it(asked, parent):
    counting, traces = Counting(parent=parent), []
    for trace in infill(InfillRequest(**asked, steps=12), counting):
        assert trace.choosing.rows + trace.nfe == counting.rows
        assert trace.choosing.calls + trace.calls == counting.calls
        traces.append(trace)
    assert sum(not trace.begun for trace in traces) > 9
    assert traces[-1].choosing.rows == sum(choice.rows for choice in traces[-1].choices.values()) > 0
    assert 0 < traces[-1].choosing.calls < counting.calls


def test_the_counts_and_the_seconds_of_a_choice_only_grow():
    traces: list[Trace] = list(infill(InfillRequest(text=TEXT, steps=12), TOY))
    choosing = [trace.choosing for trace in traces]
    assert (choosing[0].rows, choosing[0].calls) == (0, 0)
    for before, after in itertools.pairwise(choosing):
        assert (before.rows, before.calls, before.seconds) <= (after.rows, after.calls, after.seconds)
    assert choosing[-1].seconds == sum(choice.seconds for choice in traces[-1].choices.values()) > 0


def test_what_the_caller_does_between_passes_is_not_part_of_the_seconds(monkeypatch):
    clock = itertools.count()  # every look at the clock is a second later
    monkeypatch.setattr("app.length.choose.time", SimpleNamespace(perf_counter=lambda: float(next(clock))))
    request = InfillRequest(text="a [[auto]]", steps=64)
    finish = Sampler.of(request, TOY).fill
    seconds: list[float] = []

    def follow():
        work = choose_lengths(request, Layout.of(request, TOY), TOY, UNFITTED, finish, longest=9)
        while True:
            try:
                seconds.append(next(work).passes.seconds)
            except StopIteration as stop:
                return stop.value
            for _ in range(5):
                next(clock)

    _, choices = follow()
    assert seconds == list(range(1, len(seconds) + 1))
    assert choices[0].seconds == len(seconds) + 1


def test_a_notice_names_the_gap_in_question_if_there_are_several():
    asked = InfillRequest(text=TEXT, steps=12)
    seen = [(trace.notices[-1], trace) for trace in infill(asked, TOY) if not trace.begun]
    first = [trace for notice, trace in seen if notice == f"Gap 1: how many masks? Trying {len(trace.start.gaps[0])}."]
    last = [trace for notice, trace in seen if notice == f"Gap 3: how many masks? Trying {len(trace.start.gaps[2])}."]
    assert seen[: len(first)] == [(trace.notices[-1], trace) for trace in first]
    assert len(first) + len(last) == len(seen)
    assert min(len(first), len(last)) > 4
    waiting = next(infill(InfillRequest(prefix="the cat ", length=None), TOY))
    assert waiting.notices[-1] == f"How many masks? Trying {waiting.request.length}."
