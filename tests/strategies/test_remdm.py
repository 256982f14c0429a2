from __future__ import annotations

import numpy as np
import pytest

from app.sampling.step import Selection, Snapshot
from models.toy import toy
from tests.strategies.scenes import Indifferent, after, blank, choose, run, snapshot

VARIANTS = ["cap", "rescale", "loop", "confidence"]
every_variant = pytest.mark.parametrize("variant", VARIANTS)
MANY = 4000


def halfway(*, slots: int, sure: float = 0.5, known: int = MANY) -> Snapshot:
    """Return a snapshot after `slots` of 20 slots, with `known` positions committed and as many masked."""
    now = snapshot(steps=20, confidence=[sure] * (known // 2) + [0.5] * (known + known // 2))
    taken = Selection(commit=np.arange(1, known + 1), notes={"slot": slots})
    return after(now, taken, confidence=[0.5] * known)


def shares(now: Snapshot, **knobs) -> tuple[float, float]:
    """Return the fractions of masks that are committed and of committed positions that are remasked."""
    selection = choose("remdm", now, **knobs)
    known = len(now.canvas.span) - len(now.canvas.masks)
    return len(selection.commit) / len(now.canvas.masks), len(selection.remask) / known


@every_variant
@pytest.mark.parametrize("steps", [1, 3, 16, 40])
def test_eta_zero_equals_random(variant, steps):
    denoiser = toy()
    canvas = blank(16, mask_id=denoiser.tokenizer.mask_id)
    settings = {"steps": steps, "temperature": 1.0, "banned": tuple(denoiser.tokenizer.special_ids)}
    for seed in range(3):
        host = run("random", denoiser, canvas, seed=seed, **settings)
        ours = run("remdm", denoiser, canvas, seed=seed, variant=variant, eta=0.0, **settings)
        assert len(host) == len(ours)
        for first, second in zip(host, ours, strict=True):
            assert first.selection.commit.tolist() == second.selection.commit.tolist()
            assert first.selection.notes["slot"] == second.selection.notes["slot"]
            assert first.canvas.ids.tolist() == second.canvas.ids.tolist()
            assert first.nfe == second.nfe
            assert not len(second.selection.remask)


@pytest.mark.parametrize(
    ("variant", "slots", "eta", "rate", "reveal"),
    [
        # Ten of twenty slots are left: the highest rate is 9 / 10, and (1 + 10 x rate) / 10 is committed.
        ("cap", 10, 0.05, 0.05, 0.15),
        ("rescale", 10, 0.05, 0.045, 0.145),
        ("cap", 10, 1.0, 0.9, 1.0),
        # Four are left: the highest rate is 3 / 16.
        ("cap", 16, 0.5, 0.1875, 1.0),
        ("rescale", 16, 0.4, 0.075, 0.55),
        # The loop goes from 20 to 2 expected masks in 9 slots, by two each, holds them, and commits them in the last 2.
        ("loop", 4, 0.5, 0.0, 2 / 12),
        ("loop", 10, 0.05, 0.05, 0.45),
        ("loop", 10, 0.5, 1 / 9, 1.0),
        ("loop", 18, 0.5, 0.0, 0.5),
        # The last two slots remask nothing.
        ("cap", 18, 0.5, 0.0, 0.5),
        ("confidence", 18, 0.5, 0.0, 0.5),
    ],
)
def test_the_fractions_that_a_slot_commits_and_remasks(variant, slots, eta, rate, reveal):
    now = halfway(slots=slots)
    assert choose("remdm", now, variant=variant, eta=eta).notes["rate"] == pytest.approx(rate)
    assert shares(now, variant=variant, eta=eta) == (pytest.approx(reveal, abs=0.03), pytest.approx(rate, abs=0.03))


def test_unsure_tokens_are_remasked_more_often():
    """Half were 0.1 sure and half 0.5: exp(0.4) = 1.49 to 1, with mean 0.3, is 0.359 to 0.241."""
    now = halfway(slots=10, sure=0.1)
    back = choose("remdm", now, variant="confidence", eta=0.3).remask
    unsure = int((back <= MANY // 2).sum())
    assert unsure / (MANY // 2) == pytest.approx(0.359, abs=0.04)
    assert (len(back) - unsure) / (MANY // 2) == pytest.approx(0.241, abs=0.04)


@every_variant
def test_nothing_is_remasked_in_the_last_tenth_of_the_slots(variant):
    remasked = 0
    for seed in range(20):
        for step in run("remdm", Indifferent(), blank(8), steps=20, seed=seed, variant=variant, eta=0.3):
            assert step.selection.notes["slot"] <= 18 or not len(step.selection.remask)
            remasked += len(step.selection.remask)
    assert remasked


@every_variant
def test_a_canvas_that_is_full_early_does_not_end_the_run(variant):
    for seed in range(20):
        steps = run("remdm", Indifferent(), blank(2), steps=20, seed=seed, variant=variant, eta=0.3)
        assert steps[-1].selection.notes["slot"] >= 18


@pytest.mark.parametrize("variant", ["cap", "rescale", "confidence"])
def test_the_expected_number_of_masks_is_that_of_the_schedule(variant):
    left = []
    for seed in range(200):
        steps = run("remdm", Indifferent(), blank(16), steps=32, seed=seed, variant=variant, eta=0.1)
        until = [step for step in steps if step.selection.notes["slot"] <= 16]
        left.append(int(until[-1].canvas.masked.sum()))
    assert abs(np.mean(left) - 8) < 3.5 * np.std(left) / np.sqrt(len(left))


def test_a_slot_is_never_used_twice():
    steps = run("remdm", Indifferent(), blank(8), steps=64, seed=1, eta=0.2)
    slots = [step.selection.notes["slot"] for step in steps]
    assert slots == sorted(set(slots))
