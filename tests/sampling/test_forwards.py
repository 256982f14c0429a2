"""The account of a run's forward passes, probes, and the judge."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from app.sampling.forwards import TAIL, Forwards, Guide
from app.sampling.step import Selection, Snapshot
from models.denoiser import BeliefCache, Floats, Ids
from tests.strategies.scenes import Judged, blank, decode, snapshot, sticky

HALF = np.full(9, 0.5)


def one(position: int, token: int = 0):
    """A gap of five with one letter written."""
    return blank(5).commit(np.array([position]), np.array([token]))


def asked(forwards: Forwards, *canvases, **settings):
    return forwards.ask(canvases, [c.masks for c in canvases], [HALF[: len(c)] for c in canvases], **settings)


def test_canvases_are_rows_and_a_batch_of_them_is_one_call():
    forwards = Forwards(sticky())
    first = asked(forwards, one(1), one(2), one(3))
    assert (forwards.rows, forwards.calls) == (3, 1)
    assert [prediction.forwards for prediction in first] == [1, 1, 1]
    again = asked(forwards, one(1), one(4))
    assert (forwards.rows, forwards.calls) == (4, 2)
    assert [prediction.forwards for prediction in again] == [0, 1]
    asked(forwards, one(4), one(2))
    assert (forwards.rows, forwards.calls) == (4, 2), "what was known costs nothing"
    assert forwards.seconds > 0


def test_what_was_asked_is_known_until_sixteen_other_states_have_come():
    forwards = Forwards(sticky())
    assert not forwards.knows(one(1))
    asked(forwards, one(1))
    assert forwards.knows(one(1))
    assert not forwards.knows(one(1, 1))
    asked(forwards, *[blank(length) for length in range(1, 8)], *[blank(n, before=(1,)) for n in range(1, 9)])
    assert forwards.knows(one(1))
    asked(forwards, one(2))
    assert not forwards.knows(one(1))


def test_under_guidance_a_canvas_is_known_once_both_sides_of_the_contrast_are():
    cache = BeliefCache()
    plain = Forwards(sticky(), cache=cache)
    guided = Forwards(sticky(), guide=Guide(weight=1.0), cache=cache)
    asked(plain, one(1))
    assert plain.knows(one(1))
    assert not guided.knows(one(1))
    asked(guided, one(1))
    assert (guided.rows, guided.calls) == (1, 1), "its own row was known"
    assert guided.knows(one(1))


def test_a_probe_takes_a_step_from_the_budget_and_raises_the_pace():
    now = snapshot(length=6, steps=3)
    asked(now.forwards, now.canvas)
    assert (now.remaining, now.pace, now.share) == (3, 2, 2)
    now.probe([one(1), one(2)])
    assert (now.forwards.rows, now.forwards.calls) == (3, 2)
    assert (now.remaining, now.pace, now.share) == (2, 3, 3)
    now.probe([one(1)])
    assert now.remaining == 2, "what is known costs nothing"
    now.probe([one(3)])
    assert (now.remaining, now.pace) == (1, 6)


def test_a_probe_answers_in_order_about_the_masks_of_each_canvas():
    beliefs = snapshot(length=5).probe([one(1), one(3, 1), one(5)])
    for belief, canvas in zip(beliefs, (one(1), one(3, 1), one(5)), strict=True):
        assert belief.top_probs[canvas.masks, 0] == pytest.approx(sticky().marginals(canvas.ids).max(-1)[canvas.masks])
        assert (belief.confidence > 0).tolist() == canvas.masked.tolist()


def probing(now: Snapshot) -> Selection:
    """Asks about the canvas that it makes, so that it is known in the next step."""
    chosen = now.canvas.masks[:1]
    drafted = now.canvas.commit(chosen, now.prediction.candidates[chosen])
    if drafted.masked.any():
        now.probe([drafted])
    return Selection(commit=chosen)


def test_a_canvas_that_was_probed_and_becomes_the_state_is_not_paid_for_twice():
    steps = list(decode(blank(4), sticky(), probing, steps=4, banned=(2,)))
    assert [step.calls for step in steps] == [2, 3, 4, 4]
    assert [step.nfe for step in steps] == [2, 3, 4, 4]


def test_more_batched_passes_than_the_budget_are_a_bug_even_in_fewer_steps():
    def wasteful(now: Snapshot) -> Selection:
        now.probe([now.canvas.commit(now.canvas.masks[:1], np.array([1]))])
        return Selection(commit=now.canvas.masks[:3])

    assert len(list(decode(blank(6), sticky(), wasteful, steps=4, banned=(2,)))) == 2
    with pytest.raises(AssertionError, match="budget"):
        list(decode(blank(6), sticky(), wasteful, steps=3, banned=(2,)))


@dataclass
class Scorer:
    """Gives each token of a continuation its number as log-probability, negated."""

    name: str = "judge"
    seen: list[tuple[list[int], list[int]]] = field(default_factory=list)

    def log_probabilities(self, prefixes: list[Ids], continuations: list[Ids]) -> list[Floats]:
        self.seen += [(p.tolist(), c.tolist()) for p, c in zip(prefixes, continuations, strict=True)]
        return [-continuation.astype(float) for continuation in continuations]


def test_a_judge_reads_the_span_and_the_beginning_of_what_follows():
    after = tuple(range(1, 21))
    canvases = [
        blank(2, before=(7, 8), after=after).commit(np.array([2, 3]), np.array(fill)) for fill in ([4, 5], [6, 0])
    ]
    judge = Scorer()
    forwards = Forwards(Judged(sticky(), judge))  # pyright: ignore[reportArgumentType]
    scores = forwards.judged(canvases)
    tail = list(after[:TAIL])
    assert judge.seen == [([7, 8], [4, 5, *tail]), ([7, 8], [6, 0, *tail])]
    assert scores.tolist() == [-(9 + sum(tail)), -(6 + sum(tail))]
    assert (forwards.rows, forwards.calls) == (2, 1)
