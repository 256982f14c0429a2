"""The figures of a row of texts, each with an interval over texts: n-grams, repetition, coherence, diversity."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.measure.bootstrap import Estimate, estimate_means, estimate_pooled
from app.trace import metrics
from models.denoiser import Floats, Ids, Vocabulary

MEASURES = {
    "entropy1": "entropy of single tokens, nats",
    "entropy2": "entropy of pairs, nats",
    "entropy3": "entropy of triples, nats",
    "distinct1": "distinct tokens of all tokens",
    "distinct2": "distinct pairs of all pairs",
    "repeated3": "triples that occurred before in the same text",
    "coherence": "cosine of adjacent sentences, in topic",
    "diversity": "1 - length of the mean text's topic vector, squared",
    "nats": "parent's nats a token",
}
"""The figures and what they are. Those of n-grams are comparable only between rows of equally many texts as long."""

_END = re.compile(r"[.?!]")
_WORD = re.compile(r"\w")


@dataclass(frozen=True, eq=False, kw_only=True)
class Figures:
    """The figures of one row; `draws` [resamples] of each are those of the resampled texts, for paired differences."""

    estimates: dict[str, Estimate]
    draws: dict[str, Floats]


def measure_texts(
    texts: Sequence[Sequence[int]], nats: Sequence[float], topics: Floats | None, vocabulary: Vocabulary, counts: Ids
) -> Figures:
    """Measure the texts [R] of a row; `counts` [resamples, R] of `bootstrap.draw_counts` is the same for all rows.

    Without topic vectors, coherence and diversity are NaN.
    """
    draws: dict[str, Floats] = {}
    values: dict[str, float] = {}
    for n in (1, 2, 3):
        values[f"entropy{n}"] = metrics.ngram_nats(texts, n) + 0.0  # never -0
        values[f"distinct{n}"] = metrics.distinct(texts, n)
        draws[f"entropy{n}"], draws[f"distinct{n}"] = _resampled_ngrams(texts, n, counts)
    units = np.array([unit(topics[list(text)].sum(0)) for text in texts]) if topics is not None else None
    values["diversity"] = diversity(units) if units is not None else np.nan
    draws["diversity"] = _resampled_diversity(units, counts)
    alone = {
        "repeated3": np.array([metrics.repetition([text], 3) for text in texts]),
        "coherence": np.array([coherence(text, topics, vocabulary) for text in texts]),
        "nats": np.array(nats),
    }
    found = {name: estimate_pooled(values[name], draws[name]) for name in MEASURES if name in values}
    for name, column in alone.items():
        (found[name],) = estimate_means(column[:, None], counts)
        draws[name] = _means(column, counts)
    return Figures(estimates={name: found[name] for name in MEASURES}, draws=draws)


def difference(one: Figures, other: Figures, name: str) -> Estimate:
    """Return a figure of one row less that of another, with a paired interval: both drew the same texts' numbers."""
    value = one.estimates[name].mean - other.estimates[name].mean
    return estimate_pooled(value, one.draws[name] - other.draws[name])


def coherence(text: Sequence[int], topics: Floats | None, vocabulary: Vocabulary) -> float:
    """Return the mean cosine of the topic vectors of adjacent sentences; NaN for a text of one sentence.

    arXiv:2605.12522, with other vectors
    """
    if topics is None:
        return np.nan
    vectors = [unit(topics[sentence].sum(0)) for sentence in split_sentences(text, vocabulary)]
    vectors = [vector for vector in vectors if vector.any()]
    cosines = [float(one @ other) for one, other in itertools.pairwise(vectors)]
    return float(np.mean(cosines)) if cosines else np.nan


def split_sentences(text: Sequence[int], vocabulary: Vocabulary) -> list[list[int]]:
    """Cut token ids after each token that holds a full stop, a question mark or an exclamation mark.

    The last sentence may be broken off. A stretch without a letter or a digit, such as a quotation mark, is left out.
    """
    names = [vocabulary.token_bytes(token).decode("utf-8", "replace") for token in text]
    ends = [at + 1 for at, name in enumerate(names) if _END.search(name)]
    stretches = itertools.pairwise([0, *ends, len(names)])
    return [list(text[a:b]) for a, b in stretches if _WORD.search("".join(names[a:b]))]


def unit(vector: Floats) -> Floats:
    """Return a vector scaled to length 1; a vector of zeros stays one."""
    length = np.linalg.norm(vector)
    return vector / length if length else vector


def diversity(units: Floats) -> float:
    """Return 1 - ||mean||^2 of unit vectors [R, d]: the sum of their coordinates' variances. arXiv:2605.12522"""
    return float(1 - (units.mean(0) ** 2).sum())


def repeated_places(text: Sequence[Any], n: int = 3) -> list[int]:
    """Return the places, from 0, of the tokens of all n-grams that occurred earlier in the same text."""
    seen: set[tuple[Any, ...]] = set()
    places: set[int] = set()
    for start in range(len(text) - n + 1):
        gram = tuple(text[start : start + n])
        if gram in seen:
            places.update(range(start, start + n))
        seen.add(gram)
    return sorted(places)


def _resampled_ngrams(texts: Sequence[Sequence[int]], n: int, counts: Ids) -> tuple[Floats, Floats]:
    """Return the pooled entropy and the share of distinct n-grams [resamples] of the resampled texts."""
    numbers: dict[tuple[int, ...], int] = {}
    table = [
        [numbers.setdefault(tuple(text[at : at + n]), len(numbers)) for at in range(len(text) - n + 1)]
        for text in texts
    ]
    held = np.zeros((len(texts), len(numbers)), dtype=np.float32)
    for row, grams in enumerate(table):
        np.add.at(held[row], grams, 1)
    entropies, shares = [], []
    for some in np.array_split(counts.astype(np.float32), max(1, len(counts) // 50)):
        pooled = some @ held
        totals = pooled.sum(1, keepdims=True)
        p = pooled / totals
        entropies.append(-(p * np.log(np.where(p > 0, p, 1))).sum(1))
        shares.append((pooled > 0).sum(1) / totals[:, 0])
    return np.concatenate(entropies).astype(float), np.concatenate(shares).astype(float)


def _resampled_diversity(units: Floats | None, counts: Ids) -> Floats:
    if units is None:
        return np.full(len(counts), np.nan)
    return 1 - ((counts @ units / len(units)) ** 2).sum(1)


@np.errstate(invalid="ignore")  # no text that has the figure was drawn
def _means(column: Floats, counts: Ids) -> Floats:
    there = ~np.isnan(column)
    return counts[:, there] @ column[there] / counts[:, there].sum(1)
