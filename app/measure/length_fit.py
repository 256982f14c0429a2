"""Fit a `LengthPrior` to a checkpoint on holes in text: minutes on one core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from app.errors import InfillError
from app.length.prior import UNFITTED, LengthPrior
from app.length.probe import LONGEST, outcome, probe
from app.length.sentences import Surroundings, boundaries, surroundings, texts, typical
from app.sampling.canvas import Canvas
from models.denoiser import Denoiser, Floats, Ids

GRID = (1, 2, 4, 6, 8, 11, 14, 18, 24, 32)
"""Lengths at which a hole is probed, besides its true length."""
HOLES = 200
_SIDE = 64
"""Tokens of text on either side of a hole."""
_NEAR = 4
"""Lengths this near to the true one are not used to fit the bias of wrong ones (CAL, arXiv:2602.00476)."""
_STANDARD_ERRORS = 2
_RECORDS = 3000


@dataclass(frozen=True, eq=False, kw_only=True)
class Hole:
    """The tokens before and after a hole, and the number of tokens taken out."""

    before: Ids
    after: Ids
    length: int
    mask_id: int

    def canvas(self, length: int) -> Canvas:
        """Return the canvas with `length` masks in the hole."""
        ids = np.r_[self.before, np.full(length, self.mask_id), self.after]
        span = np.isin(np.arange(len(ids)), len(self.before) + np.arange(length))
        return Canvas(ids=ids, editable=span, masked=span.copy(), mask_id=self.mask_id)


def fit(
    records: Sequence[str],
    denoiser: Denoiser,
    *,
    holes: int = HOLES,
    seed: int = 0,
    progress: Callable[[Sequence[Hole]], Iterable[Hole]] = iter,
) -> LengthPrior:
    """Fit the prior on `holes` holes, half of them whole sentences and half random stretches of text.

    `progress` wraps the holes, for example to count them. Raises InfillError if the text has too few sentences.
    """
    rng = np.random.default_rng(seed)
    order: list[int] = rng.permutation(len(records))[:_RECORDS].tolist()
    some = [records[place] for place in order]
    tokens = [np.array(denoiser.tokenizer.encode(record.replace("\n", " "), opening=True)) for record in some]
    tokens = [ids for ids in tokens if len(ids) > 8]
    missing = [hole for ids in tokens if (hole := _sentence(ids, denoiser, rng)) is not None]
    if len(missing) < 50 or not tokens:
        raise InfillError(
            f"the text has {len(missing)} records with a sentence between others, and 50 are needed; give more text, "
            "each record ended by a line <|endoftext|>"
        )
    around = [_around(hole, denoiser) for hole in missing]
    spread = _sentence_lengths([hole.length for hole in missing], around)
    parts = [_stretch(tokens[number % len(tokens)], denoiser, rng) for number in range(holes // 2)]
    probed = [*missing[: holes - holes // 2], *parts]
    return _with_evidence(spread, probed, denoiser, progress)


def _sentence(ids: Ids, denoiser: Denoiser, rng: np.random.Generator) -> Hole | None:
    """Take out one sentence that has others before and after it; None if there is no such sentence."""
    ends = boundaries(texts(ids, denoiser.tokenizer))
    pairs = [pair for pair in pairwise(ends[:-1]) if 3 <= pair[1] - pair[0] <= LONGEST]
    return _hole(ids, *pairs[rng.integers(len(pairs))], denoiser) if pairs else None


def _stretch(ids: Ids, denoiser: Denoiser, rng: np.random.Generator) -> Hole:
    length = int(rng.integers(1, min(LONGEST, len(ids) // 2) + 1))
    start = int(rng.integers(1, len(ids) - length))
    return _hole(ids, start, start + length, denoiser)


def _hole(ids: Ids, start: int, stop: int, denoiser: Denoiser) -> Hole:
    side = min(_SIDE, (denoiser.context - LONGEST) // 2)
    before = ids[max(0, start - side) : start] if start else np.array(denoiser.tokenizer.begin)
    return Hole(before=before, after=ids[stop : stop + side], length=stop - start, mask_id=denoiser.tokenizer.mask_id)


def _around(hole: Hole, denoiser: Denoiser) -> Surroundings:
    canvas = hole.canvas(1)
    return surroundings(canvas, canvas.masks, denoiser.tokenizer)


def _sentence_lengths(lengths: Sequence[int], around: Sequence[Surroundings]) -> LengthPrior:
    """Fit the log length of a sentence to the typical one of the sentences around it, by least squares."""
    logs = np.log(lengths)
    centre = float(logs.mean())
    x = np.array([typical(found.lengths, centre) for found in around])
    slope, intercept = np.polyfit(x, logs, 1)
    return LengthPrior(
        **{
            **vars(UNFITTED),
            "centre": centre,
            "slope": float(slope),
            "intercept": float(intercept),
            "spread": float(np.std(logs - intercept - slope * x)),
        }
    )


def _with_evidence(
    spread: LengthPrior,
    holes: Sequence[Hole],
    denoiser: Denoiser,
    progress: Callable[[Sequence[Hole]], Iterable[Hole]],
) -> LengthPrior:
    every = np.arange(1, LONGEST + 1)
    curves, around = [], []
    for hole in progress(holes):
        asked = np.array(sorted({*GRID, hole.length}))
        look = outcome(probe(hole.canvas, denoiser, asked))
        curves.append([np.interp(every, asked, look.phi), np.interp(every, asked, look.seam)])
        around.append(_around(hole, denoiser))
    values = np.array(curves)  # [holes, 2, LONGEST]
    true = np.array([hole.length for hole in holes])
    wrong = np.abs(every[None] - true[:, None]) > _NEAR
    counts = wrong.sum(0)
    phi, seam = (np.where(wrong[:, None], values, 0.0).sum(0) / np.maximum(counts, 1)).astype(float)
    bias = np.stack([falling(phi, np.sqrt(counts)), seam])
    evidence = (values - bias).transpose(0, 2, 1)
    weights = []
    for whole in (True, False):
        kind = np.array([found.whole == whole for found in around])
        prior = [spread.prior(every, found) for found in around if found.whole == whole]
        weights.append(_weights(evidence[kind], np.array(prior).reshape(-1, LONGEST), true[kind]))
    return LengthPrior(
        **{
            **vars(spread),
            "model": denoiser.name,
            "holes": len(holes),
            "lengths": tuple(every.tolist()),
            "phi_bias": tuple(bias[0].tolist()),
            "seam_bias": tuple(bias[1].tolist()),
            "whole": weights[0],
            "part": weights[1],
        }
    )


def falling(values: Floats, weights: Floats) -> Floats:
    """Return the falling sequence [k] nearest to values [k] in weighted squares, by pooling adjacent violators.

    It fits at least as well as any falling curve, CAL's double exponential included, and needs no starting values.
    """
    blocks: list[tuple[float, float, int]] = []  # mean, weight, number of values
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        block = (value, max(weight, 1e-9), 1)
        while blocks and blocks[-1][0] < block[0]:
            mean, heavy, count = blocks.pop()
            total = heavy + block[1]
            block = ((mean * heavy + block[0] * block[1]) / total, total, count + block[2])
        blocks.append(block)
    return np.concatenate([np.full(count, mean) for mean, _, count in blocks])


def _weights(evidence: Floats, prior: Floats, true: Ids, *, ridge: float = 1.0) -> tuple[float, float]:
    """Fit the weights of evidence [m, k, 2] that make the true lengths [m] likeliest: a conditional logit, by Newton.

    Weights less than two standard errors above 0 (Wald) are removed, the least significant first: a weight fitted to
    noise does harm on other text, and a negative one would mean that more confidence is worse.
    """
    found = np.zeros(evidence.shape[2])
    if not len(true):
        return 0.0, 0.0
    scale = np.maximum(evidence.std((0, 1)), 1e-9)
    active = np.arange(len(found))
    while len(active):
        x, w, curvature = evidence[..., active] / scale[active], np.zeros(len(active)), np.eye(len(active))
        at = x[np.arange(len(true)), true - 1]
        for _ in range(20):
            scores = x @ w + prior
            p = np.exp(scores - scores.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            mean = np.einsum("mk,mki->mi", p, x)
            slope = (mean - at).sum(0) + ridge * w
            curvature = np.einsum("mk,mki,mkj->ij", p, x, x) - mean.T @ mean + ridge * np.eye(len(w))
            w = w - np.linalg.solve(curvature, slope)
        stands_out = w / np.sqrt(np.diag(np.linalg.inv(curvature)))
        if (stands_out >= _STANDARD_ERRORS).all():
            found[active] = w / scale[active]
            break
        active = np.delete(active, stands_out.argmin())
    return float(found[0]), float(found[1])
