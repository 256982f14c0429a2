"""How often a score is right: the curve from a score to the probability that what it speaks for stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.denoiser import Bools, Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """A step function from the least sure to the surest observations, never falling."""

    scores: Floats  # [groups] the least sure score of each group of observations
    chances: Floats  # [groups] the part of them that was right
    counts: Floats  # [groups] how many they are

    def threshold(self, level: float) -> float | None:
        """The least sure score at which the chance reaches the level; None where it never does."""
        reached = self.chances >= level
        return float(self.scores[reached.argmax()]) if reached.any() else None

    def points(self, number: int = 20) -> list[tuple[float, float]]:
        """Scores and chances at so many equal shares of the observations; fewer where there are fewer groups."""
        shares = (np.cumsum(self.counts) - 1) / self.counts.sum()
        groups = np.unique(np.searchsorted(shares, np.linspace(0, 1, number), side="left").clip(max=len(shares) - 1))
        return [(float(self.scores[group]), float(self.chances[group])) for group in groups]


def fit_curve(scores: Floats, right: Bools, *, rising: bool = True, least: int = 50) -> Curve:
    """The isotonic regression of `right` [n] on `scores` [n], n >= 1.

    `rising` says that large scores are the sure ones. Equal scores go together, and neighbouring ones until there are
    `least` of them, so that no handful of lucky observations at the end makes a threshold.
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
    """[groups] the rates nearest to hits / counts (least squares, weighted) that never fall: pool adjacent violators.

    Ayer et al., 1955, An Empirical Distribution Function for Sampling with Incomplete Information
    """
    pools: list[tuple[float, float, int]] = []  # hits, counts, groups
    for pool in zip(hits.tolist(), counts.tolist(), [1] * len(hits), strict=True):
        while pools and pools[-1][0] * pool[1] >= pool[0] * pools[-1][1]:
            before = pools.pop()
            pool = (before[0] + pool[0], before[1] + pool[1], before[2] + pool[2])
        pools.append(pool)
    return np.repeat([hit / count for hit, count, _ in pools], [groups for _, _, groups in pools])
