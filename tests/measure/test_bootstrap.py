"""Intervals of cases with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.measure.bootstrap import draw_counts, estimate_means, estimate_median

NAN = float("nan")


def test_the_interval_of_a_share_is_that_of_the_binomial_distribution():
    values = np.repeat([1.0, 0.0], [30, 70])[:, None]
    (found,) = estimate_means(values, draw_counts(100, resamples=20_000))
    assert found.mean == 0.3
    assert (found.low, found.high) == (pytest.approx(0.21, abs=0.011), pytest.approx(0.39, abs=0.011))


def test_a_constant_has_no_spread_and_equal_columns_have_no_difference():
    rng = np.random.default_rng(1)
    noisy = rng.normal(size=(50, 1))
    constant, equal = estimate_means(np.hstack([np.full((50, 1), 7.0), noisy - noisy]), draw_counts(50))
    assert (constant.mean, constant.low, constant.high) == (7, 7, 7)
    assert (equal.low, equal.high) == (0, 0)


def test_a_difference_is_paired_so_the_difficulty_of_problems_cancels():
    rng = np.random.default_rng(1)
    hard = rng.normal(scale=30, size=100)
    own, difference = estimate_means(np.column_stack([hard + 1, (hard + 1) - hard]), draw_counts(100))
    assert own.high - own.low > 5
    assert difference.high - difference.low < 1e-9


def test_problems_without_a_run_are_left_out():
    some, nothing, one = estimate_means(np.array([[2.0, NAN, 5], [NAN, NAN, NAN], [4.0, NAN, NAN]]), draw_counts(3))
    assert some.mean == 3
    assert 2 <= some.low < some.high <= 4
    assert math.isnan(nothing.mean)
    assert math.isnan(nothing.low)
    assert one.mean == 5
    assert math.isnan(one.low), "one problem alone has no interval"


def test_the_same_seed_draws_the_same_problems():
    assert (draw_counts(9, resamples=5) == draw_counts(9, resamples=5)).all()
    assert (draw_counts(9, resamples=5).sum(1) == 9).all()


def test_the_interval_of_a_median_lies_between_the_order_statistics():
    values = np.arange(1.0, 102.0)
    found = estimate_median(np.random.default_rng(1).permutation(values))
    assert found.median == 51
    assert (found.low, found.high) == (pytest.approx(41, abs=2), pytest.approx(61, abs=2)), "binomial, 101 values"
    one, nothing = estimate_median(np.array([3.0])), estimate_median(np.array([]))
    assert (one.median, math.isnan(one.low), math.isnan(nothing.median)) == (3, True, True)
