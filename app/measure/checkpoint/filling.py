"""Measure how well a model finds the missing middle of a passage: one token of it, or all of it."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.measure.problems import Problem, as_request, gold
from app.measure.run import measure_strategy
from app.prefix_only import continue_prefix
from app.sampling.layout import encode_sides, lay_out
from app.trace import metrics
from models.denoiser import Denoiser, Query, Sampling
from models.terminal import progress

if TYPE_CHECKING:  # it imports torch
    from models.networks.autoregressive import AutoregressiveModel

STEPS = 32
"""T of the paper's infilling numbers (arXiv:2410.17891, table 1)."""
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Top-1 accuracy, averaged over the tokens of a middle, then over problems."""

    name: str
    percent: float
    standard_error: float  # over problems
    problems: int


@dataclass(frozen=True, kw_only=True)
class Fills:
    """Means over problems, each filled with as many tokens as its middle has; ROUGE as F-measure x 100.

    ROUGE leaves out problems for which it cannot be measured, and is NaN without any other.
    """

    name: str
    rouge1: float
    rouge2: float
    rougeL: float  # noqa: N815 - the measure's own name
    exact: float  # percent
    nfe: float  # forward passes of one sequence; for autoregressive models with a cache
    problems: int


def masked_token_accuracy(denoiser: Denoiser, problems: Sequence[Problem]) -> Accuracy:
    """Mask one token of the middle, show the rest of the passage, and count how often the likeliest token is right.

    Each token of the middle is masked in turn.
    """
    sampling = Sampling(banned=tuple(sorted(denoiser.tokenizer.special_ids)))
    hits = []
    for problem in progress(problems, "top1"):
        canvas, _ = lay_out(as_request(problem, denoiser), denoiser)
        truth = canvas.commit(canvas.span, np.array(gold(problem, denoiser), dtype=np.int64)).ids
        queries = []
        for position in canvas.span:
            ids = truth.copy()
            ids[position] = canvas.mask_id
            queries.append(Query(ids=ids, positions=np.array([position]), uniforms=np.zeros(1), sampling=sampling))
        parts = [queries[start : start + _BATCH] for start in range(0, len(queries), _BATCH)]
        found = [prediction for part in parts for prediction in denoiser.predict(part)]
        hits.append(
            statistics.mean(
                float(prediction.candidates[position] == truth[position])
                for prediction, position in zip(found, canvas.span, strict=True)
            )
        )
    return _accuracy("one masked token", hits)


def next_token_accuracy(model: AutoregressiveModel, problems: Sequence[Problem]) -> Accuracy:
    """Predict each token of the middle from the text before it, and count how often the likeliest token is right."""
    hits = []
    for problem in progress(problems, "top1"):
        prefix, _ = encode_sides(as_request(problem, model), model)
        truth = gold(problem, model)
        texts = [prefix + truth[:known] for known in range(len(truth))]
        parts = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
        found = [token for part in parts for (token,) in model.complete(part, 1)]
        hits.append(statistics.mean(float(token == right) for token, right in zip(found, truth, strict=True)))
    return _accuracy("next token, suffix unseen", hits)


def _accuracy(name: str, hits: Sequence[float]) -> Accuracy:
    return Accuracy(
        name=name,
        percent=100 * statistics.mean(hits),
        standard_error=100 * statistics.stdev(hits) / math.sqrt(len(hits)) if len(hits) > 1 else math.nan,
        problems=len(hits),
    )


def fill_by_denoising(
    denoiser: Denoiser, problems: Sequence[Problem], *, temperature: float, seed: int = 0
) -> list[Fills]:
    """Fill with `low_confidence`, greedily, and with `reference` at the paper's temperature; both with T = 32."""
    rows = []
    for strategy, heat in (("low_confidence", 0.0), ("reference", temperature)):
        counted = functools.partial(progress, what=f"infill {strategy}")
        row = measure_strategy(strategy, STEPS, problems, denoiser, temperature=heat, seed=seed, progress=counted)
        rows.append(
            Fills(
                name=f"{strategy}, T = {STEPS}, {f'temperature {heat:g}' if heat else 'greedy'}",
                rouge1=row.rouge1,
                rouge2=row.rouge2,
                rougeL=row.rougeL,
                exact=row.exact,
                nfe=row.nfe,
                problems=len(problems),
            )
        )
    return rows


def fill_from_the_left(
    model: AutoregressiveModel, problems: Sequence[Problem], *, temperature: float, candidates: int = 16, seed: int = 0
) -> list[Fills]:
    """Continue the prefix by the oracle length: greedily (the paper's baseline), by a draw, and by the best of R draws.

    The best has the highest log p(suffix | prefix, fill), which asks only whether the suffix follows, or the highest
    log p(fill, suffix | prefix), which scores the whole passage. The single draw is the first of the R.
    """
    names = (
        "prefix only, greedy",
        f"prefix only, temperature {temperature:g}",
        f"best of {candidates} by log p(suffix | prefix, fill)",
        f"best of {candidates} by log p(fill, suffix | prefix)",
    )
    fills: list[tuple[str, ...]] = []
    lengths = []
    for number, problem in enumerate(progress(problems, "infill")):
        request = as_request(problem, model, seed=seed + number)
        found = continue_prefix(request, model, candidates=candidates, temperature=temperature)
        fills.append((found.greedy, found.drawn[0], found.best_before_suffix, found.best_passage))
        lengths.append(len(gold(problem, model)))
    single, best = statistics.mean(lengths), candidates * (statistics.mean(lengths) + 1)
    columns = zip(names, zip(*fills, strict=True), (single, single, best, best), strict=True)
    return [_fills(name, texts, problems, nfe) for name, texts, nfe in columns]


def _fills(name: str, texts: Sequence[str], problems: Sequence[Problem], nfe: float) -> Fills:
    pairs = [(text, problem.middle) for text, problem in zip(texts, problems, strict=True)]
    scores = [metrics.rouge(text, middle) for text, middle in pairs]
    return Fills(
        name=name,
        exact=100 * statistics.mean(metrics.exact_match(text, middle) for text, middle in pairs),
        nfe=nfe,
        problems=len(problems),
        **metrics.mean_rouge(scores),
    )
