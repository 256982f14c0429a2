"""When it is decided what kind of word stands somewhere, and when which word.

After arXiv:2604.23235, whose probes read hidden states: here the model's distribution itself is split, exactly, into
the entropy of the word class and the entropy of the token within it. No figure of the paper is reproduced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.analysis.settling import Settling, settling, since
from app.trace.trace import Trace
from models.denoiser import Bools, Floats, Ids
from models.prediction import entropy

Cells = NDArray[np.float64]
"""[K, n] a number for each token in each step; NaN where its slot was not masked, or the model was not asked."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Emergence:
    """The n tokens of a `Settling` and their word classes. Progress is the share of the masks that is written."""

    settling: Settling
    classes: Ids  # [n] the class of each token
    content: Bools  # [n] whether that is a class of content words
    class_settled: Ids  # [n] the first step from which on the guess was of this class, until the token was written
    guessed: Ids  # [K, n] the class of the best guess; -1 where the model was not asked
    class_entropy: Cells  # in nats
    class_given: Cells  # entropy of the token when its class is known; the two add up to that of the token
    right_class: Cells  # 1 where the best guess has the final class, else 0
    right_token: Cells  # 1 where the best guess is the final token, else 0
    progress: Floats  # [K] before each step


def emergence(trace: Trace) -> Emergence | None:
    """Return when classes and tokens were known; None if the trace has no probabilities of word classes.

    Numbers are rounded as in a recorded trace, so that a recording says the same as the run.
    """
    if not trace.has_classes:
        return None
    found = settling(trace)
    at, shape = trace.start.slots[found.places], found.open.shape
    of = lookup(trace)
    kinds = class_of(found.tokens, of)
    whole, of_class = np.zeros(shape), np.zeros(shape)
    for number, step in enumerate(trace.steps):
        chances = step.prediction.class_probs
        assert chances is not None
        whole[number] = step.prediction.entropy[at].round(4)
        of_class[number] = np.minimum(entropy(chances[at].round(3)), whole[number])

    def masked(values: NDArray[np.generic]) -> Cells:
        return np.where(found.open, values, np.nan)

    guessed = class_of(found.guesses, of)
    return Emergence(
        settling=found,
        classes=kinds,
        content=np.array([each.content for each in trace.classes], dtype=np.bool_)[kinds],
        class_settled=since(guessed == kinds, found.written),
        guessed=np.where(found.open, guessed, -1),
        class_entropy=masked(of_class),
        class_given=masked(whole - of_class),
        right_class=masked(guessed == kinds),
        right_token=masked(found.guesses == found.tokens),
        progress=progress(trace),
    )


def lookup(trace: Trace) -> Ids:
    """Return the place of the class of every token in the trace, up to the largest one."""
    of = np.full(max(trace.class_of, default=0) + 1, len(trace.classes) - 1, dtype=np.int64)
    of[list(trace.class_of)] = list(trace.class_of.values())
    return of


def class_of(tokens: Ids, of: Ids) -> Ids:
    """Return the class of each token; -1 for the token -1, and for one that has none."""
    return np.where((tokens >= 0) & (tokens < len(of)), of[np.minimum(tokens, len(of) - 1)], -1)


def progress(trace: Trace) -> Floats:
    """Return the share [K] of the masks at the start that is written before each step."""
    left = np.array(trace.masks_left[:-1], dtype=np.float64)
    return 1 - left / max(1, trace.masks_left[0])


class Stage(NamedTuple):
    """A part of a run: those steps before which `low` <= progress < `high`."""

    name: str
    low: float
    high: float


STAGES = (
    Stage("step 1", 0.0, 1e-9),
    Stage("0 to 1/4", 0.0, 0.25),
    Stage("1/4 to 1/2", 0.25, 0.5),
    Stage("1/2 to 3/4", 0.5, 0.75),
    Stage("3/4 to 1", 0.75, 1.0),
)


def by_stage(cells: Cells, progress: Floats) -> Floats:
    """Return the mean [5] of the cells of each stage; NaN for one without any. Late stages have the harder slots."""
    means = []
    for stage in STAGES:
        inside = cells[(progress >= stage.low) & (progress < stage.high)]
        there = inside[~np.isnan(inside)]
        means.append(float(there.mean()) if len(there) else np.nan)
    return np.array(means)
