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
from app.measure.map.references import is_reference
from app.trace import metrics

Row = Mapping[str, Any]
"""A run's numbers, as `runs.run_problem` makes them."""
_MEANS = ("nfe", "calls", "nats_after", "rouge1", "rouge2", "exact", "risk", "tau")
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
    variety_front: bool  # on the Pareto front of nats and distinct bigrams, at any NFE
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
    by_problem: Mapping[int, Mapping[str, Mapping[int, Row]]],
    problems: Sequence[int],
    *,
    seeds: Sequence[int] = (0,),
    times: Mapping[int, Mapping[str, float]] | None = None,
) -> list[Summary]:
    """Summarise each configuration over `problems`; each has a row for every configuration, yardstick, and seed.

    A problem's number is its mean over the seeds. `times` are seconds of a run by problem and key.
    """
    runs = _Runs(chosen, [by_problem[problem] for problem in problems], seeds)
    failures = runs.failures()
    seconds, ratios = _timed(chosen, times or {})
    columns: dict[str, Sequence[Any]] = {
        "label": [one.label for one in chosen],
        "setting": [one.setting for one in chosen],
        **{
            name: [getattr(one, name) for one in chosen] for name in ("strategy", "budget", "preset", "knobs", "redraw")
        },
        "runs": [all_ - len(errors) for all_, errors in zip(runs.numbers(), failures, strict=True)],
        "failed": [len(errors) for errors in failures],
        "failure": [next(iter(errors), "") for errors in failures],
        **{name: runs.means(name).tolist() for name in _MEANS},
        **runs.compared("nats", "nats_", less=True),
        **runs.compared("rougeL", ""),
        **runs.variety(),
        "seconds": seconds,
        "time_ratio": ratios,
    }
    # Means over fewer problems are not comparable, and a row that no user can have is not an alternative.
    fair = [
        not errors and one.strategy != TRUTH and not is_reference(one.strategy)
        for one, errors in zip(chosen, failures, strict=True)
    ]
    # Round to tenths: equal budgets differ by hundredths of a pass in mean NFE, from rounding alone.
    cost = np.where(fair, runs.means("nfe").round(1), np.nan)
    nats = np.array([one.mean for one in columns["nats"]])
    columns |= {
        "front": pareto(cost, np.array([one.mean for one in columns["rougeL"]])).tolist(),
        "nats_front": pareto(cost, -nats).tolist(),
        "variety_front": pareto(
            np.where(fair, nats, np.nan), np.array([one.mean for one in columns["distinct"]])
        ).tolist(),
    }
    return [Summary(**{name: values[place] for name, values in columns.items()}) for place in range(len(chosen))]


class _Runs:
    """The rows of every configuration, by key: a list over problems of lists over seeds."""

    def __init__(
        self,
        chosen: Sequence[Configuration],
        rows: Sequence[Mapping[str, Mapping[int, Row]]],
        seeds: Sequence[int],
    ) -> None:
        self._chosen, self._problems = chosen, len(rows)
        plain = [one for one in chosen if one.strategy == YARDSTICK and not one.knobs and not one.redraw]
        self._curve = [one for one in yardstick(one.budget for one in plain if part_of(one.budget)) if one in plain]
        self._counts = draw_counts(len(rows))
        self._found = {
            one.key: [
                [mine[seed] for seed in ((0,) if one.strategy == TRUTH else seeds) if seed in mine]
                for mine in (row.get(one.key, {}) for row in rows)
            ]
            for one in chosen
        }

    def numbers(self) -> list[int]:
        """Return how many runs each configuration has, failed ones included."""
        return [sum(map(len, self._found[one.key])) for one in self._chosen]

    def failures(self) -> list[list[str]]:
        """Return the errors of each configuration's failed runs."""
        return [
            [error for runs in self._found[one.key] for run in runs if (error := run.get("failed"))]
            for one in self._chosen
        ]

    def means(self, name: str) -> Numbers:
        """Return the mean of a number for each configuration."""
        return mean(self._column(name, self._chosen))

    def _column(self, name: str, configurations: Sequence[Configuration]) -> Numbers:
        """Return a number [problems, configurations], NaN where there is none."""
        values = [
            [mean_of([run.get(name, np.nan) for run in runs]) for runs in self._found[one.key]]
            for one in configurations
        ]
        return np.array(values, dtype=np.float64).reshape(len(configurations), self._problems).T

    def compared(self, name: str, prefix: str, *, less: bool = False) -> dict[str, list[Any]]:
        """Return a measure, its differences to the yardstick at T = N and at equal NFE, and the verdict on the last."""
        own, curve = self._column(name, self._chosen), self._column(name, self._curve)
        equal = at_equal_cost(mean(self._column("nfe", self._curve)), curve, self.means("nfe"))
        level = estimate_means(own - equal, self._counts)
        return {
            name: estimate_means(own, self._counts),
            f"{prefix}to_best": estimate_means(own - curve[:, :1], self._counts),
            f"{prefix}to_equal": level,
            f"{prefix}verdict": [
                "" if one.strategy == TRUTH else verdict(difference, less=less)
                for one, difference in zip(self._chosen, level, strict=True)
            ],
        }

    def variety(self) -> dict[str, list[Any]]:
        """Return how varied the fills of each configuration are, together, each in itself, and between the seeds."""
        fills = [[_fills(runs) for runs in self._found[one.key]] for one in self._chosen]
        together = [[fill for few in mine for fill in few] for mine in fills]
        between = [[100 * metrics.distinct(few, 2) if len(few) > 1 else np.nan for few in mine] for mine in fills]
        return {
            "unigram": [metrics.ngram_nats(all_, 1) if all_ else np.nan for all_ in together],
            "bigram": [metrics.ngram_nats(all_, 2) if all_ else np.nan for all_ in together],
            "repeated": [100 * metrics.repetition(all_, 3) if all_ else np.nan for all_ in together],
            "distinct": estimate_means(np.array(between).reshape(len(fills), self._problems).T, self._counts),
        }


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
