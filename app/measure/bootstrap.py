"""How far a mean over problems can be trusted: percentile bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over problems, and the percentile bootstrap's 95 % interval; NaN where there are too few problems."""

    mean: float
    low: float
    high: float


def resampled(problems: int, *, resamples: int = 2000, seed: int = 0) -> NDArray[np.int64]:
    """[resamples, problems] how often each problem was drawn."""
    return np.random.default_rng(seed).multinomial(problems, np.full(problems, 1 / problems), size=resamples)


def estimates(values: Numbers, counts: NDArray[np.int64]) -> list[Estimate]:
    """Of each column of values [problems, n]; NaN is a problem that was not run, and is left out.

    All columns are drawn with the same problems, counts [resamples, problems], so a difference taken before is paired.
    """
    there = ~np.isnan(values)
    sums, sizes = counts @ np.where(there, values, 0.0), counts @ there
    with np.errstate(invalid="ignore"):
        means = sums / sizes
        middle = np.where(there, values, 0.0).sum(0) / there.sum(0)
    edges = [  # one problem alone says nothing about others
        np.nanquantile(column, (0.025, 0.975)) if found else (np.nan, np.nan)
        for column, found in zip(means.T, there.sum(0) > 1, strict=True)
    ]
    return [Estimate(mean=float(m), low=float(a), high=float(b)) for m, (a, b) in zip(middle, edges, strict=True)]
