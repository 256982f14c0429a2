"""Confidence intervals of means and medians over problems, by the percentile bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over problems and its 95 % interval; NaN if there are too few problems."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Median:
    """A median over problems and its 95 % interval; NaN if there are too few problems."""

    median: float
    low: float
    high: float


def draw_counts(problems: int, *, resamples: int = 2000, seed: int = 0) -> NDArray[np.int64]:
    """Draw problems with replacement; return how often each was drawn, [resamples, problems]."""
    return np.random.default_rng(seed).multinomial(problems, np.full(problems, 1 / problems), size=resamples)


def estimate_means(values: Numbers, counts: NDArray[np.int64]) -> list[Estimate]:
    """Return the estimate of each column of values [problems, n]; NaN is a problem that was not run and is left out.

    `counts` [resamples, problems] is the same for all columns, so that the interval of a difference between two
    configurations, taken problem by problem, is paired.
    """
    there = ~np.isnan(values)
    sums, sizes = counts @ np.where(there, values, 0.0), counts @ there
    with np.errstate(invalid="ignore"):
        means = sums / sizes
        middle = np.where(there, values, 0.0).sum(0) / there.sum(0)
    edges = [  # a single problem has no interval
        np.nanquantile(column, (0.025, 0.975)) if found else (np.nan, np.nan)
        for column, found in zip(means.T, there.sum(0) > 1, strict=True)
    ]
    return [Estimate(mean=float(m), low=float(a), high=float(b)) for m, (a, b) in zip(middle, edges, strict=True)]


def estimate_pooled(value: float, draws: Numbers) -> Estimate:
    """Return the estimate of a figure of all problems together, such as an entropy, from its draws [resamples].

    A resample holds some problems twice and others not at all, which makes most such figures smaller. So the interval
    is that of the draws, moved so that their mean lies on the value.
    """
    if np.isnan(draws).all():
        return Estimate(mean=value, low=np.nan, high=np.nan)
    low, high = np.nanquantile(draws, (0.025, 0.975)) - np.nanmean(draws) + value
    return Estimate(mean=value, low=float(low), high=float(high))


def estimate_median(values: Numbers, *, resamples: int = 2000, seed: int = 0) -> Median:
    """Return the median of values [problems], without NaN."""
    if not len(values):
        return Median(median=np.nan, low=np.nan, high=np.nan)
    drawn = np.random.default_rng(seed).choice(values, size=(resamples, len(values)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975)) if len(values) > 1 else (np.nan, np.nan)
    return Median(median=float(np.median(values)), low=float(low), high=float(high))
