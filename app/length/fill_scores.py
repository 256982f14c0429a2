"""Scores of a fill: its probability under the denoiser itself or under an autoregressive model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.sampling.canvas import Canvas
from app.sampling.forwards import TAIL
from models.denoiser import Denoiser, Floats, Ids, Judge, Query
from models.mask_sets import antithetic, mask_counts

PAIRS = 4


def elbo(fills: Sequence[tuple[Canvas, Ids]], denoiser: Denoiser, *, pairs: int = PAIRS, seed: int = 0) -> Floats:
    """Return, in nats per token [k], a noisy lower bound of log p(fill | given text) / N for gaps [N >= 1] of canvases.

    log p(y | given) >= - E over n ~ uniform{1..N}, A ~ uniform subsets of size n, of
    (N / n) sum over i in A of -log p(y_i | all tokens outside A). Fixed counts have a lower variance than coin flips
    (LLaDA, arXiv:2502.09992); each of the `pairs` consists of two antithetic sets, see `models.mask_sets`. All sets of
    all fills are rows of one call of the denoiser, `2 * pairs` for each fill.
    """
    rng = np.random.default_rng(seed)
    queries, weights, owners = [], [], []
    for owner, (canvas, gap) in enumerate(fills):
        count = len(gap)
        sizes = mask_counts(pairs, count, rng)
        ranks = rng.permuted(np.tile(np.arange(count), (pairs, 1)), axis=1)
        for hidden in antithetic(ranks, sizes).reshape(2 * pairs, count):
            ids, positions = canvas.ids.copy(), gap[hidden]
            ids[positions] = canvas.mask_id
            queries.append(
                Query(ids=ids, positions=positions, uniforms=np.zeros(len(positions)), targets=canvas.ids[positions])
            )
            weights.append(1 / hidden.sum())  # (N / n), and divided by the N tokens
            owners.append(owner)
    values = [
        weight * _total(prediction.log_targets)
        for weight, prediction in zip(weights, denoiser.predict(queries), strict=True)
    ]
    return np.bincount(owners, values, minlength=len(fills)) / (2 * pairs)


def _total(log_targets: Floats | None) -> float:
    assert log_targets is not None, "the denoiser left the targets out"
    return float(log_targets.sum())


def by_parent(fills: Sequence[tuple[Canvas, Ids]], parent: Judge) -> Floats:
    """Return mean log p(fill, the first TAIL tokens of the suffix | prefix) of gaps of canvases, in nats per token [k].

    A fill that is cut short or padded makes the suffix improbable. The model must share the denoiser's tokenizer.
    """
    prefixes, rest = [], []
    for canvas, gap in fills:
        first, end = int(gap[0]), int(gap[-1]) + 1
        after = canvas.ids[end : end + TAIL]
        given = np.flatnonzero(canvas.masked[end : end + TAIL])  # the text ends at the next gap
        rest.append(np.r_[canvas.ids[gap], after[: given[0]] if len(given) else after])
        before = canvas.ids[:first][~canvas.masked[:first]]
        prefixes.append(before[-max(1, parent.context - len(rest[-1])) :])
    return np.array([found.mean() for found in parent.log_probabilities(prefixes, rest)])
