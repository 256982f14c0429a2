"""Small canvases, snapshots and denoisers on which a strategy can be checked by hand."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from app.sampling import decode as loop
from app.sampling.canvas import Canvas
from app.sampling.forwards import Forwards, Guide
from app.sampling.step import NONE, Policy, Selection, Snapshot, Step
from app.strategies.registry import find
from models.denoiser import BeliefCache, Denoiser, Floats, Ids, Judge, Query, Sampling, Tokenizer
from models.networks.reduction import reduce
from models.prediction import TOP, Prediction
from models.toy import MarkovDenoiser, ToyTokenizer

COIN = ToyTokenizer("ab")


def blank(length: int, *, before: Sequence[int] = (0,), after: Sequence[int] = (1,), mask_id: int = 3) -> Canvas:
    """Return a span of `length` masks between given tokens."""
    ids = np.array([*before, *[mask_id] * length, *after], dtype=np.int64)
    span = np.zeros(len(ids), dtype=np.bool_)
    span[len(before) : len(before) + length] = True
    return Canvas(ids=ids, editable=span, masked=span.copy(), mask_id=mask_id)


def partly_written(length: int, *, before: Sequence[int], after: Sequence[int], mask_id: int) -> Canvas:
    """Return a span of `length` positions between given tokens: of four, one is locked and two may be taken back."""
    whole = blank(length, before=before, after=after, mask_id=mask_id)
    inside = np.arange(len(before), len(before) + length)
    locked, kept = inside[1::4], np.concatenate([inside[2::4], inside[3::4]])
    ids, editable = whole.ids.copy(), whole.editable.copy()
    ids[locked], editable[locked] = 7, False
    start = Canvas(ids=ids, editable=editable, masked=editable.copy(), mask_id=mask_id, gaps=whole.gaps)
    return start.inherit(kept, np.full(len(kept), 8), np.linspace(0, 1, len(kept)))


def belief(canvas: Canvas, **scores: Any) -> Prediction:
    """Return a prediction from scores by name, for the masked positions from left to right; others are 0.

    A drift is one number per position, or a row of numbers, the newest prediction's first.
    """
    drift = np.asarray(scores.pop("drift", np.empty((len(canvas.masks), 0))), dtype=float)
    drift = drift[:, None] if drift.ndim == 1 else drift
    arrays: dict[str, Any] = {
        name: np.zeros(len(canvas))
        for name in (
            "confidence",
            "entropy",
            "margin",
            "logit_margin",
            "drawn_confidence",
            "drawn_entropy",
            "drawn_margin",
        )
    }
    for name, values in scores.items():
        arrays[name][canvas.masks] = values
    arrays["drift"] = np.zeros((len(canvas), drift.shape[1]))
    arrays["drift"][canvas.masks] = drift
    tops = np.zeros((len(canvas), TOP), dtype=np.int64)
    return Prediction(
        candidates=np.ones(len(canvas), dtype=np.int64),
        top_tokens=tops,
        top_probs=np.full(tops.shape, 0.2),
        **arrays,
    )


def snapshot(*, steps: int = 64, taken: int = 0, length: int | None = None, seed: int = 0, **scores: Any) -> Snapshot:
    """Return what a strategy sees after `taken` steps; the span starts at position 1."""
    canvas = blank(length or len(next(iter(scores.values()))))
    prediction = belief(canvas, **scores)
    idle = Step(
        canvas=canvas,
        prediction=prediction,
        selection=Selection(commit=NONE),
        nfe=0,
        calls=0,
        seconds=0.0,
        model_seconds=0.0,
    )
    return Snapshot(
        start=canvas,
        canvas=canvas,
        prediction=prediction,
        steps=steps,
        history=(idle,) * taken,
        rng=np.random.default_rng(seed),
        forwards=Forwards(sticky()),
    )


def probing(now: Snapshot, denoiser: Denoiser) -> Snapshot:
    """Return the snapshot with probes that ask this denoiser, after one call per step so far."""
    forwards = Forwards(denoiser)
    forwards.rows = forwards.calls = now.step
    return replace(now, forwards=forwards)


def after(now: Snapshot, selection: Selection, **scores: Any) -> Snapshot:
    """Return what a strategy sees after a selection; the scores are for the positions masked then."""
    canvas = now.canvas.remask(selection.remask).commit(selection.commit, now.prediction.candidates[selection.commit])
    taken = Step(
        canvas=canvas,
        prediction=now.prediction,
        selection=selection,
        nfe=now.step,
        calls=now.step,
        seconds=0.0,
        model_seconds=0.0,
    )
    return replace(now, canvas=canvas, prediction=belief(canvas, **scores), history=(*now.history, taken))


def choose(name: str, now: Snapshot, **knobs: Any) -> Selection:
    """Return what a strategy selects; knobs may be outside their range here, to test limits."""
    return find(name).choose(now, **knobs)


class Judged:
    """A denoiser with a different judge."""

    def __init__(self, denoiser: Denoiser, judge: Judge | None) -> None:
        self._denoiser, self.judge = denoiser, judge

    def __getattr__(self, name: str) -> Any:
        return getattr(self._denoiser, name)


def decode(
    canvas: Canvas,
    denoiser: Any,
    policy: Policy | Callable[[Snapshot], Selection],
    *,
    steps: int,
    seed: int = 0,
    guidance: float = 0.0,
    guided_by: str = "suffix",
    cache: BeliefCache | None = None,
    judge: Judge | None = None,
    **sampling: Any,
) -> Iterator[Step]:
    """Run the loop with a function as policy, and with the fields of `Sampling` and `Guide` as arguments."""
    return loop.decode(
        canvas,
        denoiser if judge is None else Judged(denoiser, judge),  # pyright: ignore[reportArgumentType]
        policy if isinstance(policy, Policy) else Policy(name="test", choose=policy),
        steps=steps,
        seed=seed,
        sampling=Sampling(**sampling),
        guide=Guide(weight=guidance, side=guided_by) if guidance else None,
        cache=cache,
    )


def run(
    name: str,
    denoiser: Denoiser,
    canvas: Canvas,
    *,
    steps: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    banned: tuple[int, ...] = (2,),
    cache: BeliefCache | None = None,
    judge: Judge | None = None,
    **knobs: Any,
) -> list[Step]:
    """Return the steps of a whole run. Token 2, banned, is the coin's begin token. Knobs may be outside their range."""
    policy = replace(find(name).bind({}), choose=functools.partial(find(name).choose, **knobs))
    settings = {"temperature": temperature, "top_p": top_p, "banned": banned}
    return list(decode(canvas, denoiser, policy, steps=steps, seed=seed, cache=cache, judge=judge, **settings))


