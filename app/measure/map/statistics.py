"""What the rows say: means with bootstrap intervals, differences to the yardstick, the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.measure.bootstrap import Estimate, Numbers, estimates, resampled
from app.measure.map.configurations import CURVE, Configuration, yardstick

VERDICTS = ("better", "no worse than noise", "worse")
"""Than the yardstick at equal NFE: the interval of the difference lies above 0, holds it, or lies below."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One configuration; numbers are means over the problems that it could run, NaN where it could run none."""

    label: str
    strategy: str
    setting: str  # preset, budget, or both
    budget: str
    preset: str
    knobs: Mapping[str, Any]
    runs: int
    failed: int
    failure: str  # what the first failed run said
    nfe: float
    calls: float  # batched forward passes, each of one row or more
    rouge1: float
    rouge2: float
    rougeL: Estimate  # noqa: N815 - the measure's own name
    exact: float  # percent
    risk: float  # nats, see `metrics.independence_risk`
    tau: float
    to_best: Estimate  # ROUGE-L less the yardstick's at T = N, on the same problems
    to_equal: Estimate  # less the yardstick's at this NFE, read off its curve
    verdict: str  # one of VERDICTS; empty without runs
    front: bool  # nothing else has at least its ROUGE-L for no more NFE, rounded to tenths

    def flat(self) -> dict[str, Any]:
        """For a line of a CSV file."""
        row = asdict(self)
        for name in ("rougeL", "to_best", "to_equal"):
            estimate = row.pop(name)
            row |= {name: estimate["mean"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
        return row | {"knobs": " ".join(f"{name}={value}" for name, value in self.knobs.items())}


def pareto(costs: Numbers, values: Numbers) -> NDArray[np.bool_]:
    """[n] which of n points no other one beats: at least as much value for at most the cost, and one of them strictly.

    A point with NaN is not on the front and beats nobody.
    """
    cheap, good = costs[None, :] <= costs[:, None], values[None, :] >= values[:, None]
    strictly = (costs[None, :] < costs[:, None]) | (values[None, :] > values[:, None])
    return ~(cheap & good & strictly).any(1) & ~np.isnan(costs) & ~np.isnan(values)


def at_equal_cost(costs: Numbers, curve: Numbers, wanted: Numbers) -> Numbers:
    """[problems, n] each problem's value at wanted [n] mean costs, between the neighbours on its curve [problems, m].

    costs [m] falls. Beyond its ends the curve goes on level: the yardstick cannot use more passes than T = N, and
    cannot do with less than one.
    """
    rising, values = costs[::-1], curve[:, ::-1]
    place = np.interp(wanted, rising, np.arange(len(rising)))
    left = np.floor(np.nan_to_num(place)).astype(int)
    right, part = np.minimum(left + 1, len(rising) - 1), place - left
    return values[:, left] * (1 - part) + values[:, right] * part


def summarise(
    chosen: Sequence[Configuration], by_problem: Mapping[int, Mapping[str, Mapping[str, Any]]], problems: Sequence[int]
) -> list[Summary]:
    """Of these problems, each of which has a row for every configuration and for the yardstick's curve."""
    rows = [by_problem[problem] for problem in problems]

    def column(name: str, configurations: Sequence[Configuration]) -> Numbers:
        return np.array([[row[one.key].get(name, np.nan) for one in configurations] for row in rows], dtype=np.float64)

    curve = yardstick()
    counts = resampled(len(rows))
    quality, cost = column("rougeL", chosen), mean(column("nfe", chosen))
    curve_quality = column("rougeL", curve)
    equal = at_equal_cost(mean(column("nfe", curve)), curve_quality, cost)
    means = {name: mean(column(name, chosen)) for name in ("calls", "rouge1", "rouge2", "exact", "risk", "tau")}
    own = estimates(quality, counts)
    best = estimates(quality - curve_quality[:, [CURVE.index("N")]], counts)
    level = estimates(quality - equal, counts)
    failures = [[told for row in rows if (told := row[one.key].get("failed"))] for one in chosen]
    whole = np.array([not told for told in failures])  # means over fewer problems do not compare
    # A hundredth of a pass is no advantage: in mean NFE budgets differ by so much from rounding alone.
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
    """One of VERDICTS; empty where there is no interval to judge by."""
    if np.isnan(difference.low):
        return ""
    return VERDICTS[0] if difference.low > 0 else VERDICTS[2] if difference.high < 0 else VERDICTS[1]


def mean(values: Numbers) -> Numbers:
    """[n] of each column of values [problems, n] without its NaN; NaN where nothing else is there."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0.0).sum(0) / there.sum(0)
