"""Runs by the autoregressive parent: from left to right, or the best of sixteen continuations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import models
from app.errors import InfillError
from app.sampling.layout import encode_sides
from app.sampling.request import InfillRequest
from app.trace import messages, recording
from app.trace.trace import Trace
from app.ui.gate import Gate
from app.ui.parent import BEST, DRAWS, PARENT, TEMPERATURE, ParentRuns, asked_of_parent, written_by
from app.ui.store import end

REQUEST = InfillRequest(prefix="Tom lost his blue ball in the park.", suffix="Tom patted the dog.", length=5, seed=4)


@pytest.fixture(scope="module")
def runs() -> ParentRuns:
    return ParentRuns(models.load_parent, 90.0)


@pytest.fixture(scope="module")
def greedy(runs) -> list[Trace]:
    return list(runs.run(REQUEST, "parent", Gate()))


@pytest.fixture(scope="module")
def best(runs) -> list[Trace]:
    return list(runs.run(REQUEST, "best of 16", Gate()))


def test_the_parent_writes_one_token_a_pass_from_left_to_right(greedy):
    assert [trace.nfe for trace in greedy] == [trace.calls for trace in greedy] == [0, 1, 2, 3, 4, 5]
    assert greedy[-1].order.tolist() == [1, 2, 3, 4, 5]
    assert (greedy[-1].ended, greedy[-1].model, greedy[-1].by) == ("complete", PARENT, "parent")
    assert "never sees the text after the gap" in greedy[-1].notices[0]


def test_the_parent_writes_its_likeliest_continuation_whatever_follows(runs, greedy):
    model = models.load_parent()
    prefix, _ = encode_sides(REQUEST, model)
    (tokens,) = model.complete([prefix], 5)
    assert greedy[-1].canvas.ids[greedy[-1].start.span].tolist() == tokens
    other = InfillRequest(prefix=REQUEST.prefix, suffix="She was sad.", length=5)
    *_, last = runs.run(other, "parent", Gate())
    assert last.fills == greedy[-1].fills


def test_its_candidates_are_those_of_the_place_that_was_written(greedy):
    for number in range(1, 6):
        candidates = messages.list_candidates(greedy[-1], number)
        assert [bool(each) for each in candidates] == [place == number - 1 for place in range(5)]


def test_the_best_of_sixteen_keeps_the_draw_that_the_suffix_follows_best(best):
    model = models.load_parent()
    prefix, suffix = encode_sides(REQUEST, model)
    steps = best[-1].steps
    fills = [step.canvas.ids[best[-1].start.span].tolist() for step in steps]
    scores = [float(model.log_probabilities([prefix], [[*fill, *suffix]])[0][5:].sum()) for fill in fills]
    assert scores == sorted(scores)
    notes = [step.selection.notes for step in steps]
    assert scores == pytest.approx([each["best so far"] for each in notes], abs=1e-3)
    assert np.maximum.accumulate([each["log p(suffix)"] for each in notes]) == pytest.approx(scores, abs=1e-3)
    assert len({tuple(fill) for fill in fills}) > 1


def test_all_passes_of_all_draws_are_counted_and_each_pass_can_be_seen(best):
    assert [step.nfe for step in best[-1].steps] == [6 * number for number in range(1, DRAWS + 1)]
    assert len(best) == 1 + 6 * DRAWS
    assert len({id(trace) for trace in best}) == len(best)
    assert (best[-1].ended, best[-1].model, best[-1].by) == ("complete", BEST, "best of 16")
    assert best[-1].request.temperature == TEMPERATURE


@pytest.mark.parametrize("kind", ["greedy", "best"])
def test_traces_of_the_parent_can_be_sent_recorded_and_replayed(request, kind):
    trace = request.getfixturevalue(kind)[-1]
    again = recording.load(recording.dump(trace))
    assert again.text == trace.text
    assert written_by(again).by == trace.by
    assert messages.build_closing(again, "a")["text"] == trace.text


def test_a_best_of_sixteen_that_is_stopped_keeps_the_best_so_far(best):
    stopped = end(next(trace for trace in best if len(trace.steps) == 3))
    assert stopped.ended == "complete"
    assert recording.load(recording.dump(stopped)).text == stopped.text
    assert end(best[2]).ended == "stopped"


def test_bans_hold_for_the_parent_as_well(runs, greedy):
    word = greedy[-1].fill.split()[0]
    *_, last = runs.run(InfillRequest(prefix=REQUEST.prefix, length=5, banned=[word]), "parent", Gate())
    assert word.lower() not in last.fill.lower().split()


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ({"text": "a [[2]] b [[1]] c"}, "fills a single gap without pinned words"),
        ({"text": "a [[3|2:dog]] c"}, "fills a single gap without pinned words"),
        ({"text": "a [[auto]] c"}, "give one, or fill by diffusion first"),
        ({"text": "a [[2]] c", "start": {"gaps": [[5, None]]}}, "choose diffusion for a branch"),
    ],
)
def test_what_the_parent_cannot_do_is_said_before_it_is_loaded(asked, advice):
    def load() -> Iterator[None]:
        raise AssertionError("loaded")

    with pytest.raises(InfillError, match=advice):
        next(ParentRuns(load, 90.0).run(InfillRequest(**asked), "parent", Gate()))


def test_without_a_suffix_there_is_no_best_continuation(runs):
    with pytest.raises(InfillError, match="no text after the gap to choose"):
        list(runs.run(InfillRequest(prefix="Once", length=3), "best of 16", Gate()))


def test_the_parent_is_asked_from_left_to_right_whatever_the_form_says():
    asked = asked_of_parent(
        InfillRequest(text="a [[3]] b", steps=1, strategy="klass", knobs={"tau": 0.5}, guidance=2.0)
    )
    assert (asked.strategy, dict(asked.knobs), asked.steps, asked.guidance) == ("left_to_right", {}, 3, 0.0)


def test_a_parent_that_cannot_be_read_ends_the_run_with_a_message(tmp_path):
    gone = ParentRuns(lambda: models.load_parent(tmp_path / "gone"), 90.0)
    for by in ("parent", "best of 16"):
        with pytest.raises(InfillError, match=r"the parent cannot be read: .*gone is not a whole .* or fill by diffus"):
            next(gone.run(REQUEST, by, Gate()))
