"""Whole runs on small tables of beliefs, against commits worked out by hand from the published rules.

A table holds the probability of the first choice at each masked position; the other five tokens share the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from app.strategies.low_confidence import _step_edges
from app.strategies.registry import DEVIATES, find, strategies
from models.denoiser import Floats
from tests.strategies.scenes import Indifferent, Scripted, blank, choose, counts, orders, run
from tests.strategies.test_credit import second_step

MASK = 3


def table(*sure: float) -> Scripted:
    """Return a denoiser with these probabilities of token 0 at positions 1, 2, …, whatever else is written."""
    return Scripted(lambda ids, place: spread(sure[place - 1]))


def spread(first: float, token: int = 0) -> list[float]:
    """Return six probabilities: `first` for a token, and equal shares of the rest."""
    rest = (1 - first) / 5
    return [first if each == token else rest for each in range(6)]


def commits(name: str, denoiser: Scripted, length: int, *, steps: int, **knobs: object) -> list[list[int]]:
    """Return the positions that each step commits, in the strategy's own order."""
    return orders(run(name, denoiser, blank(length), steps=steps, banned=(), **knobs))  # pyright: ignore[reportArgumentType]


def test_low_confidence_gives_each_block_its_steps_as_llada_does():
    """Two blocks of seven in ten steps: five steps each, the first two of which commit two tokens."""
    beliefs = table(0.3, 0.9, 0.5, 0.7, 0.2, 0.8, 0.6, *(0.4, 0.25, 0.85, 0.35, 0.75, 0.65, 0.45))
    assert commits("low_confidence", beliefs, 14, steps=10, blocks=2) == [
        *([2, 6], [4, 7], [3], [1], [5]),
        *([10, 12], [13, 14], [8], [11], [9]),
    ]


