"""A run that comes back to a state which it had left stops taking tokens back."""

from __future__ import annotations

import numpy as np
import pytest

from app.sampling.loops import without_loops
from app.sampling.step import NONE, Policy, Selection, Snapshot, Step
from app.strategies.registry import find, strategies
from models.toy import toy
from tests.strategies.scenes import Scripted, blank, decode, orders


def rivals(ids: list[int], place: int) -> tuple[float, float]:
    """Believe in a token most if the other is written already: with eta 2, whatever is masked overtakes the rest."""
    return (0.7, 0.3) if 3 not in (ids[1], ids[2]) or ids[3 - place] != 3 else (0.6 - place / 100, 0.4 + place / 100)


def p2(*, wrapped: bool, steps: int = 10) -> list[Step]:
    policy = find("p2").bind({"eta": 2.0})
    return list(decode(blank(2), Scripted(rivals), without_loops(policy) if wrapped else policy, steps=steps))


def test_two_tokens_that_overtake_each_other_are_exchanged_only_once():
    taken = p2(wrapped=True)
    assert orders(taken) == [[1], [2], [1], [2]]
    assert [step.selection.remask.tolist() for step in taken] == [[], [1], [2], []]
    assert [step.selection.notes.get("loop", 0) for step in taken] == [0, 0, 0, 1]
    assert not taken[-1].canvas.masked.any()


def test_without_the_detector_they_are_exchanged_until_the_budget_nears_its_end():
    taken = p2(wrapped=False)
    assert sum(len(step.selection.remask) for step in taken) == 4
    assert len(taken) == 6


def test_a_state_that_stays_is_no_loop():
    """Ten steps for two tokens: most steps change nothing, and the one after is free to take a token back."""

    def choose(now: Snapshot) -> Selection:
        if now.step == 1:
            return Selection(commit=np.array([1]))
        if now.step < 5:
            return Selection(commit=NONE)
        return Selection(commit=now.canvas.masks, remask=np.array([1]) if now.step == 5 else NONE)

    policy = without_loops(Policy(name="test", choose=choose, may_loop=True))
    taken = list(decode(blank(2), toy(), policy, steps=8, banned=(2,)))
    assert taken[4].selection.remask.tolist() == [1]
    assert all("loop" not in step.selection.notes for step in taken)


def test_what_is_replaced_at_once_stays_as_well():
    """A token taken back is not masked then, so its replacement is dropped with its probability."""

    def choose(now: Snapshot) -> Selection:
        if now.step == 1:
            return Selection(commit=np.array([1]))
        if now.step < 4:
            return Selection(commit=np.array([2 - now.step % 2]), remask=np.array([now.step % 2 + 1]))
        commit = np.concatenate([[1], now.canvas.masks])
        given = {"tokens": np.arange(4, 4 + len(commit)), "confidence": np.full(len(commit), 0.5)}
        return Selection(commit=commit, remask=np.array([1]), own=np.ones(len(commit), dtype=np.bool_), **given)

    policy = without_loops(Policy(name="test", choose=choose, may_loop=True))
    stuck = Scripted(lambda ids, place: (1.0, 0.0))
    last = list(decode(blank(2), stuck, policy, steps=9))[-1]
    kept = {name: getattr(last.selection, name) for name in ("commit", "tokens", "confidence", "own")}
    assert {name: len(values) for name, values in kept.items()} == dict.fromkeys(kept, 1)
    assert not len(last.selection.remask)
    assert last.selection.notes["loop"] == 1


@pytest.mark.parametrize("name", [name for name, strategy in strategies().items() if not strategy.may_loop])
def test_a_strategy_that_takes_back_nothing_or_by_lot_is_left_alone(name):
    policy = find(name).bind({})
    assert without_loops(policy) is policy


@pytest.mark.parametrize("name", [name for name, strategy in strategies().items() if strategy.may_loop])
def test_a_run_without_loops_stays_as_it_is(name):
    denoiser = toy()
    canvas = blank(16, mask_id=denoiser.tokenizer.mask_id)
    plain = find(name).bind({})
    settings = {"steps": 16, "temperature": 1.0, "banned": tuple(denoiser.tokenizer.special_ids)}
    runs = [list(decode(canvas, denoiser, policy, **settings)) for policy in (plain, without_loops(plain))]
    assert orders(runs[0]) == orders(runs[1])
    assert any(len(step.selection.remask) for step in runs[0])
