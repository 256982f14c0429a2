"""Time the denoising loop against the plain loop of the reference implementation."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.errors import InfillError
from app.measure.problems import Problem
from app.measure.run import run_to_end
from app.sampling.canvas import Canvas
from app.sampling.decode import decode
from app.sampling.layout import lay_out
from app.sampling.request import InfillRequest
from app.strategies.registry import find
from models.denoiser import Denoiser, Sampling

if TYPE_CHECKING:
    from models.networks.transformer import TransformerDenoiser

FILLED = 16
"""Masks to fill; both loops take 64 steps, at temperature 0.9 and top-p 0.9."""


@dataclass(frozen=True, kw_only=True)
class Fill:
    """A whole fill with `random`, and one by the reference loop; seconds are medians."""

    context: int
    seconds: float
    nfe: float
    plain_seconds: float
    plain_nfe: float


def compare_loops(
    problems: Sequence[Problem], denoiser: Denoiser, *, seed: int = 0, repeat: int = 5
) -> dict[str, float]:
    """Time `random` and the reference loop in turns: T = 64, a gap of 16 masks, temperature 0.9, top-p 0.9.

    Each turn fills a gap between the prefix and suffix of the next problem. Raises InfillError if the denoiser is not
    a transformer.
    """
    from models.bench.baseline import reference_loop
    from models.networks.transformer import TransformerDenoiser

    if not isinstance(denoiser, TransformerDenoiser):
        raise InfillError(f"the reference loop needs a transformer, and '{denoiser.name}' is not one")
    nfe, seconds = ([], []), ([], [])
    for shift in range(-1, repeat):  # the first turn is a warm-up and is left out
        problem = problems[(shift + 1) % len(problems)]
        request = InfillRequest(
            prefix=problem.prefix,
            suffix=problem.suffix,
            length=FILLED,
            steps=64,
            strategy="random",
            temperature=0.9,
            top_p=0.9,
            seed=seed + shift + 1,
        )
        start, _ = lay_out(request, denoiser)
        began = time.perf_counter()
        ours = run_to_end(request, denoiser).nfe
        between = time.perf_counter()
        _, plain = reference_loop(
            denoiser, start.ids, start.editable, steps=64, temperature=0.9, top_p=0.9, seed=request.seed
        )
        ended = time.perf_counter()
        if shift >= 0:
            for series, value in zip((*nfe, *seconds), (ours, plain, between - began, ended - between), strict=True):
                series.append(value)
    found = {
        "nfe": statistics.mean(nfe[0]),
        "plain_nfe": statistics.mean(nfe[1]),
        "seconds": statistics.median(seconds[0]),
        "plain_seconds": statistics.median(seconds[1]),
    }
    return found | {
        "nfe_ratio": found["plain_nfe"] / found["nfe"],
        "seconds_ratio": found["plain_seconds"] / found["seconds"],
    }


def time_fill(denoiser: TransformerDenoiser, context: int, *, seed: int, repeat: int) -> Fill:
    """Time both loops in turns on random text with a gap of 16 masks, or as many as fit."""
    from models.bench import speed
    from models.bench.baseline import reference_loop

    ids, gap = speed.canvas(denoiser, context, min(FILLED, context - 1), seed=seed)
    span = np.isin(np.arange(context), gap)
    start = Canvas(ids=ids, editable=span, masked=span.copy(), mask_id=denoiser.tokenizer.mask_id)
    random, sampling = find("random").bind({}), Sampling(temperature=0.9, top_p=0.9)
    turns = []
    for turn in range(-1, repeat):  # the first turn is a warm-up and is left out
        began = time.perf_counter()
        *_, last = decode(start, denoiser, random, steps=64, seed=seed + turn + 1, sampling=sampling)
        between = time.perf_counter()
        _, plain = reference_loop(denoiser, ids, span, steps=64, temperature=0.9, top_p=0.9, seed=seed + turn + 1)
        ended = time.perf_counter()
        if turn >= 0:
            turns.append((between - began, last.nfe, ended - between, plain))
    seconds, nfe, plain_seconds, plain_nfe = zip(*turns, strict=True)
    return Fill(
        context=context,
        seconds=statistics.median(seconds),
        nfe=statistics.mean(nfe),
        plain_seconds=statistics.median(plain_seconds),
        plain_nfe=statistics.mean(plain_nfe),
    )
