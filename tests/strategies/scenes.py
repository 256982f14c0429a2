"""Hand-made canvases, snapshots and denoisers on which a strategy's arithmetic can be done by hand."""

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
    """A span of `length` masks between given tokens."""
    ids = np.array([*before, *[mask_id] * length, *after], dtype=np.int64)
    span = np.zeros(len(ids), dtype=np.bool_)
    span[len(before) : len(before) + length] = True
    return Canvas(ids=ids, editable=span, masked=span.copy(), mask_id=mask_id)


def belief(canvas: Canvas, **scores: Any) -> Prediction:
    """Scores by name, given for the masked positions from left to right; those left out are 0.

    A drift is a number a position, or a row of numbers, the newest prediction's first.
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
    """What a strategy sees after `taken` steps; the span starts at position 1."""
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
        canvas=canvas,
        prediction=prediction,
        steps=steps,
        history=(idle,) * taken,
        rng=np.random.default_rng(seed),
        forwards=Forwards(sticky()),
    )


def probing(now: Snapshot, denoiser: Denoiser) -> Snapshot:
    """The same, whose probes ask this denoiser, as a budget stands in which every step took one call."""
    forwards = Forwards(denoiser)
    forwards.rows = forwards.calls = now.step
    return replace(now, forwards=forwards)


def after(now: Snapshot, selection: Selection, **scores: Any) -> Snapshot:
    """What a strategy sees next if that is decided; the scores are for the positions that are masked then."""
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
    """What a strategy decides; knobs may lie outside their range here, for the limits."""
    return find(name).choose(now, **knobs)


class Judged:
    """A denoiser with another judge."""

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
    """The loop, with a function for a policy, the fields of a `Sampling`, and the judge spelled out."""
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
    """A whole run; the token banned is the toy coin's begin token. Knobs may lie outside their range."""
    policy = replace(find(name).bind({}), choose=functools.partial(find(name).choose, **knobs))
    settings = {"temperature": temperature, "top_p": top_p, "banned": banned}
    return list(decode(canvas, denoiser, policy, steps=steps, seed=seed, cache=cache, judge=judge, **settings))


def counts(steps: Sequence[Step]) -> list[int]:
    return [len(step.selection.commit) for step in steps]


def orders(steps: Sequence[Step]) -> list[list[int]]:
    return [step.selection.commit.tolist() for step in steps]


def written(steps: Sequence[Step]) -> tuple[int, ...]:
    """The finished span."""
    canvas = steps[-1].canvas
    return tuple(canvas.ids[canvas.span].tolist())


@dataclass
class Indifferent:
    """Believes the same of every position, at no cost: for statistics of the order."""

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
class Told:
    """Believes what it is told: of each canvas, the probabilities of tokens 0, 1, … (six at most) at each position."""

    beliefs: Callable[[list[int], int], Sequence[float]]
    name: str = "told"
    context: int = 256
    tokenizer: Tokenizer = COIN
    notices: tuple[str, ...] = ()
    judge: Judge | None = None

    def __post_init__(self) -> None:
        self.asked: list[list[list[int]]] = []
        """The canvases of every batch."""

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        self.asked.append([query.ids.tolist() for query in queries])
        beliefs = []
        for query in queries:
            rows = torch.zeros(len(query.positions), 6, dtype=torch.float64)
            for row, place in zip(rows, query.positions, strict=True):
                told = self.beliefs(query.ids.tolist(), int(place))
                row[: len(told)] = torch.tensor(told, dtype=torch.float64)
            beliefs.append(reduce(rows.log(), query, forwards=len(query.rows)))
        return beliefs


@dataclass
class Counting:
    """A denoiser whose batches and the canvases in them are counted, those left out that the cache holds."""

    denoiser: Denoiser
    rows: int = 0
    calls: int = 0
    aside: int = 0  # of the rows: what canvases were held against

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
    """A Markov chain read from the left: its letters depend on the one before."""

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
    """Two letters that like to stay as they are: neighbours depend strongly on each other."""
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
    """The exact probability of every filling of the span, by summing up all of them."""
    states, length = len(transition), len(canvas.span)
    weights = {}
    for filling in itertools.product(range(states), repeat=length):
        ids: Ids = canvas.ids.copy()
        ids[canvas.span] = filling
        weights[filling] = float(np.prod([transition[a, b] for a, b in itertools.pairwise(ids)]))
    total = sum(weights.values())
    return {filling: weight / total for filling, weight in weights.items()}


def chi_square(samples: Sequence[tuple[int, ...]], expected: dict[tuple[int, ...], float]) -> float:
    """Pearson's statistic; every filling's expected count must be large enough for it to mean something."""
    least = min(expected.values()) * len(samples)
    assert least >= 5, f"the rarest filling is expected {least:.1f} times: draw more"
    observed = dict.fromkeys(expected, 0)
    for sample in samples:
        observed[sample] += 1
    return sum((observed[f] - len(samples) * p) ** 2 / (len(samples) * p) for f, p in expected.items())


def two_sample_chi_square(first: Sequence[tuple[int, ...]], second: Sequence[tuple[int, ...]]) -> float:
    """For equally many samples of both."""
    assert len(first) == len(second)
    seen = set(first) | set(second)
    return sum((first.count(f) - second.count(f)) ** 2 / (first.count(f) + second.count(f)) for f in seen)


CHI_SQUARE_LIMIT = {7: 24.322, 15: 37.697}
"""Degrees of freedom to the value that chance passes once in a thousand times."""
