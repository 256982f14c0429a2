"""Scores of traces and texts."""

from __future__ import annotations

import functools
import math
import re
import statistics
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from app.trace.trace import Trace

ROUGE = ("rouge1", "rouge2", "rougeL")


@functools.cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # takes half a second to import

    return RougeScorer(ROUGE, use_stemmer=False)


def has_rouge(gold: str) -> bool:
    """Check whether ROUGE can be measured against a text: rouge-score sees only the letters a to z and digits."""
    return re.search("[a-z0-9]", gold.lower()) is not None


def rouge(fill: str, gold: str) -> dict[str, float]:
    """Return the F-measures of ROUGE-1, -2 and -L in percent, as in DiffuLLaMA (arXiv:2410.17891, table 1).

    They are NaN if `gold` has nothing that ROUGE can see, for example in a text in Chinese.
    """
    if not has_rouge(gold):
        return dict.fromkeys(ROUGE, math.nan)
    return {name: 100 * score.fmeasure for name, score in _scorer().score(gold, fill).items()}


def mean_rouge(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the means over those scores of `rouge` that could be measured; NaN if none could."""
    seen = [score for score in scores if not math.isnan(score["rougeL"])]
    return {name: statistics.mean(score[name] for score in seen) if seen else math.nan for name in ROUGE}


def exact_match(fill: str, gold: str) -> bool:
    """Check whether two texts are the same except for white space."""
    return fill.split() == gold.split()


def ngram_entropy(sequences: Iterable[Sequence[Hashable]], n: int) -> float:
    """Return the entropy of all n-grams divided by the log of their number: 1 if none recurs, 0 if all are the same.

    Compare it only between sets of equal size. It is 1 for fewer than two n-grams.
    """
    counts = _ngrams(sequences, n)
    total = counts.total()
    return _entropy(counts) / math.log(total) if total > 1 else 1.0


def ngram_nats(sequences: Iterable[Sequence[Hashable]], n: int) -> float:
    """Return the entropy of all n-grams of all sequences together in nats, not corrected for their number.

    Compare it only between sets of equal size. It is 0 without n-grams.

    After arXiv:2605.12522
    """
    return _entropy(_ngrams(sequences, n))


def _entropy(counts: Counter[tuple[Hashable, ...]]) -> float:
    total = counts.total()
    return -sum(count / total * math.log(count / total) for count in counts.values()) if total else 0.0


def distinct(sequences: Iterable[Sequence[Hashable]], n: int) -> float:
    """Return distinct-n (Li et al., 2016, arXiv:1510.03055): the number of different n-grams over that of all n-grams.

    Compare it only between sets of equal size. It is 1 without n-grams.
    """
    grams = _ngrams(sequences, n)
    return len(grams) / grams.total() if grams else 1.0


def repetition(sequences: Sequence[Sequence[Hashable]], n: int) -> float:
    """Return the share of n-grams that occurred earlier in the same sequence, averaged over sequences."""
    return sum(1 - distinct([sequence], n) for sequence in sequences) / len(sequences)


def _ngrams(sequences: Iterable[Sequence[Hashable]], n: int) -> Counter[tuple[Hashable, ...]]:
    return Counter(tuple(s[i : i + n]) for s in sequences for i in range(len(s) - n + 1))


def independence_risk(trace: Trace) -> float:
    """Return the nats risked by committing the tokens of a step as if independent: sum over steps of (sum H - max H).

    It bounds the divergence from decoding one token per step (Ben-Hamu et al., 2025, arXiv:2505.24857).
    """
    return float(sum(step_risks(trace)))


def step_risks(trace: Trace) -> list[float]:
    """Return the nats risked in each step that commits something; see `independence_risk`."""
    committed = (step.prediction.entropy[step.selection.commit] for step in trace.steps)
    return [h.sum() - h.max() for h in committed if len(h)]


def left_to_right(trace: Trace) -> float:
    """Return Kendall's tau-b of unmasking order and reading order: 1 left to right, -1 right to left, 0 neither."""
    order = trace.order[trace.order > 0]
    signs = np.sign(order[None, :] - order[:, None])[np.triu_indices(len(order), k=1)]
    untied = int(np.count_nonzero(signs))
    return float(signs.sum() / math.sqrt(untied * len(signs))) if untied else 0.0
