"""How strategies with a schedule or a memory continue from what was written before the run, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.sampling.step import Selection, Snapshot
from models.toy import toy
from tests.strategies.scenes import Indifferent, after, belief, blank, choose, counts, probing, run, snapshot
from tests.strategies.test_credit import believing
from tests.strategies.test_saber import surer

MANY = 4000


def started(*written: float, masks: list[float], steps: int = 64) -> Snapshot:
    """Return the first snapshot of a run whose first positions were written before it, at these confidences."""
    now = snapshot(confidence=[*written, *masks], steps=steps)
    places = np.arange(1, len(written) + 1)
    start = now.canvas.inherit(places, np.ones(len(written), dtype=np.int64), np.array(written))
    return replace(now, start=start, canvas=start, prediction=belief(start, confidence=masks))


def test_a_score_at_commit_is_the_inherited_one_until_the_position_is_taken_back():
    now = started(0.9, 0.2, masks=[0.5, 0.4])
    assert now.scores_at_commit("confidence").tolist() == [0, 0.9, 0.2, 0, 0, 0]
    assert now.scores_at_commit("drawn_confidence").tolist() == [0, 0.9, 0.2, 0, 0, 0]
    now = after(now, Selection(commit=np.array([3]), remask=np.array([2])), confidence=[0.7, 0.1])
    assert now.scores_at_commit("confidence").tolist() == [0, 0.9, 0, 0.5, 0, 0]
    now = after(now, Selection(commit=np.array([2])), confidence=[0.1])
    assert now.scores_at_commit("confidence").tolist() == [0, 0.9, 0.7, 0.5, 0, 0]


@pytest.mark.parametrize(("taken", "known"), [(0, 3), (1, 4), (2, 4), (3, 5), (4, 6), (5, 6)])
def test_the_number_kept_rises_from_the_number_written_to_the_whole_span(taken, known):
    """Two of six are written and six steps are left: 2 + ceil(4 step / 6)."""
    now = started(0.9, 0.8, masks=[0.1] * 4, steps=6)
    now = replace(now, history=snapshot(confidence=[0.1] * 6, taken=taken).history)
    selection = now.reconsider(np.where(now.canvas.masked, 0.1, 0.9))
    assert len(selection.commit) - len(selection.remask) == known - 2


@pytest.mark.parametrize("name", ["p2", "rcr"])
def test_an_unsure_inherited_token_is_taken_back_and_a_sure_one_stays(name):
    now = started(0.9, 0.1, masks=[0.5, 0.4, 0.3, 0.2], steps=4)
    drawn = replace(now.prediction, drawn_confidence=now.prediction.confidence)
    selection = choose(name, replace(now, prediction=drawn))
    assert selection.commit.tolist() == [3, 4]  # three of six
    assert selection.remask.tolist() == [2]


@pytest.mark.parametrize("variant", ["cap", "rescale", "loop", "confidence"])
def test_the_expected_masks_of_remdm_fall_from_those_at_the_start(variant):
    """A quarter of the span is masked at the start; without the loop, the k-th of 20 slots leaves (20 - k) / 80."""
    canvas = blank(MANY)
    known = np.arange(1, 3 * MANY // 4 + 1)
    start = canvas.inherit(known, np.ones(len(known), dtype=np.int64), np.full(len(known), 0.5))
    steps = run("remdm", Indifferent(), start, steps=20, variant=variant, eta=0.3)
    for step in steps:
        slot = int(step.selection.notes["slot"])
        left = (20 - slot) / 20
        fraction = np.interp(left, [0, 0.1, 0.55, 1], [0, 0.1, 0.1, 0.25]) if variant == "loop" else left / 4
        assert len(step.canvas.masks) / MANY == pytest.approx(fraction, abs=0.03)
    assert sum(len(step.selection.remask) for step in steps) > MANY / 20


def test_the_loop_of_remdm_holds_the_masks_at_the_start_if_they_are_fewer():
    known = np.arange(1, 19 * MANY // 20 + 1)
    start = blank(MANY).inherit(known, np.ones(len(known), dtype=np.int64), np.full(len(known), 0.5))
    for step in run("remdm", Indifferent(), start, steps=20, variant="loop", eta=0.02):
        if step.selection.notes["slot"] <= 17:
            assert len(step.canvas.masks) / MANY == pytest.approx(0.05, abs=0.015)


def test_random_spreads_the_masks_that_there_are_over_all_slots():
    known = np.arange(1, MANY // 2 + 1)
    start = blank(MANY).inherit(known, np.ones(len(known), dtype=np.int64), np.ones(len(known)))
    committed = counts(run("random", Indifferent(), start, steps=10))
    assert np.abs(np.array(committed) - 200).max() < 60


def test_first_hitting_starts_at_the_masked_fraction():
    times = []
    for seed in range(400):
        start = blank(8).inherit(np.arange(1, 5), np.ones(4, dtype=np.int64), np.ones(4))
        times.append(run("first_hitting", Indifferent(), start, steps=8, seed=seed)[0].selection.notes["tau"])
    assert max(times) < 0.5
    assert np.mean(times) == pytest.approx(0.5 * 4 / 5, abs=3.5 * np.std(times) / 20)


def test_reference_keeps_the_share_of_the_masks_that_there_were():
    now = started(1.0, 1.0, 1.0, 1.0, masks=[0.5] * 4, steps=4)
    idle = snapshot(confidence=[0.5] * 8, taken=3).history
    kept = [choose("reference", replace(now, history=idle[:taken])).notes["kept"] for taken in range(4)]
    assert kept == [3, 2, 1, 0]


def test_the_threshold_of_saber_is_the_mean_of_the_inherited_confidences():
    now = probing(started(0.8, 0.6, masks=[0.71, 0.3, 0.72, 0.1]), surer(at_1=0.8, at_2=0.6))
    selection = choose("saber", now)
    assert selection.notes["threshold"] == pytest.approx(0.7)
    assert selection.commit.tolist() == [5, 3]
    assert selection.notes["lost"] == pytest.approx(0.0)


def test_saber_takes_back_an_inherited_token_that_lost_support():
    now = probing(started(0.8, 0.6, masks=[0.71, 0.3, 0.72, 0.1]), surer(at_1=0.2, at_2=0.6))
    selection = choose("saber", now)
    assert selection.remask.tolist() == [1]
    assert selection.carry is not None
    assert selection.carry[[1, 2]].tolist() == pytest.approx([0.2, 0.6])


def test_core_counts_an_inherited_token_with_the_least_margin_of_its_confidence():
    selection = choose("core", started(0.9, 0.6, 0.3, masks=[0.5] * 5, steps=20))
    assert selection.carry is not None
    assert selection.carry[[1, 2, 3]].tolist() == pytest.approx([0.8, 0.2, 0.0])


def test_core_plans_its_tests_for_the_masks_that_there_are():
    start = blank(16).inherit(np.arange(1, 9), np.ones(8, dtype=np.int64), np.linspace(0.3, 1, 8))
    taken = run("core", Indifferent(), start, steps=10)
    assert counts(taken) == [1] * 8
    assert taken[-1].calls <= 10
    assert sum("tested" in step.selection.notes for step in taken) == 2


def test_credit_counts_the_known_fraction_from_the_first_step():
    """Half is known, so 0.5 becomes 0.5 x 1.5^0.5 of 0.5 + that."""
    now = believing(started(1.0, 1.0, masks=[0.5, 0.3]), {3: {7: 0.5}, 4: {7: 0.3}})
    raised = 0.5 * 1.5**0.5 / (0.5 + 0.5 * 1.5**0.5)
    assert choose("credit", now, tau=0.9).notes["known"] == 0.5
    assert choose("credit", now, tau=raised - 1e-9).notes["passed"] == 1
    assert choose("credit", now, tau=raised + 1e-9).notes["passed"] == 0


def test_the_threshold_of_early_commit_falls_over_the_masks_that_there_are():
    start = blank(9).inherit(np.arange(1, 7), np.ones(6, dtype=np.int64), np.ones(6))
    taken = run("early_commit", Indifferent(), start, steps=9, high=9.0, middle=6.0, low=3.0)
    assert [step.selection.notes["threshold"] for step in taken] == [6.0, 6.0, 3.0]


def test_the_draft_of_gibbs_writes_the_masks_and_its_sweeps_visit_everything():
    start = blank(6).inherit(np.arange(1, 5), np.zeros(4, dtype=np.int64), np.ones(4))
    taken = run("gibbs", Indifferent(), start, steps=40, temperature=1.0)
    notes = [step.selection.notes["sweep"] for step in taken]
    assert notes[:3] == [0, 1, 1]  # two masks are drafted in two steps
    visited = {int(place) for step in taken[1:8] for place in step.canvas.masks}
    assert visited == set(range(1, 7))


def test_a_visit_of_gibbs_that_changes_an_inherited_token_is_counted():
    """The draft takes one step, so the second step redraws what was there before the first."""
    for token in (0, 1):
        start = blank(4).inherit(np.arange(1, 4), np.full(3, token), np.ones(3))
        second = run("gibbs", Indifferent(), start, steps=12)[1]  # always writes 0
        assert second.selection.notes["changed"] == token


def test_blocks_that_are_written_already_are_skipped():
    start = blank(8).inherit(np.arange(1, 5), np.ones(4, dtype=np.int64), np.ones(4))
    taken = run("low_confidence", Indifferent(), start, steps=4, blocks=4)
    assert [step.selection.notes["block"] for step in taken] == [3, 3, 4, 4]
    denoiser = toy()
    start = blank(16, mask_id=denoiser.tokenizer.mask_id)
    start = start.inherit(start.span[:8], np.full(8, 3), np.ones(8))
    assert [s.selection.notes["block"] for s in run("ahd", denoiser, start, steps=8, blocks=4, tau=1.0)][:4] == [3] * 4
