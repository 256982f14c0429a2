"""How reliable a score is: the curve from the score to the probability of being right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.denoiser import Bools, Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """A step function that never falls, from the least certain to the most certain observations."""

    scores: Floats  # [groups] the least certain score of each group of observations
    chances: Floats  # [groups] the fraction that was right
    counts: Floats  # [groups] the number of observations

    def threshold(self, level: float) -> float | None:
        """Return the least certain score whose chance reaches the level; None if no score does."""
        reached = self.chances >= level
        return float(self.scores[reached.argmax()]) if reached.any() else None

    def points(self, number: int = 20) -> list[tuple[float, float]]:
        """Return at most `number` scores and their chances, at equal shares of the observations."""
        shares = (np.cumsum(self.counts) - 1) / self.counts.sum()
        groups = np.unique(np.searchsorted(shares, np.linspace(0, 1, number), side="left").clip(max=len(shares) - 1))
        return [(float(self.scores[group]), float(self.chances[group])) for group in groups]


def fit_curve(scores: Floats, right: Bools, *, rising: bool = True, least: int = 50) -> Curve:
    """Fit the isotonic regression of `right` [n] on `scores` [n], n >= 1.

    `rising` means that large scores are the certain ones. Equal scores are grouped, and neighbouring ones until a group
    has `least` observations, so that a few lucky observations at the end cannot set a threshold.
    """
    sure = scores if rising else -scores
    values, place = np.unique(sure, return_inverse=True)
    seen, hits = np.bincount(place), np.bincount(place, weights=right)
    starts, room = [0], 0
    for number, count in enumerate(seen):
        if room >= least:
            starts.append(number)
            room = 0
        room += count
    if room < least and len(starts) > 1:
        starts.pop()
    counts, hits = np.add.reduceat(seen, starts).astype(float), np.add.reduceat(hits, starts)
    found = values[starts]
    return Curve(scores=found if rising else -found, chances=isotonic(hits, counts), counts=counts)


def isotonic(hits: Floats, counts: Floats) -> Floats:
    """Return the rates [groups] that never fall and are nearest to hits / counts (least squares, weighted by counts).

    Pool adjacent violators:
    Ayer et al., 1955, An Empirical Distribution Function for Sampling with Incomplete Information
    """
    pools: list[tuple[float, float, int]] = []  # hits, counts, groups
    for pool in zip(hits.tolist(), counts.tolist(), [1] * len(hits), strict=True):
        while pools and pools[-1][0] * pool[1] >= pool[0] * pools[-1][1]:
            before = pools.pop()
            pool = (before[0] + pool[0], before[1] + pool[1], before[2] + pool[2])
        pools.append(pool)
    return np.repeat([hit / count for hit, count, _ in pools], [groups for _, _, groups in pools])
