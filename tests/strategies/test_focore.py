from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.sampling.step import Selection
from models.prediction import TOP
from models.toy import toy
from tests.models.random_weights import MASK, denoiser, network
from tests.strategies.scenes import after, blank, choose, orders, run, snapshot, sticky, written

TOY = toy()
BANNED = tuple(TOY.tokenizer.special_ids)


def gap(length: int = 16):
    return blank(length, before=(4,), after=(6,), mask_id=TOY.tokenizer.mask_id)


def believing(now, *beliefs: dict[int, float]):
    """Return the snapshot with these best tokens and probabilities at the masks, from left to right."""
    tokens, probs = np.full((len(now.canvas), TOP), -1), np.zeros((len(now.canvas), TOP))
    for position, belief in zip(now.canvas.masks, beliefs, strict=True):
        tokens[position, : len(belief)], probs[position, : len(belief)] = list(belief), list(belief.values())
    return replace(now, prediction=replace(now.prediction, top_tokens=tokens, top_probs=probs))


def test_a_belief_changes_by_half_the_sum_of_its_best_tokens_gains_and_losses():
    """Token 1 loses 0.1, token 2 loses 0.4, token 3 gains 0.5."""
    now = believing(snapshot(length=2), {1: 0.9}, {1: 0.6, 2: 0.4})
    assert choose("focore", now).notes["moved"] == 0
    now = after(now, Selection(commit=np.array([1]), notes={"converged": 0.0}), confidence=[0.5])
    assert choose("focore", believing(now, {1: 0.5, 3: 0.5})).notes["moved"] == pytest.approx(0.5)


def test_a_contrast_by_hand():
    """The second letter became surer by 0.105 before its commit, so it is the key token for the third.

    The third letter is a with probability 0.7 with the key token, and 0.595 without it.
    """
    steps = run("focore", sticky(), blank(3, after=()), steps=64, weight=0.5, density=1.0)
    assert orders(steps) == [[1], [2], [3]]
    assert [step.selection.notes["keys"] for step in steps] == [0, 0, 1]
    assert steps[1].selection.notes["moved"] == pytest.approx(0.105)
    a, b = 0.7**1.5 / 0.595**0.5, 0.3**1.5 / 0.405**0.5
    assert steps[2].prediction.confidence[3] == pytest.approx(a / (a + b))
    assert [step.nfe for step in steps] == [1, 2, 4]  # of the contrast's two rows one is known
    assert [step.calls for step in steps] == [1, 2, 4]


@pytest.mark.parametrize("knobs", [{"weight": 0.0, "converge": 0.0}, {"density": 0.0}])
@pytest.mark.parametrize("steps", [1, 4, 16, 64])
def test_without_weight_or_keys_it_equals_low_confidence(knobs, steps):
    ours = run("focore", TOY, gap(), steps=steps, banned=BANNED, **knobs)
    assert orders(ours) == orders(run("low_confidence", TOY, gap(), steps=steps, banned=BANNED))
    assert ours[-1].calls == len(ours)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_three_steps_have_no_room_for_a_contrast(steps):
    ours = run("focore", TOY, gap(), steps=steps, banned=BANNED)
    assert orders(ours) == orders(run("low_confidence", TOY, gap(), steps=steps, banned=BANNED))


@pytest.mark.parametrize("steps", [4, 7, 16, 31, 64])
def test_a_contrast_costs_a_pass_and_the_pace_allows_for_it(steps):
    ours = run("focore", TOY, gap(), steps=steps, banned=BANNED, converge=0.0)
    contrasted = [step.selection.tokens is not None for step in ours]
    assert any(contrasted)
    assert ours[-1].calls == len(ours) + sum(contrasted) <= steps
    assert not any(step.selection.notes["converged"] for step in ours)
    assert all(step.selection.notes["keys"] or not twice for step, twice in zip(ours, contrasted, strict=True))


def test_a_contrast_changes_the_text():
    model, canvas = denoiser(network("gpt2")), blank(16, before=(4, 9, 2), after=(6, 1), mask_id=MASK)
    plain, ours = (written(run("focore", model, canvas, steps=64, banned=(), weight=w)) for w in (0.0, 2.0))
    assert plain != ours


def test_no_more_than_eight_keys_are_hidden():
    steps = run("focore", TOY, gap(32), steps=96, banned=BANNED, density=1.0, converge=0.0)
    assert max(step.selection.notes["keys"] for step in steps) == 8


def test_after_convergence_the_window_is_committed_together_without_contrast():
    steps = run("focore", TOY, gap(), steps=64, banned=BANNED, converge=1.0, tau=0.0, window=4, density=0.1)
    converged = [bool(step.selection.notes["converged"]) for step in steps]
    first = converged.index(True)
    assert first >= 2, "two steps must have been calm, and the first has nothing to be compared with"
    assert all(converged[first:])
    for before, step in zip(steps[first - 1 :], steps[first:], strict=False):
        masks = before.canvas.masks
        assert sorted(step.selection.commit.tolist()) == masks[masks < masks[0] + 4].tolist()
        assert step.calls == before.calls + 1
        assert step.selection.tokens is None


def test_an_unsure_window_commits_one_token_per_step():
    steps = run("focore", TOY, gap(), steps=64, banned=BANNED, converge=1.0, tau=1.0, window=4, density=0.1)
    assert any(step.selection.notes["converged"] for step in steps)
    assert all(len(step.selection.commit) == 1 for step in steps)
