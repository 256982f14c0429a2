from __future__ import annotations

import numpy as np
import pytest

from app.sampling.step import Selection, Snapshot
from models.toy import toy
from tests.strategies.scenes import Indifferent, after, blank, choose, counts, orders, run, snapshot

SURE = [0.7, 0.9, 0.95, 0.5]


def then(first: list[float], second: list[float]) -> Snapshot:
    """Return a snapshot of four masks whose beliefs moved by these drifts in the last two of three steps."""
    now = snapshot(length=5, confidence=[0.5, *SURE], drift=[np.inf] * 5)
    now = after(now, Selection(commit=np.array([1])), confidence=SURE, drift=first)
    return after(now, Selection(commit=np.array([], dtype=np.int64)), confidence=SURE, drift=second)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([0.009] * 4, [0.0] * 4, [4, 3, 2]),  # 0.5 is below tau
        ([0.0] * 4, [0.0, 0.01, 0.0, 0.0], [4, 2]),  # position 3 has just moved by epsilon
        ([0.0, 0.0, 0.02, 0.0], [0.0] * 4, [3, 2]),  # position 4, the surest, moved the step before
        ([0.02] * 4, [0.0] * 4, [4]),  # no belief has settled
    ],
)
def test_sure_positions_settled_for_two_steps_are_committed_or_the_surest_one(first, second, expected):
    selection = choose("klass", then(first, second), tau=0.6, epsilon=0.01)
    assert selection.commit.tolist() == expected
    assert selection.notes["passed"] == (len(expected) if first[0] < 0.02 else 0)


def test_patience_is_the_number_of_steps_without_a_move():
    now = then([0.0, 0.02, 0.0, 0.0], [0.0] * 4)
    assert choose("klass", now, patience=1).commit.tolist() == [4, 3, 2]
    assert choose("klass", now, patience=2).commit.tolist() == [4, 2]
    assert choose("klass", now, patience=3).commit.tolist() == [4], "there is no belief before the first step"


def test_extra_commits_for_the_budget_are_the_surest_of_the_others():
    now = snapshot(steps=2, confidence=[0.9, 0.1, 0.7, 0.5], drift=[1.0, 1.0, 0.0, 0.0])
    assert choose("klass", now, patience=1).commit.tolist() == [3, 1]


class Settled(Indifferent):
    """Believes the same always; as with a model, its first belief has no earlier one to compare with."""

    def predict(self, queries):
        predictions = super().predict(queries)
        for query, prediction in zip(queries, predictions, strict=True):
            assert query.cache is not None
            if not query.cache.earlier(query.state, None, query.lookback):
                prediction.drift[:] = np.inf
        return predictions


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_nothing_is_committed_together_before_step_patience_plus_one(patience):
    steps = run("klass", Settled(), blank(9), steps=64, tau=0.5, patience=patience)
    assert counts(steps) == [1] * patience + [9 - patience]


def test_epsilon_zero_equals_low_confidence_with_one_step_per_token():
    denoiser = toy()
    canvas = blank(9, mask_id=denoiser.tokenizer.mask_id)
    assert orders(run("klass", denoiser, canvas, steps=64, tau=0.0, epsilon=0.0)) == orders(
        run("low_confidence", denoiser, canvas, steps=9)
    )


def test_a_large_epsilon_equals_threshold_from_the_second_step_on():
    denoiser = toy()
    canvas = blank(24, mask_id=denoiser.tokenizer.mask_id)
    steps = run("klass", denoiser, canvas, steps=64, tau=0.3, epsilon=1e9, patience=1)
    before = [canvas, *(step.canvas for step in steps)]
    sure = [int((s.prediction.confidence[c.masks] >= 0.3).sum()) for s, c in zip(steps, before, strict=False)]
    assert max(sure) > 1
    assert counts(steps) == [1, *(max(1, number) for number in sure[1:])]
