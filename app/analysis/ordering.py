"""In which order a run wrote: how far from reading order, in what jumps, and how far from the given text."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from app.analysis.settling import Settling
from app.trace.trace import Trace
from models.denoiser import Floats, Ids


@dataclass(frozen=True, kw_only=True)
class Jumps:
    """How a run moved through its gaps; NaN where there is nothing to average."""

    mean: float  # positions from a token to the nearest one that the step before wrote
    adjoining: float  # share of the tokens that were written directly next to text that stood there


def jumps(trace: Trace, found: Settling) -> Jumps:
    """Return how far each token was from what was written before it. Tokens of one step have no order among them."""
    at = trace.start.slots[found.places]
    groups = [at[found.written == step] for step in np.unique(found.written)]
    far = [float(np.abs(now[:, None] - before[None, :]).min(1).mean()) for before, now in itertools.pairwise(groups)]
    beside = []
    for position, step in zip(at.tolist(), found.written.tolist(), strict=True):
        masked = trace.state(step - 1).masked
        neighbours = [each for each in (position - 1, position + 1) if 0 <= each < len(masked)]
        beside.append(not masked[neighbours].all())
    return Jumps(
        mean=float(np.mean(far)) if far else np.nan,
        adjoining=float(np.mean(beside)) if beside else np.nan,
    )


def distances(trace: Trace) -> Floats:
    """Return the positions [n] from each slot to the nearest given token, pinned and locked ones included.

    1 is right beside it. NaN where a gap has no given text on either side.
    """
    canvas = trace.start
    left, right = (edge.astype(np.float64) + 1 for edge in canvas.from_edges)
    place = np.arange(len(canvas))
    if not trace.given[0]:  # before the first gap there is only what begins every text
        left[place - left + 1 == canvas.gaps[0].start] = np.nan
    right[place + right == len(canvas)] = np.nan
    near = np.fmin(left, right)
    near[~canvas.editable] = np.nan
    return near[canvas.slots]


@dataclass(frozen=True, kw_only=True)
class Edge:
    """The tokens at one distance from the given text."""

    distance: int
    tokens: int
    settled: float  # mean step in which they were known, as a share of all steps
    written: float  # mean step in which they were written, as a share of all steps


def edges(trace: Trace, found: Settling) -> list[Edge]:
    """Return when tokens were known and written by their distance from the nearest given text, nearest first."""
    away: Ids = np.nan_to_num(distances(trace)[found.places], nan=0).astype(np.int64)
    curve = []
    for distance in np.unique(away[away > 0]).tolist():
        mine = away == distance
        curve.append(
            Edge(
                distance=distance,
                tokens=int(mine.sum()),
                settled=float(found.settled[mine].mean() / found.steps),
                written=float(found.written[mine].mean() / found.steps),
            )
        )
    return curve
