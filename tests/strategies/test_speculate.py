from __future__ import annotations

import numpy as np
import pytest

from app.strategies.registry import find
from models.denoiser import BeliefCache
from models.toy import toy
from tests.models.random_weights import ARCHITECTURES, MASK, denoiser, network
from tests.strategies.scenes import (
    CHI_SQUARE_LIMIT,
    Indifferent,
    blank,
    counts,
    decode,
    orders,
    run,
    sticky,
    two_sample_chi_square,
    written,
)

TOY = toy()


def test_drafts_that_all_come_true_save_their_passes():
    """After an "a" the next letter is a with 0.7, the one after it with 0.595, and so on: left to right, always a."""
    steps = run("speculate", sticky(), blank(8, after=()), steps=8, ahead=4)
    assert orders(steps) == [[position] for position in range(1, 9)]
    assert written(steps) == (0,) * 8
    assert [step.selection.notes["drafted"] for step in steps] == [4, 0, 0, 0, 3, 0, 0, 0]  # the full one needs no pass
    assert [step.selection.notes["accepted"] for step in steps] == [0, 1, 2, 3, 4, 1, 2, 3]
    assert [step.calls for step in steps] == [2, 2, 2, 2, 3, 3, 3, 3]
    assert [step.nfe for step in steps] == [5, 5, 5, 5, 8, 8, 8, 8]


def test_a_step_of_several_tokens_drafts_steps_of_several_tokens():
    steps = run("speculate", sticky(), blank(7, after=()), steps=3, ahead=8)
    assert orders(steps) == [[1, 2, 3], [4, 5], [6, 7]]
    assert [step.calls for step in steps] == [2, 2, 2]
    assert steps[-1].nfe == 3


@pytest.mark.parametrize("ahead", [1, 2, 4, 8])
@pytest.mark.parametrize("seed", range(6))
def test_tokens_and_order_equal_those_of_low_confidence_on_the_toy(ahead, seed):
    model = toy(seed=seed)
    canvas = blank(11, before=(4,), after=(6,), mask_id=model.tokenizer.mask_id)
    banned = tuple(model.tokenizer.special_ids)
    for budget in (1, 2, 3, 5, 11, 40):
        greedy = run("low_confidence", model, canvas, steps=budget, banned=banned)
        ours = run("speculate", model, canvas, steps=budget, banned=banned, ahead=ahead)
        assert orders(ours) == orders(greedy)
        assert written(ours) == written(greedy)
        assert ours[-1].calls <= len(ours)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_tokens_and_order_equal_those_of_low_confidence_on_a_network(architecture):
    model = denoiser(network(architecture))
    rng = np.random.default_rng(0)
    calls = drafted = steps = 0
    for length in (1, 2, 5, 9, 16):
        for _ in range(4):
            canvas = blank(length, before=rng.integers(0, MASK, 5), after=rng.integers(0, MASK, 6), mask_id=MASK)
            for budget in (length, -(-length // 3)):
                greedy = run("low_confidence", model, canvas, steps=budget, banned=())
                ours = run("speculate", model, canvas, steps=budget, banned=())
                assert (orders(ours), written(ours)) == (orders(greedy), written(greedy))
                assert ours[-1].calls <= len(ours)
                calls, steps = calls + ours[-1].calls, steps + len(ours)
                drafted += sum(step.selection.notes["drafted"] for step in ours)
    assert calls < steps, "no draft ever came true"
    assert drafted > steps, "every draft came true, so no wrong one was tested"


def test_guidance_takes_two_rows_per_canvas_and_changes_nothing_else():
    canvas = blank(9, before=(4,), after=(6,), mask_id=TOY.tokenizer.mask_id)
    settings = {"steps": 9, "banned": tuple(TOY.tokenizer.special_ids), "guidance": 1.0}
    greedy, ours = (
        list(decode(canvas, TOY, find(name).bind(knobs), **settings))
        for name, knobs in (("low_confidence", {}), ("speculate", {"ahead": 8}))
    )
    assert (orders(ours), written(ours)) == (orders(greedy), written(greedy))
    assert greedy[-1].calls == 9
    assert greedy[-1].nfe == 18
    assert ours[-1].calls < 9


def test_a_denoiser_without_a_cache_is_not_probed():
    assert [step.selection.notes["drafted"] for step in run("speculate", Indifferent(), blank(5), steps=5)] == [0] * 5
    steps = run("speculate", sticky(), blank(5), steps=5, cache=BeliefCache(0))
    assert counts(steps) == [1] * 5
    assert steps[-1].calls == steps[-1].nfe == 5


def test_above_temperature_zero_texts_are_drawn_from_the_same_distribution():
    fills = {}
    for shift, name in enumerate(("low_confidence", "speculate")):
        runs = [run(name, sticky(), blank(3), steps=3, temperature=1.0, seed=2 * seed + shift) for seed in range(500)]
        assert all(steps[-1].calls <= 3 for steps in runs)
        fills[name] = [written(steps) for steps in runs]
    assert two_sample_chi_square(fills["low_confidence"], fills["speculate"]) < CHI_SQUARE_LIMIT[7]
