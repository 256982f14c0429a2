"""Summarise rows: means with bootstrap intervals, differences to the yardstick, the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.measure.bootstrap import Estimate, Numbers, draw_counts, estimate_means
from app.measure.map.configurations import CURVE, Configuration, yardstick

VERDICTS = ("better", "no worse than noise", "worse")
"""Against the yardstick at equal NFE: the interval of the difference is above 0, contains 0, or is below 0."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One configuration; numbers are means over the problems it ran on, NaN if it ran on none."""

    label: str
    strategy: str
    setting: str  # preset, budget, or both
    budget: str
    preset: str
    knobs: Mapping[str, Any]
    runs: int
    failed: int
    failure: str  # error of the first failed run
    nfe: float
    calls: float  # batched forward passes, each of one row or more
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

    def flat(self) -> dict[str, Any]:
        """Return the fields as a flat dictionary, for CSV and JSON."""
        row = asdict(self)
        for name in ("rougeL", "to_best", "to_equal"):
            estimate = row.pop(name)
            row |= {name: estimate["mean"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
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
    chosen: Sequence[Configuration], by_problem: Mapping[int, Mapping[str, Mapping[str, Any]]], problems: Sequence[int]
) -> list[Summary]:
    """Summarise each configuration over `problems`; each has a row for every configuration and for the yardstick."""
    rows = [by_problem[problem] for problem in problems]

    def column(name: str, configurations: Sequence[Configuration]) -> Numbers:
        return np.array([[row[one.key].get(name, np.nan) for one in configurations] for row in rows], dtype=np.float64)

    curve = yardstick()
    counts = draw_counts(len(rows))
    quality, cost = column("rougeL", chosen), mean(column("nfe", chosen))
    curve_quality = column("rougeL", curve)
    equal = at_equal_cost(mean(column("nfe", curve)), curve_quality, cost)
    means = {name: mean(column(name, chosen)) for name in ("calls", "rouge1", "rouge2", "exact", "risk", "tau")}
    own = estimate_means(quality, counts)
    best = estimate_means(quality - curve_quality[:, [CURVE.index("N")]], counts)
    level = estimate_means(quality - equal, counts)
    failures = [[error for row in rows if (error := row[one.key].get("failed"))] for one in chosen]
    whole = np.array([not errors for errors in failures])  # means over fewer problems are not comparable
    # Round to tenths: equal budgets differ by hundredths of a pass in mean NFE, from rounding alone.
    front = pareto(np.where(whole, cost.round(1), np.nan), mean(quality))
    return [
        Summary(
            label=one.label,
            strategy=one.strategy,
            setting=one.setting,
            budget=one.budget,
            preset=one.preset,
            knobs=one.knobs,
            runs=len(rows) - len(failures[place]),
            failed=len(failures[place]),
            failure=next(iter(failures[place]), ""),
            nfe=float(cost[place]),
            rougeL=own[place],
            to_best=best[place],
            to_equal=level[place],
            verdict=verdict(level[place]),
            front=bool(front[place]),
            **{name: float(values[place]) for name, values in means.items()},
        )
        for place, one in enumerate(chosen)
    ]


def verdict(difference: Estimate) -> str:
    """Return one of VERDICTS; empty if there is no interval."""
    if np.isnan(difference.low):
        return ""
    return VERDICTS[0] if difference.low > 0 else VERDICTS[2] if difference.high < 0 else VERDICTS[1]


def mean(values: Numbers) -> Numbers:
    """Return the mean of each column of values [problems, n] without NaN; NaN if nothing is left."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0.0).sum(0) / there.sum(0)
