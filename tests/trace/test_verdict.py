"""The line about a run, on runs made by hand whose every token and probability is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

import models
from app.infill import infill
from app.sampling.layout import lay_out
from app.sampling.request import InfillRequest
from app.sampling.step import Selection, Step
from app.trace.length_choice import LengthChoice, Passes
from app.trace.recording import dump, load
from app.trace.trace import Trace
from app.trace.verdict import rates, verdict

TOY = models.load("toy")


@dataclass(frozen=True)
class Turn:
    """What a step does at slots, from 0."""

    write: Mapping[int, str]
    sure: Mapping[int, float] = field(default_factory=dict)  # 0.9 if not said
    back: Sequence[int] = ()
    drafts: str = ""  # one letter a slot; by default what is written at the end, so that all is known from the start
    passes: int = 1


def made(*turns: Turn, steps: int = 9, length: int = 3, ended: str = "complete", seconds: float = 0.5, **more) -> Trace:
    """Return a run of these steps, each `seconds` long."""
    request = InfillRequest(prefix="a ", suffix="b", length=length, steps=steps)
    start, _ = lay_out(request, TOY)
    *_, model_run = infill(InfillRequest(prefix="a ", suffix="b", length=length, steps=1), TOY)
    base, slots = model_run.steps[0].prediction, start.slots
    finally_there = {place: token for turn in turns for place, token in turn.write.items()}
    canvas, done, calls = start, [], 0
    for turn in turns:
        drafts = {place: turn.drafts[place] for place in range(length)} if turn.drafts else finally_there
        candidates, confidence = np.full(len(start), -1), np.zeros(len(start))
        for place in np.flatnonzero(canvas.masked[slots]):
            candidates[slots[place]] = TOY.tokenizer.encode(drafts.get(int(place), "z"))[0]
        commit = np.array([slots[place] for place in turn.write], dtype=np.int64)
        candidates[commit] = [TOY.tokenizer.encode(token)[0] for token in turn.write.values()]
        for place in turn.write:
            confidence[slots[place]] = turn.sure.get(place, 0.9)
        tops = np.where(canvas.masked[:, None], base.top_tokens, -1)
        taken = slots[list(turn.back)].astype(np.int64)
        canvas = canvas.remask(taken).commit(commit, candidates[commit])
        calls += turn.passes
        done.append(
            Step(
                canvas=canvas,
                prediction=replace(base, candidates=candidates, confidence=confidence, top_tokens=tops),
                selection=Selection(commit=commit, remask=taken),
                nfe=2 * calls,
                calls=calls,
                seconds=seconds * (len(done) + 1),
                model_seconds=0.1,
            )
        )
    lexicon = {token: TOY.tokenizer.token_bytes(token) for token in range(27)}
    return Trace(request=request, model="toy", start=start, lexicon=lexicon, steps=tuple(done), ended=ended, **more)  # pyright: ignore[reportArgumentType]


ONE = Turn({0: "a", 1: "b", 2: "c"})


def choice(calls: int, seconds: float = 0.0) -> LengthChoice:
    one = np.array([3])
    scores = {name: np.zeros(1) for name in ("phi", "bias", "score", "rerank")}
    return LengthChoice(
        lengths=one, tried=one, chosen=3, rule="elbo", rows=2 * calls, calls=calls, seconds=seconds, **scores
    )


@pytest.mark.parametrize(
    ("trace", "line"),
    [
        (made(ONE, steps=1), "Done in one pass."),
        (made(ONE, steps=9), "Done in 1 of 9 passes."),
        (made(ONE, replace(ONE, write={}), steps=2), "Done in all 2 passes."),
        (made(replace(ONE, passes=6), steps=16), "Done in 6 of 16 passes."),
        (made(Turn({0: "a"}), ended="stopped"), "Stopped after 1 of 9 passes, with two masks left."),
        (made(Turn({0: "a", 2: "c"}), ended="time limit"), "Out of time after 1 of 9 passes, with one mask left."),
        (made(ended="stopped"), "Stopped after 0 of 9 passes, with three masks left."),
        (made(ended="stopped", length=13), "Stopped after 0 of 9 passes, with 13 masks left."),
        (made(steps=1, ended="stopped"), "Stopped after 0 of 1 pass, with three masks left."),
        (made(Turn({0: "a"}), ended="running"), "Running after 1 of 9 passes, with two masks left."),
        (made(replace(ONE, passes=3), by="parent"), "Done in 3 passes."),
        (made(ONE, by="best of 16"), "Done in 1 pass."),
    ],
)
def test_it_says_how_a_run_ended_and_after_how_many_passes(trace, line):
    assert verdict(trace) == line


@pytest.mark.parametrize(
    ("trace", "line"),
    [
        (made(ended="running", begun=False), "Waiting to begin."),
        (made(ended="stopped", begun=False), "Stopped before it began."),
        (made(ended="running", begun=False, trying=Passes(9, 4)), "Choosing the number of masks, 4 passes so far."),
        (
            made(ended="stopped", begun=False, trying=Passes(9, 1)),
            "Stopped while the number of masks was being chosen, after 1 pass.",
        ),
        (
            made(ended="time limit", begun=False, trying=Passes(9, 4)),
            "Out of time while the number of masks was being chosen, after 4 passes.",
        ),
        (
            made(ONE, choices={0: choice(37)}),
            "Done in 1 of 9 passes; choosing the number of masks took 37 passes more.",
        ),
        (
            made(ONE, choices={0: choice(37), 2: choice(4)}),
            "Done in 1 of 9 passes; choosing the numbers of masks took 41 passes more.",
        ),
    ],
)
def test_the_passes_of_choosing_a_length_are_told_apart(trace, line):
    assert verdict(trace) == line


@pytest.mark.parametrize(
    ("sure", "said"),
    [
        ({0: 0.3, 1: 0.3, 2: 0.3}, ""),
        ({0: 0.29999}, ""),  # a recording rounds it to 0.3
        ({0: 0.2999}, "; one token was written below 30 %"),
        ({0: 0.1, 2: 0.0}, "; two tokens were written below 30 %"),
    ],
)
def test_it_counts_the_tokens_that_were_written_below_30_percent(sure, said):
    trace = made(replace(ONE, sure=sure))
    assert verdict(trace) == f"Done in 1 of 9 passes{said}."
    assert verdict(load(dump(trace))) == verdict(trace)


def test_only_the_last_writing_of_a_token_counts_as_unsure():
    assert "below" not in verdict(made(replace(ONE, sure={0: 0.1}), Turn({}, back=[0]), Turn({0: "a"})))
    assert "below" not in verdict(made(Turn({0: "a"}, sure={0: 0.1}), Turn({}, back=[0]), ended="stopped"))


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ([Turn({}, back=[0]), Turn({0: "a"})], "one token was taken back and written again unchanged"),
        ([Turn({}, back=[0]), Turn({0: "x"})], "one token was taken back and replaced"),
        ([Turn({0: "x"}, back=[0])], "one token was taken back and replaced"),  # in a single step
        (
            [Turn({0: "x"}, back=[0]), Turn({0: "a"}, back=[0])],
            "one token was taken back and written again unchanged",
        ),
        ([Turn({}, back=[0, 1]), Turn({0: "x", 1: "y"})], "two tokens were taken back and replaced"),
        ([Turn({}, back=[0, 1]), Turn({0: "a", 1: "y"})], "two tokens were taken back, one of them replaced"),
        (
            [Turn({}, back=[0, 1, 2]), Turn({0: "x", 1: "y", 2: "c"})],
            "three tokens were taken back, two of them replaced",
        ),
    ],
)
def test_it_tells_tokens_that_were_replaced_from_those_that_came_back(turns, said):
    assert verdict(made(ONE, *turns)) == f"Done in {1 + len(turns)} of 9 passes; {said}."


def test_a_token_that_is_still_masked_at_the_end_is_not_called_replaced():
    trace = made(ONE, Turn({}, back=[0, 1]), Turn({0: "x"}), ended="stopped")
    assert verdict(trace) == "Stopped after 3 of 9 passes, with one mask left; one token was taken back and replaced."


@pytest.mark.parametrize(
    ("drafts", "said"),
    [
        (["abc", "abc", "abc"], "; the last guess had been known for two steps"),
        (["abx", "abc", "abc"], ""),  # for one step only
        (["abc", "abx", "abc"], ""),
        (["xyc", "xxc", "abc"], "; the last guess had been known for two steps"),  # others do not count
    ],
)
def test_the_last_guess_is_known_while_its_draft_stays_the_same(drafts, said):
    turns = [Turn({place: "abc"[place]}, drafts=draft) for place, draft in enumerate(drafts)]
    assert verdict(made(*turns)) == f"Done in 3 of 9 passes{said}."


def test_several_last_guesses_are_known_once_all_of_them_are():
    first = [Turn({0: "a"}, drafts="abxd"), Turn({1: "b"}, drafts="abcd"), Turn({}, drafts="abcd")]
    line = verdict(made(*first, Turn({2: "c", 3: "d"}), length=4))
    assert line == "Done in 4 of 9 passes; the last two guesses had been known for two steps."


def test_a_token_that_stood_there_in_between_was_no_guess():
    turns = [Turn({0: "a", 1: "b"}), Turn({2: "c"}), Turn({}, back=[2]), Turn({2: "c"})]
    assert "known" not in verdict(made(*turns))


def test_a_run_that_did_not_finish_has_no_last_guess():
    turns = [Turn({0: "a"}), Turn({1: "b"}), Turn({2: "c"})]
    assert "known for three steps" in verdict(made(*turns, Turn({3: "d"}), length=4))
    assert "known" not in verdict(made(*turns, length=4, ended="stopped"))


def test_everything_in_one_line_is_in_the_order_of_importance():
    turns = [Turn({0: "a"}, sure={0: 0.2}), Turn({1: "b"}), Turn({0: "x"}, back=[0]), Turn({2: "c"}, sure={2: 0.1})]
    assert verdict(made(*turns, steps=16, choices={0: choice(5)})) == (
        "Done in 4 of 16 passes; choosing the number of masks took 5 passes more; one token was written below 30 %; "
        "one token was taken back and replaced; the last guess had been known for three steps."
    )


def test_pinned_words_are_no_tokens_of_the_run():
    *_, trace = infill(InfillRequest(text="the [[9|2:cat]] ran.", steps=1), TOY)
    assert len(trace.start.slots) == 9
    assert rates(trace).in_step == pytest.approx((9 - 4) / trace.seconds)


def test_the_rates_differ_by_the_seconds_of_the_choice():
    found = rates(made(ONE, seconds=0.5, choices={0: choice(5, seconds=1.0)}))
    assert (found.effective, found.in_step) == (2.0, 6.0)
    alone = rates(made(ONE, seconds=0.5))
    assert (alone.effective, alone.in_step) == (6.0, 6.0)


def test_without_seconds_there_is_no_rate():
    found = rates(made(ended="stopped"))
    assert (found.effective, found.in_step) == (None, None)
    found = rates(made(ended="stopped", begun=False, trying=Passes(9, 4, 2.0)))
    assert (found.effective, found.in_step) == (0.0, None)
