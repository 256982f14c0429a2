"""Summarise rows: means with bootstrap intervals, differences to the yardstick, the Pareto front."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.measure.bootstrap import Estimate, Numbers, draw_counts, estimate_means
from app.measure.map.configurations import TRUTH, YARDSTICK, Configuration, part_of, yardstick
from app.measure.map.references import BEST, ORACLE
from app.trace import metrics

VERDICTS = ("better", "no worse than noise", "worse")
"""Against the yardstick at equal NFE: the interval of the difference is on the good side of 0, contains 0, or is on
the bad side."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One configuration; numbers are means over the problems it ran on, NaN if it ran on none."""

    label: str
    strategy: str
    setting: str  # preset, budget, or both
    budget: str
    preset: str
    knobs: Mapping[str, Any]
    redraw: bool
    runs: int
    failed: int
    failure: str  # error of the first failed run
    nfe: float
    calls: float  # batched forward passes, each of one row or more
    nats: Estimate  # the parent's -log p of a token of the fill, see `likelihood.Nats`; NaN without a parent
    nats_after: float  # the same of the next tokens
    nats_to_best: Estimate  # less the yardstick's at T = N, on the same problems
    nats_to_equal: Estimate  # less the yardstick's at this NFE, interpolated on its curve
    nats_verdict: str  # one of VERDICTS; empty without an interval
    nats_front: bool  # on the Pareto front of nats and NFE
    unigram: float  # nats, entropy of the tokens of all fills together
    bigram: float  # nats
    repeated: float  # percent of the 3-grams that occurred before in the same fill
    distinct: Estimate  # percent of the bigrams in one problem's fills that differ; NaN with one seed
    variety_front: bool  # on the Pareto front of nats and distinct bigrams, whatever the NFE
    rouge1: float
    rouge2: float
    rougeL: Estimate  # noqa: N815 - the measure's own name
    exact: float  # percent
    risk: float  # nats, see `metrics.independence_risk`
    tau: float
    to_best: Estimate  # ROUGE-L less the yardstick's at T = N, on the same problems
    to_equal: Estimate  # ROUGE-L less the yardstick's at this NFE, interpolated on its curve
    verdict: str  # one of VERDICTS; empty without an interval
    front: bool  # on the Pareto front of ROUGE-L and NFE, the NFE rounded to tenths
    seconds: float  # of a run, median over the problems that were timed; NaN if none was
    time_ratio: float  # seconds over the yardstick's at T = N on the same problem, median

    def flat(self) -> dict[str, Any]:
        """Return the fields as a flat dictionary, for CSV and JSON."""
        row: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Estimate):
                row |= {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
            else:
                row[name] = value
        return row | {"knobs": " ".join(f"{name}={value}" for name, value in self.knobs.items())}


def pareto(costs: Numbers, values: Numbers) -> NDArray[np.bool_]:
    """Return which of n points are on the Pareto front [n]: no other point is as good in both and better in one.

    A point with NaN is not on the front and beats no other.
    """
    cheap, good = costs[None, :] <= costs[:, None], values[None, :] >= values[:, None]
    strictly = (costs[None, :] < costs[:, None]) | (values[None, :] > values[:, None])
    return ~(cheap & good & strictly).any(1) & ~np.isnan(costs) & ~np.isnan(values)


def at_equal_cost(costs: Numbers, curve: Numbers, wanted: Numbers) -> Numbers:
    """Interpolate each problem's curve [problems, m] over falling costs [m]; return values [problems, n] at wanted [n].

    Beyond its ends the curve is flat: the yardstick can use neither more passes than at T = N nor fewer than one.
    """
    rising, values = costs[::-1], curve[:, ::-1]
    place = np.interp(wanted, rising, np.arange(len(rising)))
    left = np.floor(np.nan_to_num(place)).astype(int)
    right, part = np.minimum(left + 1, len(rising) - 1), place - left
    return values[:, left] * (1 - part) + values[:, right] * part


def summarise(
    chosen: Sequence[Configuration],
    by_problem: Mapping[int, Mapping[str, Mapping[int, Mapping[str, Any]]]],
    problems: Sequence[int],
    *,
    seeds: Sequence[int] = (0,),
    times: Mapping[int, Mapping[str, float]] | None = None,
) -> list[Summary]:
    """Summarise each configuration over `problems`; each has a row for every configuration, yardstick, and seed.

    A problem's number is its mean over the seeds. `times` are seconds of a run by problem and key.
    """
    rows = [by_problem[problem] for problem in problems]
    curve = [one for one in chosen if one.strategy == YARDSTICK and not one.knobs and not one.redraw]
    curve = [one for one in yardstick(one.budget for one in curve if part_of(one.budget)) if one in curve]

    def runs_of(one: Configuration) -> list[list[Mapping[str, Any]]]:
        return [
            [mine[seed] for seed in ((0,) if one.strategy == TRUTH else seeds) if seed in mine]
            for mine in (row.get(one.key, {}) for row in rows)
        ]

    found = {one.key: runs_of(one) for one in chosen}

    def column(name: str, configurations: Sequence[Configuration]) -> Numbers:
        values = [
            [mean_of([run.get(name, np.nan) for run in runs]) for runs in found[one.key]] for one in configurations
        ]
        return np.array(values, dtype=np.float64).reshape(len(configurations), len(rows)).T

    counts = draw_counts(len(rows))
    cost, curve_cost = mean(column("nfe", chosen)), mean(column("nfe", curve))

    def compared(name: str) -> tuple[list[Estimate], list[Estimate], list[Estimate]]:
        """Return estimates of a measure, of its difference to the yardstick at T = N, and at equal NFE."""
        own, of_curve = column(name, chosen), column(name, curve)
        equal = at_equal_cost(curve_cost, of_curve, cost)
        each = (own, own - of_curve[:, :1], own - equal)
        own, best, level = (estimate_means(values, counts) for values in each)
        return own, best, level

    rouge, nats = compared("rougeL"), compared("nats")
    means = {
        name: mean(column(name, chosen)) for name in ("calls", "nats_after", "rouge1", "rouge2", "exact", "risk", "tau")
    }
    distinct = np.array(
        [
            [100 * metrics.distinct(fills, 2) if len(fills := _fills(runs)) > 1 else np.nan for runs in found[one.key]]
            for one in chosen
        ]
    ).reshape(len(chosen), len(rows))
    varied = estimate_means(distinct.T, counts)
    failures = [[error for runs in found[one.key] for run in runs if (error := run.get("failed"))] for one in chosen]
    whole = np.array([not errors for errors in failures])  # means over fewer problems are not comparable
    # Round to tenths: equal budgets differ by hundredths of a pass in mean NFE, from rounding alone.
    cheap = np.where(whole & ~np.array([_is_reference(one) for one in chosen]), cost.round(1), np.nan)
    front = pareto(cheap, np.array([one.mean for one in rouge[0]]))
    likely = pareto(cheap, -np.array([one.mean for one in nats[0]]))
    varied_front = pareto(
        np.where(np.isnan(cheap), np.nan, [one.mean for one in nats[0]]), np.array([one.mean for one in varied])
    )
    seconds, ratios = _timed(chosen, times or {})
    written = [[fill for runs in found[one.key] for fill in _fills(runs)] for one in chosen]
    return [
        Summary(
            label=one.label,
            strategy=one.strategy,
            setting=one.setting,
            budget=one.budget,
            preset=one.preset,
            knobs=one.knobs,
            redraw=one.redraw,
            runs=sum(map(len, found[one.key])) - len(failures[place]),
            failed=len(failures[place]),
            failure=next(iter(failures[place]), ""),
            nfe=float(cost[place]),
            nats=nats[0][place],
            nats_to_best=nats[1][place],
            nats_to_equal=nats[2][place],
            nats_verdict="" if one.strategy == TRUTH else verdict(nats[2][place], less=True),
            nats_front=bool(likely[place]),
            unigram=metrics.ngram_nats(written[place], 1) if written[place] else np.nan,
            bigram=metrics.ngram_nats(written[place], 2) if written[place] else np.nan,
            repeated=100 * metrics.repetition(written[place], 3) if written[place] else np.nan,
            distinct=varied[place],
            variety_front=bool(varied_front[place]),
            rougeL=rouge[0][place],
            to_best=rouge[1][place],
            to_equal=rouge[2][place],
            verdict="" if one.strategy == TRUTH else verdict(rouge[2][place]),
            front=bool(front[place]),
            seconds=seconds[place],
            time_ratio=ratios[place],
            **{name: float(values[place]) for name, values in means.items()},
        )
        for place, one in enumerate(chosen)
    ]


def _is_reference(one: Configuration) -> bool:
    return one.strategy in (TRUTH, ORACLE, *BEST)


def _fills(runs: Sequence[Mapping[str, Any]]) -> list[Sequence[int]]:
    return [run["fill"] for run in runs if "fill" in run]


def _timed(
    chosen: Sequence[Configuration], times: Mapping[int, Mapping[str, float]]
) -> tuple[list[float], list[float]]:
    """Return the median seconds of each configuration, and the median ratio to the yardstick at T = N."""
    best = yardstick()[0].key

    def median(values: list[float]) -> float:
        return statistics.median(values) if values else np.nan

    seconds = [median([mine[one.key] for mine in times.values() if one.key in mine]) for one in chosen]
    ratios = [
        median([mine[one.key] / mine[best] for mine in times.values() if one.key in mine and best in mine])
        for one in chosen
    ]
    return seconds, ratios


def verdict(difference: Estimate, *, less: bool = False) -> str:
    """Return one of VERDICTS; empty if there is no interval. `less` says that a smaller number is better."""
    if np.isnan(difference.low):
        return ""
    above, below = (VERDICTS[2], VERDICTS[0]) if less else (VERDICTS[0], VERDICTS[2])
    return above if difference.low > 0 else below if difference.high < 0 else VERDICTS[1]


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of values without NaN; NaN if nothing is left."""
    there = [value for value in values if not np.isnan(value)]
    return sum(there) / len(there) if there else np.nan


def mean(values: Numbers) -> Numbers:
    """Return the mean of each column of values [problems, n] without NaN; NaN if nothing is left."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0.0).sum(0) / there.sum(0)
