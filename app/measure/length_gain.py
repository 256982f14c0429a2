"""Measure how near chosen lengths are to the true ones, and how much better the text gets."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.length.choose import TRIES, choose_length
from app.length.prior import LengthPrior
from app.length.probe import LONGEST, candidates, canvases, outcome
from app.measure.bootstrap import Estimate, Numbers, draw_counts, estimate_means
from app.measure.problems import Problem, as_request
from app.measure.run import run_to_end
from app.sampler import Sampler
from app.sampling.layout import Layout
from app.sampling.request import InfillRequest
from app.trace import metrics
from app.trace.length_choice import LengthChoice
from models.denoiser import Denoiser, Judge

FIXED = 16
"""The fixed number of masks to compare with."""
NEAR = 2
"""A length at most this many tokens off counts as found."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way of choosing the length, over all problems."""

    way: str
    near: Estimate  # percent within NEAR tokens of the true length
    error: Estimate  # tokens, absolute
    rougeL: Estimate  # noqa: N815 - the measure's own name


@dataclass(frozen=True, kw_only=True)
class LengthGain:
    """Chosen, true and fixed lengths compared."""

    rows: tuple[Row, ...]  # auto, oracle, fixed
    gain: Estimate  # ROUGE-L of auto less ROUGE-L of fixed, paired by problem
    forwards: float  # mean rows through the network per choice, decoding of candidates included
    calls: float  # mean batched forward passes per choice
    choices: tuple[LengthChoice, ...]


def automatic(
    request: InfillRequest,
    denoiser: Denoiser,
    prior: LengthPrior,
    *,
    judge: Judge | None = None,
    tries: int = TRIES,
    longest: int = LONGEST,
) -> LengthChoice:
    """Choose the length of a request's only gap, ignoring its own; candidates are decoded with the request's steps."""
    canvas_of, cut = canvases(Layout.of(request, denoiser), denoiser, [longest])
    finish = Sampler.of(request, denoiser).fill
    lengths = candidates(denoiser, longest)
    work = choose_length(canvas_of, denoiser, prior, finish, lengths, judge=judge, tries=tries, notices=cut)
    return outcome(work)


def measure_lengths(
    problems: Sequence[Problem],
    denoiser: Denoiser,
    prior: LengthPrior,
    *,
    judge: Judge | None = None,
    tries: int = TRIES,
    longest: int = LONGEST,
    strategy: str = "low_confidence",
    seed: int = 0,
    progress: Callable[[Sequence[Problem]], Iterable[Problem]] = iter,
) -> LengthGain:
    """Fill every problem with the chosen, the true and the fixed length; greedily, one step per mask."""
    choices, lengths, scores = [], [], []
    for problem in progress(problems):
        request = as_request(problem, denoiser, strategy=strategy, seed=seed)
        choice = automatic(request, denoiser, prior, judge=judge, tries=tries, longest=longest)
        choices.append(choice)
        tried = (choice.chosen, request.length, FIXED)

        @functools.cache
        def score(length: int, request: InfillRequest = request, gold: str = problem.middle) -> float:
            trace = run_to_end(replace(request, length=length, steps=length), denoiser)
            return metrics.rouge(trace.fill, gold)["rougeL"]

        lengths.append(tried)
        scores.append([score(length) for length in tried])
    found, rouge = np.array(lengths), np.array(scores, dtype=np.float64)
    off = np.abs(found - found[:, 1:2]).astype(np.float64)
    rows = tuple(
        Row(
            way=way,
            near=_mean(100.0 * (off[:, column] <= NEAR).astype(np.float64)),
            error=_mean(off[:, column]),
            rougeL=_mean(rouge[:, column]),
        )
        for column, way in enumerate(("auto", "oracle", f"fixed {FIXED}"))
    )
    return LengthGain(
        rows=rows,
        gain=_mean(rouge[:, 0] - rouge[:, 2]),
        forwards=statistics.mean(choice.rows for choice in choices),
        calls=statistics.mean(choice.calls for choice in choices),
        choices=tuple(choices),
    )


def _mean(values: Numbers) -> Estimate:
    """Return the estimate of values [problems]."""
    return estimate_means(values[:, None], draw_counts(len(values)))[0]