@pytest.mark.parametrize("blocks", range(2, 9))
def test_the_shares_in_blocks_are_lladas_wherever_its_schedule_is_defined(blocks):
    """LLaDA: the masks of a block over its steps, rounded down, and one more in as many first steps as are left."""
    for length in range(1, 33):
        for each in range(1, length + 1):
            share, extra = divmod(length, each)
            expected = [share + (step < extra) for step in range(each)] * blocks
            found, taken = [], 0
            for end in _step_edges([length] * blocks, each * blocks):
                left = length
                while left:
                    found.append(-(-left // max(1, end - taken)))
                    left, taken = left - found[-1], taken + 1
            assert found == expected, f"{length} masks in {each} steps"


@pytest.mark.parametrize(("length", "blocks", "steps"), [(14, 2, 10), (24, 3, 12), (30, 5, 20), (32, 8, 24)])
def test_whole_runs_in_blocks_have_lladas_shares(length, blocks, steps):
    share, extra = divmod(length // blocks, steps // blocks)
    expected = [share + (step < extra) for step in range(steps // blocks)] * blocks
    assert counts(run("low_confidence", Indifferent(), blank(length), steps=steps, blocks=blocks)) == expected


@dataclass
class Counted:
    """Six tokens, of which 0 is common (1 nat) and the others are rare (4 nats)."""

    frequencies: Floats
    classes: None = None
    mask_id: int = MASK


def test_pc_sampler_prefers_rare_words_and_the_left_as_published():
    """Scores 0.9, 2.4 e^-0.25 = 1.87, 0.8 e^-0.5 = 0.49, 3.6 e^-0.75 = 1.70: probability, rarity, and 0.25 a token.

    With a ceiling of 1 they are 0.9, 0.78, 0.49, 0.47, the order from left to right.
    """
    tokens, sure = (0, 1, 0, 1), (0.9, 0.6, 0.8, 0.9)
    beliefs = Scripted(
        lambda ids, place: spread(sure[place - 1], tokens[place - 1]),
        tokenizer=Counted(np.exp([-1.0, *[-4.0] * 5])),  # pyright: ignore[reportArgumentType]
    )
    assert commits("pc_sampler", beliefs, 4, steps=4) == [[2], [4], [1], [3]]
    assert commits("pc_sampler", beliefs, 4, steps=4, ceiling=1.0) == [[1], [2], [3], [4]]


def leads(*gaps: float) -> Scripted:
    """Return a denoiser with these leads, in logits, of token 0 over token 1 at positions 1, 2, …"""
    return Scripted(lambda ids, place: two_tokens(gaps[place - 1]))


def two_tokens(gap: float) -> tuple[float, float]:
    first = 1 / (1 + np.exp(-gap))
    return first, 1 - first


def test_prophet_lowers_its_bar_in_the_step_that_begins_a_phase():
    """The bar is 7.5, from 0.33 of the steps on 5; 1 / 3 of three steps and 2 / 6 of six are above 0.33."""
    assert commits("early_commit", leads(6.0, 6.1, 6.2), 3, steps=3) == [[1, 2, 3]]
    assert commits("early_commit", leads(6.0, 6.1, 6.2, 6.3, 6.4, 6.5), 6, steps=6) == [[6], [1, 2, 3, 4, 5]]


def test_prophet_lowers_its_bar_again_after_two_thirds():
    """A lead of 3 passes only 2.5, from 0.67 of the steps on: in the fifth of six, as 4 / 6 is below."""
    gaps = (3.0, 3.1, 3.2, 3.3, 3.4, 3.5)
    assert commits("early_commit", leads(*gaps), 6, steps=6) == [[6], [5], [4], [3], [1, 2]]


def test_sched_waits_for_a_step_without_a_new_first_choice():
    """A lead of 8 passes the bar of 7.5 at once; the first step has nothing to compare with."""
    steady = leads(8.0, 8.1, 8.2, 8.3)
    assert commits("early_commit", steady, 4, steps=4, schedule="linear") == [[4], [1, 2, 3]]
    assert commits("early_commit", steady, 4, steps=4, schedule="linear", steady="never") == [[1, 2, 3, 4]]
    assert commits("early_commit", steady, 4, steps=4, steady="always") == [[4], [1, 2, 3]]


def test_sched_goes_on_while_a_first_choice_changes():
    """Position 1 prefers token 0 while all four are masked and token 1 after that, so the third step is the first."""

    def beliefs(ids: list[int], place: int) -> tuple[float, float]:
        first, second = two_tokens(8.0 + place / 10)
        return (second, first) if place == 1 and ids.count(MASK) < 4 else (first, second)

    assert commits("early_commit", Scripted(beliefs), 4, steps=4, schedule="cosine") == [[4], [3], [1, 2]]


def test_dus_leaves_unsure_drafts_for_the_last_round():
    """Rounds 1 5, 3 7, and the rest; positions 5 and 3 are below 0.3."""
    beliefs = table(0.9, 0.5, 0.25, 0.5, 0.2, 0.5, 0.8, 0.5)
    assert commits("dus", beliefs, 8, steps=8, unsure=0.3) == [[1], [7], [2, 3, 4, 5, 6, 8]]
    assert commits("dus", beliefs, 8, steps=8) == [[1, 5], [3, 7], [2, 4, 6, 8]]


def test_a_round_of_dus_with_nothing_sure_takes_no_step():
    beliefs = table(0.25, 0.5, 0.9, 0.5, 0.2, 0.5, 0.8, 0.5)
    taken = run("dus", beliefs, blank(8), steps=8, banned=(), unsure=0.3)
    assert orders(taken) == [[3, 7], [1, 2, 4, 5, 6, 8]]
    assert taken[-1].calls == 2


def test_apart_with_the_released_distance_opens_up_as_the_gap_fills():
    """Eight masks are 4 apart, six 3, four and two 2: floor(m 4 / 8), at least 2."""
    beliefs = table(0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92)
    assert commits("apart", beliefs, 8, steps=8, adaptive=True) == [[1, 5], [2, 6], [3, 7], [4, 8]]
    assert commits("apart", beliefs, 8, steps=8) == [[1, 3, 5, 7], [2, 4, 6, 8]]


def test_released_credit_by_hand():
    """Credit 0.8 x 0.5^0.2 + 0.4^0.2 = 1.529, so 0.4 x 2.529^0.7 = 0.766 of 1.366.

    Position 2: credit 0.442^0.2 = 0.849 and 0.8 x 0.98^0.2 = 0.797: 0.680 and 0.663 of 1.461, so token 8 stays first.
    """
    now = second_step()
    assert choose("credit", now, variant="released", tau=0.5606).notes["passed"] == 1
    assert choose("credit", now, variant="released", tau=0.5608).notes["passed"] == 0
    both = choose("credit", now, variant="released", tau=0.4652)
    assert both.tokens is not None
    assert dict(zip(both.commit.tolist(), both.tokens.tolist(), strict=True)) == {1: 7, 2: 8}
    assert choose("credit", now, variant="released", tau=0.4654).commit.tolist() == [1]


@pytest.mark.parametrize(
    ("masks", "every", "after"),
    [
        # int(0.25 C) <= i < int(0.75 C) and i a multiple of `every`, for C steps that commit
        (8, 2, [2, 4]),
        (10, 2, [2, 4, 6]),
        (10, 3, [3, 6]),
        (13, 2, [4, 6, 8]),
        (16, 8, [8]),
        (12, 4, [4, 8]),
        (7, 1, [1, 2, 3, 4]),
    ],
)
def test_core_tests_in_the_released_window(masks, every, after):
    taken = run("core", Indifferent(), blank(masks), steps=64, every=every)
    assert [number for number, step in enumerate(taken) if "tested" in step.selection.notes] == after


def test_klass_falls_back_on_lladas_schedule_with_fewer_steps_than_masks():
    """Twelve masks in four steps are three a step, also in the third, where earlier steps have written more."""

    def beliefs(ids: list[int], place: int) -> list[float]:
        if place <= 3:
            return spread(0.95)
        if place <= 8:
            return spread(0.9)
        return spread(0.7, token=ids.count(MASK) == 9)  # changes in every step

    found = commits("klass", Scripted(beliefs), 12, steps=4, patience=1)
    assert found == [[1, 2, 3], [4, 5, 6, 7, 8], [9, 10, 11], [12]]


def test_local_leap_lowers_the_bar_near_an_anchor():
    """Position 1 passes 0.9; 3 and 5 are at most 4 away and pass 0.75; 6 and 12 are too far."""
    beliefs = table(0.95, 0.5, 0.8, 0.45, 0.76, 0.8, 0.4, 0.35, 0.3, 0.28, 0.26, 0.85)
    expected = [[1, 3, 5], [12], [6], [2], [4], [7], [8], [9], [10], [11]]
    assert commits("local_leap", beliefs, 12, steps=12) == expected
    assert commits("local_leap", beliefs, 12, steps=12, radius=5)[0] == [1, 3, 6, 5]
    assert commits("local_leap", beliefs, 12, steps=12, relaxed=0.78)[0] == [1, 3]


@pytest.mark.parametrize("knobs", [{"radius": 0}, {"relaxed": 1.0}, {"relaxed": 0.9}])
def test_local_leap_without_a_lower_bar_equals_threshold(knobs):
    beliefs = table(0.95, 0.5, 0.8, 0.91, 0.76, 0.8)
    assert commits("local_leap", beliefs, 6, steps=6, **knobs) == commits("threshold", beliefs, 6, steps=6, tau=0.9)


def key_at_2(ids: list[int], place: int) -> tuple[float, ...]:
    """Believe that position 2 is unsure, but that it decides the others."""
    if place == 2:
        return (0.6, 0.4)
    if ids[2] != MASK:
        return (1.0, 0.0)
    return (0.8, 0.2) if place == 1 else (0.6, 0.4)


def test_info_gain_writes_what_decides_the_rest():
    """Position 1 first: 0.673 nats a mask left, cost 0.500. Position 2 first: none left, cost 0.673."""
    taken = run("info_gain", Scripted(key_at_2, remembers=True), blank(3), steps=3, banned=(), spread=2.0)
    assert orders(taken) == [[2], [1], [3]]
    assert taken[0].selection.notes["gained"] == pytest.approx((0.500 + 2 * 0.673) / 3, abs=1e-3)
    assert taken[-1].calls == 3
    assert orders(run("low_confidence", Scripted(key_at_2), blank(3), steps=3, banned=()))[0] == [1]


@pytest.mark.parametrize("knobs", [{"candidates": 1}, {"spread": 0.0}, {"sure": 0.0}])
def test_info_gain_without_a_comparison_equals_low_confidence(knobs):
    taken = run("info_gain", Scripted(key_at_2, remembers=True), blank(3), steps=3, banned=(), **knobs)
    assert orders(taken) == orders(run("low_confidence", Scripted(key_at_2), blank(3), steps=3, banned=()))
    assert taken[-1].nfe == 3


CHANGED = ("low_confidence", "pc_sampler", "early_commit", "dus", "apart", "credit", "core", "klass")


@pytest.mark.parametrize("name", [*CHANGED, "maskgit", "margin", "entropy", "p2", "rcr", "saber", "remdm", "factor"])
def test_what_deviates_is_said_in_the_last_paragraph(name):
    said = find(name).deviation
    assert said
    assert said.endswith(".")
    assert DEVIATES not in said


@pytest.mark.parametrize("strategy", strategies().values(), ids=strategies())
def test_no_deviation_is_hidden_elsewhere_in_a_docstring(strategy):
    text = strategy.choose.__doc__ or ""
    assert text.count(DEVIATES) == bool(strategy.deviation)
    assert "our own" not in text.partition(DEVIATES)[0]
