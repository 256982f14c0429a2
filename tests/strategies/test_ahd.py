from __future__ import annotations

import numpy as np
import pytest

from models.toy import toy
from tests.strategies.scenes import blank, choose, counts, orders, run, snapshot, written
from tests.strategies.test_klass import Settled

# Two blocks of four, positions 1 to 4 and 5 to 8.
SURE = [0.5, 0.95, 0.6, 0.9, 0.1, 0.99, 0.2, 0.3]


def drifting(**by_position: list[float]) -> np.ndarray:
    """Return [8, 5] drifts: those given by position, and one nat at all ages elsewhere."""
    drift = np.ones((8, 5))
    for name, values in by_position.items():
        drift[int(name.removeprefix("at_")) - 1] = values
    return drift


def test_the_current_block_is_filled_above_a_threshold_and_later_ones_wait():
    now = snapshot(confidence=SURE, drift=drifting())
    assert choose("ahd", now, blocks=2).commit.tolist() == [2, 4]
    assert choose("ahd", now, blocks=2, tau=0.96).commit.tolist() == [2], "the surest of the block, not of all"


def test_beliefs_without_drift_are_committed_ahead_of_their_block_however_unsure():
    now = snapshot(confidence=SURE, drift=drifting(at_1=[0] * 5, at_5=[0] * 5, at_7=[0.009] * 5, at_8=[0.011] * 5))
    selection = choose("ahd", now, blocks=2)
    assert selection.commit.tolist() == [2, 4, 7, 5]
    assert selection.notes == {"passed": 4, "threshold": 0.9, "block": 1, "ahead": 2}


@pytest.mark.parametrize(
    ("window", "decay", "edge"),
    [
        # Ages 1 to 3 are 0, 0.1 and 0.3 away, and age 4 is 9.
        (2, 0.5, 0.0),
        (3, 0.0, 0.05),
        (4, 0.0, 0.4 / 3),
        (4, np.log(2), (2 * 0.1 + 1 * 0.3) / 7),  # weights 4, 2 and 1
    ],
)
def test_older_predictions_count_less(window, decay, edge):
    now = snapshot(confidence=SURE, drift=drifting(at_6=[0.0, 0.1, 0.3, 9.0, 9.0]))
    settings = {"blocks": 2, "window": window, "decay": decay}
    assert choose("ahd", now, epsilon=edge + 1e-9, **settings).commit.tolist() == [2, 4, 6]
    assert choose("ahd", now, epsilon=edge - 1e-9, **settings).commit.tolist() == [2, 4]


def test_a_history_that_is_too_short_allows_no_commit_ahead():
    now = snapshot(confidence=SURE, drift=drifting(at_6=[0.0, 0.0, np.inf, np.inf, np.inf]))
    assert choose("ahd", now, blocks=2, window=4).commit.tolist() == [2, 4]
    assert choose("ahd", now, blocks=2, window=3).commit.tolist() == [2, 4, 6]


class Sixfold(Settled):
    """Believes the same always; drift is known as far back as there were predictions."""

    def predict(self, queries):
        (query,) = queries
        assert query.cache is not None
        known = len(query.cache.earlier(query.state, None, query.lookback))
        (prediction,) = super(Settled, self).predict(queries)
        prediction.drift[:, known:] = np.inf
        return [prediction]


@pytest.mark.parametrize("window", [2, 4, 6])
def test_the_first_commit_ahead_of_a_block_is_in_step_window(window):
    steps = run("ahd", Sixfold(), blank(64), steps=64, tau=0.9, window=window)
    assert counts(steps)[:window] == [1] * (window - 1) + [1 + 48]
    assert [step.selection.notes["block"] for step in steps] == [1.0] * 16


def test_extra_commits_for_the_budget_come_from_the_current_block_first():
    now = snapshot(steps=2, confidence=SURE, drift=drifting(at_8=[0] * 5))
    assert choose("ahd", now, blocks=2, tau=0.96).commit.tolist() == [2, 8, 4, 3]


@pytest.mark.parametrize("length", [7, 16])
def test_one_block_equals_threshold_and_a_short_gap_is_one_block(length):
    denoiser = toy()
    canvas = blank(length, mask_id=denoiser.tokenizer.mask_id)
    settings = {"steps": 16, "temperature": 0.8, "tau": 0.5, "banned": tuple(denoiser.tokenizer.special_ids)}
    host = run("threshold", denoiser, canvas, **settings)
    ours = run("ahd", denoiser, canvas, blocks=1 if length > 7 else 16, **settings)
    assert orders(ours) == orders(host)
    assert written(ours) == written(host)


def test_blocks_are_filled_from_left_to_right_if_nothing_is_committed_ahead():
    denoiser = toy()
    steps = run("ahd", denoiser, blank(16, mask_id=denoiser.tokenizer.mask_id), steps=64, epsilon=0.0)
    blocks = [(step.selection.commit - 1) // 4 + 1 for step in steps]
    assert all((each == step.selection.notes["block"]).all() for each, step in zip(blocks, steps, strict=True))
    assert sorted(np.concatenate(blocks)) == np.concatenate(blocks).tolist()
