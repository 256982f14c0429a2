"""Tokens drawn anew where they are written: the law, and everything else that must stay."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.infill import infill
from app.sampling.forwards import Forwards
from app.sampling.redraw import redrawing
from app.sampling.request import InfillRequest
from app.sampling.step import NONE, Policy, Selection, Snapshot
from app.strategies.registry import RANKS, find, strategies
from models.denoiser import Sampling
from models.toy import toy
from tests.strategies.scenes import (
    CHI_SQUARE_LIMIT,
    COIN,
    STICKY,
    Counting,
    Scripted,
    blank,
    chi_square,
    decode,
    joint,
    partly_written,
    sticky,
    written,
)
from tests.strategies.test_contract import JUDGE, MASK, SPECIAL

TABLE = {1: (0.75, 0.25, 0.0), 2: (0.5, 0.25, 0.25)}
GRID = (np.arange(4) + 0.5) / 4
"""Four numbers that draw each token of the table exactly as often as its probability says."""
every_ranking = pytest.mark.parametrize(
    "strategy", [s for s in strategies().values() if s.ranks == "drafts"], ids=lambda s: s.name
)


class Given:
    """Random numbers that are given: the same one for every position."""

    def __init__(self, number: float) -> None:
        self._number = number

    def random(self, size: int) -> np.ndarray:
        return np.full(size, self._number)


def scene(first: float, second: float, again: float) -> Snapshot:
    """Return the first snapshot of two masks, drafted with two numbers; `again` is the number for another draw."""
    canvas = blank(2)
    forwards = Forwards(Scripted(lambda ids, place: TABLE[place], remembers=True), Sampling(temperature=1.0))
    uniforms = np.array([0.0, first, second, 0.0])
    (prediction,) = forwards.ask([canvas], [canvas.masks], [uniforms])
    rng: Any = Given(again)
    return Snapshot(start=canvas, canvas=canvas, prediction=prediction, steps=2, history=(), rng=rng, forwards=forwards)


def drawn(policy: Policy) -> dict[int, list[int]]:
    """Return how often each of three tokens is written at a chosen position, over all 64 draws."""
    found = {1: [0, 0, 0], 2: [0, 0, 0]}
    for first in GRID:
        for second in GRID:
            for again in GRID:
                now = scene(first, second, again)
                selection = policy.choose(now)
                (position,) = selection.commit.tolist()
                tokens = now.prediction.candidates[selection.commit] if selection.tokens is None else selection.tokens
                found[position][int(tokens[0])] += 1
    return found


def test_the_token_at_a_chosen_place_follows_the_model_exactly():
    policy = find("low_confidence").bind({})
    for position, seen in drawn(redrawing(policy)).items():
        assert [count / sum(seen) for count in seen] == pytest.approx(TABLE[position], abs=1e-12)


def test_as_published_likely_draws_are_favoured():
    """Position 2 is chosen only if its draft is the likely one and that of position 1 is not; ties go to the left."""
    assert drawn(find("low_confidence").bind({})) == {1: [48, 8, 0], 2: [8, 0, 0]}


def test_the_probabilities_that_are_recorded_are_those_of_the_new_token():
    selection = redrawing(find("low_confidence").bind({})).choose(scene(0.1, 0.9, 0.9))
    assert selection.commit.tolist() == [1]
    assert selection.tokens is not None
    assert selection.confidence is not None
    assert selection.drawn is not None
    assert selection.tokens.tolist() == [1]
    assert selection.confidence.tolist() == pytest.approx([0.25])
    assert selection.drawn.tolist() == pytest.approx([0.25])
    assert selection.notes["redrawn"] == 1


def fillings(*, redraw: bool, runs: int = 400) -> list[tuple[int, ...]]:
    policy = find("low_confidence").bind({})
    policy = redrawing(policy) if redraw else policy
    canvas, chain = blank(3, mask_id=COIN.mask_id), sticky()
    return [
        written(list(decode(canvas, chain, policy, steps=3, seed=seed, temperature=1.0, banned=(2,))))
        for seed in range(runs)
    ]


def test_one_token_a_step_with_exact_beliefs_samples_the_joint_distribution():
    expected = joint(STICKY, blank(3, mask_id=COIN.mask_id))
    assert chi_square(fillings(redraw=True), expected) < CHI_SQUARE_LIMIT[7]
    assert chi_square(fillings(redraw=False), expected) > CHI_SQUARE_LIMIT[7], "too few runs to see the difference"


def go(policy: Policy, *, temperature: float = 1.0, steps: int = 12, start: Any = None, seed: int = 0) -> Any:
    counting = Counting(toy())
    canvas = blank(12, before=(4,), after=(6,), mask_id=MASK) if start is None else start
    settings = {"temperature": temperature, "banned": SPECIAL, "judge": JUDGE}
    return list(decode(canvas, counting, policy, steps=steps, seed=seed, **settings)), counting


@every_ranking
def test_a_strategy_that_ranks_drafts_keeps_its_budget_and_asks_nothing_more(strategy):
    for steps in (strategy.least_steps({}), 12):
        taken, counting = go(redrawing(strategy.bind({})), steps=steps)
        assert not taken[-1].canvas.masked.any()
        assert (taken[-1].nfe, taken[-1].calls) == (counting.rows, counting.calls)
        assert taken[-1].calls <= steps
        assert not set(written(taken)) & set(SPECIAL)
        assert sum(step.selection.notes.get("redrawn", 0) for step in taken) > 0


@every_ranking
def test_drawing_anew_continues_from_a_partly_written_start(strategy):
    start = partly_written(11, before=(4,), after=(6,), mask_id=MASK)
    taken, _ = go(redrawing(strategy.bind({})), start=start)
    assert not taken[-1].canvas.masked.any()
    assert (taken[-1].canvas.ids[~start.editable] == start.ids[~start.editable]).all()


@every_ranking
def test_at_temperature_0_nothing_is_drawn_anew(strategy):
    plain, _ = go(strategy.bind({}), temperature=0.0)
    again, _ = go(redrawing(strategy.bind({})), temperature=0.0)
    assert [step.canvas.ids.tolist() for step in plain] == [step.canvas.ids.tolist() for step in again]


def test_the_passes_are_those_of_the_schedule():
    taken, counting = go(redrawing(find("low_confidence").bind({})))
    assert counting.calls == counting.rows == len(taken) == 12


@pytest.mark.parametrize("strategy", [s for s in strategies().values() if s.ranks != "drafts"], ids=lambda s: s.name)
def test_a_strategy_that_does_not_rank_drafts_is_left_alone_for_a_reason(strategy):
    policy = strategy.bind({})
    assert redrawing(policy) is policy
    assert RANKS[strategy.ranks]


def test_tokens_that_a_strategy_chose_itself_stay():
    def choose(now: Snapshot) -> Selection:
        commit = now.canvas.masks[:2]
        own = {"tokens": np.array([5, 4]), "confidence": np.array([0.4, 0.6])}
        return Selection(commit=commit, own=np.array([True, False]), **own)

    policy = Policy(name="test", choose=choose, ranks_drafts=True)
    tokens = {tuple(step.canvas.ids[1:3]) for seed in range(20) for step in go(redrawing(policy), seed=seed)[0][:1]}
    assert {first for first, _ in tokens} == {5}
    assert len({second for _, second in tokens}) > 1
    whole = replace(policy, choose=lambda now: replace(choose(now), own=None))
    assert {tuple(go(redrawing(whole), seed=seed)[0][0].canvas.ids[1:3]) for seed in range(9)} == {(5, 4)}


def test_a_step_that_commits_nothing_is_left_alone():
    policy = Policy(name="test", choose=lambda now: Selection(commit=NONE), ranks_drafts=True)
    assert redrawing(policy).choose(scene(0.1, 0.1, 0.1)).tokens is None


def final(**settings: Any) -> Any:
    *_, trace = infill(
        InfillRequest(prefix="the ", suffix=" ran.", length=14, steps=14, temperature=1.0, **settings), toy()
    )
    return trace


def test_a_request_can_ask_for_it_and_the_same_seed_repeats_the_run():
    plain, first, again, other = (
        final(redraw=redraw, seed=seed).fill for redraw, seed in ((False, 3), (True, 3), (True, 3), (True, 4))
    )
    assert first == again
    assert len({plain, first, other}) == 3


@pytest.mark.parametrize("strategy", ["low_confidence", "p2", "saber", "core"])
def test_a_banned_token_is_never_drawn_anew(strategy):
    letters = set("ojkf")
    assert letters & set("".join(final(strategy=strategy, redraw=True, seed=seed).fill for seed in range(4)))
    for seed in range(4):
        assert not letters & set(final(strategy=strategy, redraw=True, seed=seed, banned=sorted(letters)).fill)


def test_a_banned_word_of_two_tokens_is_never_drawn_anew():
    def words(**settings: Any) -> list[str]:
        request = InfillRequest(prefix="a ", suffix=" b", length=3, steps=3, temperature=1.0, redraw=True, **settings)
        return [[*infill(replace(request, seed=seed), toy())][-1].fill.strip() for seed in range(60)]

    ((common, times),) = Counter(word for word in words() if word.isalpha()).most_common(1)
    assert times > 1
    assert common not in words(banned=[common])
