"""The curve from a score to the probability of being right."""

from __future__ import annotations

import numpy as np
import pytest

from app.measure.reliability import fit_curve, isotonic


@pytest.mark.parametrize(
    ("hits", "counts", "expected"),
    [
        ([1, 3, 1, 4], [4, 4, 4, 4], [0.25, 0.5, 0.5, 1.0]),  # the second and the third are pooled
        ([3, 2, 1], [4, 4, 4], [0.5, 0.5, 0.5]),  # the third also falls below the pool of the first two
        ([3, 1], [3, 7], [0.4, 0.4]),  # a pool is weighted by its observations, not its groups
        ([0, 1, 2], [2, 2, 2], [0.0, 0.5, 1.0]),
        ([5], [10], [0.5]),
    ],
)
def test_groups_that_fall_are_pooled_until_nothing_falls(hits, counts, expected):
    assert isotonic(np.array(hits, float), np.array(counts, float)).tolist() == pytest.approx(expected)


def test_no_other_rising_rates_are_nearer_to_the_observed_ones():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 9, 6).astype(float)
    hits = rng.binomial(counts.astype(int), 0.5).astype(float)

    def loss(rates):
        return float((counts * (rates - hits / counts) ** 2).sum())

    best = isotonic(hits, counts)
    assert (np.diff(best) >= 0).all()
    for _ in range(2000):
        assert loss(np.sort((best + rng.normal(scale=0.1, size=6)).clip(0, 1))) >= loss(best) - 1e-12


SCORES = np.repeat([0.1, 0.5, 0.7, 0.9], 20)
RIGHT = np.concatenate([np.arange(20) < hits for hits in (4, 16, 18, 19)])


@pytest.mark.parametrize(("level", "at"), [(0.1, 0.1), (0.8, 0.5), (0.81, 0.7), (0.9, 0.7), (0.95, 0.9), (0.96, None)])
def test_the_threshold_is_the_least_certain_score_that_reaches_the_level(level, at):
    assert fit_curve(SCORES, RIGHT, least=20).threshold(level) == at


def test_a_falling_score_has_its_most_certain_values_at_the_low_end():
    curve = fit_curve(1 - SCORES, RIGHT, rising=False, least=20)
    assert curve.threshold(0.9) == pytest.approx(0.3)
    assert curve.threshold(0.96) is None


def test_equal_scores_stay_in_one_group():
    right = np.array([True] * 30 + [False] * 30)
    assert fit_curve(np.ones(60), right, least=10).chances.tolist() == [0.5]


def test_a_few_lucky_observations_at_the_end_set_no_threshold():
    scores = np.arange(103) / 103
    right = np.array([True, False] * 50 + [True] * 3)
    assert fit_curve(scores, right, least=1).threshold(0.95) is not None
    assert fit_curve(scores, right, least=50).threshold(0.95) is None


def test_the_order_of_the_observations_does_not_matter():
    mixed = np.random.default_rng(1).permutation(len(SCORES))
    assert fit_curve(SCORES[mixed], RIGHT[mixed]).points() == fit_curve(SCORES, RIGHT).points()


def test_the_points_go_from_the_least_to_the_most_certain_group():
    points = fit_curve(
        np.linspace(0, 1, 1000), np.random.default_rng(2).random(1000) < np.linspace(0, 1, 1000), least=10
    )
    shown = points.points(20)
    assert len(shown) == 20
    assert shown[0] == (0.0, float(points.chances[0]))
    assert shown[-1] == (float(points.scores[-1]), float(points.chances[-1]))
    assert shown == sorted(shown)
    assert len(fit_curve(SCORES, RIGHT, least=20).points(20)) == 4