def counts(steps: Sequence[Step]) -> list[int]:
    return [len(step.selection.commit) for step in steps]


def orders(steps: Sequence[Step]) -> list[list[int]]:
    return [step.selection.commit.tolist() for step in steps]


def written(steps: Sequence[Step]) -> tuple[int, ...]:
    """Return the finished span."""
    canvas = steps[-1].canvas
    return tuple(canvas.ids[canvas.span].tolist())


@dataclass
class Indifferent:
    """Believes the same about every position and is fast: for statistics of the order."""

    name: str = "indifferent"
    context: int = 256
    tokenizer: Tokenizer = COIN

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        beliefs = []
        for query in queries:
            length = len(query.ids)
            half, tops = np.full(length, 0.5), np.zeros((length, TOP), dtype=np.int64)
            beliefs.append(
                Prediction(
                    candidates=np.zeros(length, dtype=np.int64),
                    confidence=half,
                    entropy=half,
                    margin=half,
                    logit_margin=half,
                    drawn_confidence=half,
                    drawn_entropy=half,
                    drawn_margin=half,
                    top_tokens=tops,
                    top_probs=np.full(tops.shape, 0.2),
                    drift=np.zeros((length, query.lookback)),
                    log_targets=None if query.targets is None else np.log(half),
                )
            )
        return beliefs


@dataclass
class Scripted:
    """Believes what a function returns: from ids and position, the probabilities of tokens 0, 1, … (at most six)."""

    beliefs: Callable[[list[int], int], Sequence[float]]
    name: str = "scripted"
    context: int = 256
    tokenizer: Tokenizer = COIN
    notices: tuple[str, ...] = ()
    judge: Judge | None = None
    remembers: bool = False  # as a network does: a state that is still in the cache needs no pass

    def __post_init__(self) -> None:
        self.asked: list[list[list[int]]] = []
        """The canvases of every batch."""

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        self.asked.append([query.ids.tolist() for query in queries])
        beliefs = []
        for query in queries:
            rows = torch.zeros(len(query.positions), 6, dtype=torch.float64)
            for row, place in zip(rows, query.positions, strict=True):
                probabilities = self.beliefs(query.ids.tolist(), int(place))
                row[: len(probabilities)] = torch.tensor(probabilities, dtype=torch.float64)
            fresh = list(query.rows)
            if self.remembers and query.cache is not None:
                fresh = [row for row in fresh if query.cache.get(row.state) is None]
                for row in fresh:
                    query.cache.put(row.state, True)
            beliefs.append(reduce(rows.log(), query, forwards=len(fresh)))
        return beliefs


