from __future__ import annotations

import numpy as np
import pytest

from models.toy import toy
from tests.strategies.scenes import blank, choose, orders, run, snapshot, written

NEVER = {"high": 2000.0, "middle": 2000.0, "low": 2000.0}


def limit(taken: int, *, steps: int = 9, **knobs) -> float:
    return choose("early_commit", snapshot(length=9, steps=steps, taken=taken, logit_margin=[0.0] * 9), **knobs).notes[
        "threshold"
    ]


def test_prophets_threshold_falls_in_three_phases():
    """Step k of nine has progress k / 9, and the phases end below 0.33 and 0.67: after 2 / 9 and 6 / 9."""
    assert [limit(taken) for taken in range(9)] == [7.5] * 2 + [5.0] * 4 + [2.5] * 3


@pytest.mark.parametrize(
    ("schedule", "halfway"),
    [("linear", 5.0), ("cosine", 5.0), ("exponential", 2.5 + 5 * np.exp(-2.0))],
)
def test_scheds_thresholds_fall_from_high_to_low(schedule, halfway):
    values = [limit(taken, schedule=schedule) for taken in range(9)]
    assert values[0] == pytest.approx(7.5)
    assert values[4] == pytest.approx(halfway)
    assert values[8] == pytest.approx(2.5, abs=0.1)
    assert values == sorted(values, reverse=True)


def test_the_cosine_stays_above_the_line_in_the_first_half():
    assert limit(2, schedule="cosine") == pytest.approx(2.5 + 2.5 * (1 + np.cos(np.pi / 4)))
    assert limit(2, schedule="cosine") > limit(2, schedule="linear")


@pytest.mark.parametrize(("aggregate", "gap"), [("mean", 4.0), ("median", 2.0), ("quantile", 1.4), ("min", 1.0)])
def test_logit_margins_are_combined_over_masked_positions(aggregate, gap):
    selection = choose("early_commit", snapshot(logit_margin=[1.0, 2.0, 9.0]), aggregate=aggregate)
    assert selection.notes["gap"] == pytest.approx(gap)


def test_a_logit_margin_at_the_threshold_commits_everything_by_argmax():
    now = snapshot(logit_margin=[7.0, 8.0], confidence=[0.1, 0.2])
    selection = choose("early_commit", now)
    assert selection.commit.tolist() == [1, 2]
    assert selection.tokens is not None
    assert selection.tokens.tolist() == [0, 0], "the most probable tokens; the drafts are 1"
    assert selection.notes["early"] == 1


def test_below_the_threshold_the_most_confident_draft_is_committed():
    selection = choose("early_commit", snapshot(logit_margin=[7.0, 7.9, 7.0, 7.0], confidence=[0.1, 0.2, 0.1, 0.1]))
    assert selection.commit.tolist() == [2]
    assert selection.tokens is None


def test_min_progress_delays_the_early_commit():
    assert choose("early_commit", snapshot(logit_margin=[9.0, 9.0]), min_progress=0.5).notes["early"] == 0


def test_a_threshold_that_is_never_reached_equals_low_confidence():
    denoiser = toy()
    canvas = blank(9, mask_id=denoiser.tokenizer.mask_id)
    for steps in (1, 4, 9, 20):
        host = run("low_confidence", denoiser, canvas, steps=steps)
        assert orders(run("early_commit", denoiser, canvas, steps=steps, **NEVER)) == orders(host)


def test_a_run_that_ends_early_takes_fewer_forward_passes():
    denoiser = toy()
    canvas = blank(9, mask_id=denoiser.tokenizer.mask_id)
    steps = run("early_commit", denoiser, canvas, steps=9, high=1e9, middle=0.0, low=0.0)
    assert len(steps) == 3, "the second phase begins with the third step of nine"
    assert steps[-1].selection.notes["early"] == 1


def test_the_recorded_confidence_is_that_of_the_committed_token():
    canvas = blank(6, mask_id=toy().tokenizer.mask_id)
    for seed in range(5):
        (step,) = run("early_commit", toy(), canvas, steps=6, temperature=3.0, seed=seed, high=0.0, banned=())
        best = step.prediction.top_probs[canvas.span, 0]
        assert step.prediction.confidence[canvas.span] == pytest.approx(best)
        assert (step.prediction.candidates[canvas.span] == written([step])).all()
