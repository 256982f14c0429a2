from __future__ import annotations

import numpy as np
import pytest

from app.sampling.canvas import Canvas
from app.sampling.step import Policy, Selection, Snapshot
from models.denoiser import Query
from models.toy import toy
from tests.strategies.scenes import blank, decode

TOY = toy()
MASK = TOY.tokenizer.mask_id


class Recording:
    """The toy, keeping every query."""

    name, context, tokenizer = TOY.name, TOY.context, TOY.tokenizer

    def __init__(self) -> None:
        self.queries: list[Query] = []

    def predict(self, queries):
        self.queries += queries
        return TOY.predict(queries)


def one_by_one(now: Snapshot) -> Selection:
    return Selection(commit=now.canvas.masks[:1], notes={"draw": now.rng.random()})


def canvas(length: int = 6) -> Canvas:
    return blank(length, before=(4,), after=(6,), mask_id=MASK)


def test_nothing_is_computed_before_the_first_step_is_asked_for():
    denoiser = Recording()
    decode(canvas(), denoiser, one_by_one, steps=6)
    assert not denoiser.queries


def test_closing_the_iterator_stops_the_next_forward_pass():
    denoiser = Recording()
    steps = decode(canvas(), denoiser, one_by_one, steps=6)
    next(steps)
    next(steps)
    steps.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert list(steps) == []
    assert len(denoiser.queries) == 2


def test_stopping_half_way_leaves_the_steps_taken_as_they_would_have_been():
    whole = [step.canvas.ids.tolist() for step in decode(canvas(), TOY, one_by_one, steps=6, temperature=1.0, seed=3)]
    part = decode(canvas(), TOY, one_by_one, steps=6, temperature=1.0, seed=3)
    assert [next(part).canvas.ids.tolist() for _ in range(3)] == whole[:3]


def test_a_seed_fixes_the_drafts_and_the_strategys_own_draws():
    def trace(seed: int) -> list:
        steps = list(decode(canvas(), TOY, one_by_one, steps=6, temperature=1.0, seed=seed))
        return [(step.canvas.ids.tolist(), step.selection.notes["draw"]) for step in steps]

    assert trace(7) == trace(7)
    assert trace(7) != trace(8)


def test_every_position_has_a_draw_of_its_own_whichever_others_are_masked():
    def draws(start: Canvas) -> dict[int, float]:
        denoiser = Recording()
        next(decode(start, denoiser, one_by_one, steps=6, seed=5))
        (query,) = denoiser.queries
        return dict(zip(query.positions.tolist(), query.uniforms.tolist(), strict=True))

    everything = draws(canvas())
    some = draws(canvas().commit(np.array([2, 5]), np.array([0, 0])))
    assert set(everything) - set(some) == {2, 5}
    assert all(everything[position] == draw for position, draw in some.items())
    assert len(set(everything.values())) == 6


def test_draws_are_fresh_in_every_step():
    denoiser = Recording()
    list(decode(canvas(), denoiser, one_by_one, steps=6))
    first, second = denoiser.queries[:2]
    assert (first.uniforms[1:] != second.uniforms).all()


def test_only_masks_are_asked_about_unless_the_strategy_reads_committed_positions():
    for reads_committed, expected in ((False, [6, 5, 4, 3, 2, 1]), (True, [6] * 6)):
        denoiser = Recording()
        policy = Policy(name="test", choose=one_by_one, reads_committed=reads_committed)
        list(decode(canvas(), denoiser, policy, steps=6))
        assert [len(query.positions) for query in denoiser.queries] == expected


def test_a_strategys_own_tokens_are_written_instead_of_the_drafts():
    def always_two(now: Snapshot) -> Selection:
        masks = now.canvas.masks
        return Selection(commit=masks, tokens=np.full(len(masks), 2), confidence=np.full(len(masks), 0.25))

    (step,) = decode(canvas(), TOY, always_two, steps=1)
    assert step.canvas.ids[step.canvas.span].tolist() == [2] * 6
    assert step.prediction.candidates[step.canvas.span].tolist() == [2] * 6
    assert step.prediction.confidence[step.canvas.span].tolist() == [0.25] * 6


def test_a_strategy_may_take_tokens_back():
    def hesitate(now: Snapshot) -> Selection:
        if now.step == 2:
            return Selection(commit=now.canvas.masks[:1], remask=np.array([1]))
        return Selection(commit=now.canvas.masks if now.remaining == 1 else now.canvas.masks[:1])

    masked = [step.canvas.masks.tolist() for step in decode(canvas(3), TOY, hesitate, steps=4)]
    assert masked == [[2, 3], [1, 3], [3], []]


def test_forward_passes_and_seconds_only_grow():
    steps = list(decode(canvas(), TOY, one_by_one, steps=6))
    assert [step.nfe for step in steps] == [1, 2, 3, 4, 5, 6]
    assert all(step.model_seconds <= step.seconds for step in steps)
    assert [step.seconds for step in steps] == sorted(step.seconds for step in steps)


def test_a_strategy_that_overruns_its_budget_is_a_bug():
    with pytest.raises(AssertionError, match="budget"):
        list(decode(canvas(), TOY, one_by_one, steps=3))