@dataclass
class Counting:
    """Counts the batches and canvases that a denoiser is asked for, except those in the cache."""

    denoiser: Denoiser
    rows: int = 0
    calls: int = 0
    aside: int = 0  # rows that are not states of the run, but what guidance compares with

    def __post_init__(self) -> None:
        self.name, self.context, self.tokenizer = self.denoiser.name, self.denoiser.context, self.denoiser.tokenizer
        self.notices = self.denoiser.notices

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        rows = [row for query in queries for row in query.rows]
        fresh = [row for row in rows if row.cache is None or row.cache.get(row.state) is None]
        self.calls += bool(fresh)
        self.rows += len(fresh)
        self.aside += sum(row.aside for row in fresh)
        return self.denoiser.predict(queries)


@dataclass
class ChainJudge:
    """A Markov chain read from the left: each letter depends on the one before."""

    transition: Floats
    name: str = "chain"
    context: int = 256
    tokenizer: Tokenizer = COIN

    def log_probabilities(self, prefixes: Sequence[Ids], continuations: Sequence[Ids]) -> list[Floats]:
        return [
            np.log([self.transition[a, b] for a, b in itertools.pairwise([prefix[-1], *rest])])
            for prefix, rest in zip(prefixes, continuations, strict=True)
        ]


STICKY = np.array([[0.7, 0.3], [0.35, 0.65]])


def sticky() -> MarkovDenoiser:
    """Return a chain of two letters that tend to repeat: neighbours depend strongly on each other."""
    return MarkovDenoiser(COIN, STICKY)


class Quick(Indifferent):
    """The sticky chain without torch, at temperature 1: for statistics of what is written."""

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        beliefs = []
        for query, even in zip(queries, super().predict(queries), strict=True):
            zero = _chance_of_zero(tuple(query.ids.tolist()))
            uniforms = np.zeros(len(zero))
            uniforms[query.positions] = query.uniforms
            candidates = (uniforms >= zero).astype(np.int64)
            tokens, probs = np.full_like(even.top_tokens, -1), np.zeros_like(even.top_probs)
            tokens[:, 0], probs[:, 0] = zero < 0.5, np.maximum(zero, 1 - zero)
            tokens[:, 1], probs[:, 1] = zero >= 0.5, np.minimum(zero, 1 - zero)
            confidence = np.where(candidates == 0, zero, 1 - zero)
            beliefs.append(
                replace(even, candidates=candidates, confidence=confidence, top_tokens=tokens, top_probs=probs)
            )
        return beliefs


@functools.cache
def _chance_of_zero(ids: tuple[int, ...]) -> Floats:
    return sticky().marginals(np.array(ids))[:, 0]


def joint(transition: np.ndarray, canvas: Canvas) -> dict[tuple[int, ...], float]:
    """Return the exact probability of every filling of the span, by enumerating all of them."""
    states, length = len(transition), len(canvas.span)
    weights = {}
    for filling in itertools.product(range(states), repeat=length):
        ids: Ids = canvas.ids.copy()
        ids[canvas.span] = filling
        weights[filling] = float(np.prod([transition[a, b] for a, b in itertools.pairwise(ids)]))
    total = sum(weights.values())
    return {filling: weight / total for filling, weight in weights.items()}


def chi_square(samples: Sequence[tuple[int, ...]], expected: dict[tuple[int, ...], float]) -> float:
    """Return Pearson's statistic. Asserts that every expected count is at least 5, below which it is meaningless."""
    least = min(expected.values()) * len(samples)
    assert least >= 5, f"the rarest filling is expected {least:.1f} times: draw more"
    observed = dict.fromkeys(expected, 0)
    for sample in samples:
        observed[sample] += 1
    return sum((observed[f] - len(samples) * p) ** 2 / (len(samples) * p) for f, p in expected.items())


def two_sample_chi_square(first: Sequence[tuple[int, ...]], second: Sequence[tuple[int, ...]]) -> float:
    """Return the two-sample statistic for equally many samples of both."""
    assert len(first) == len(second)
    seen = set(first) | set(second)
    return sum((first.count(f) - second.count(f)) ** 2 / (first.count(f) + second.count(f)) for f in seen)


CHI_SQUARE_LIMIT = {7: 24.322, 15: 37.697}
"""From degrees of freedom to the 99.9th percentile of the chi-square distribution."""
