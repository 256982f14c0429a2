"""Intervals, differences and the front, in cases with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.measure.bootstrap import Estimate
from app.measure.map.configurations import configurations
from app.measure.map.statistics import at_equal_cost, pareto, summarise, verdict

NAN = float("nan")


def test_the_front_has_the_points_that_no_other_point_beats():
    points = {"cheap": (1, 10), "beaten": (2, 9), "better": (2, 12), "dear": (3, 12), "best": (5, 20), "equal": (5, 20)}
    costs, values = np.array([*points.values()], dtype=float).T
    front = pareto(costs, values)
    assert [name for name, there in zip(points, front, strict=True) if there] == ["cheap", "better", "best", "equal"]
    assert pareto(np.array([1.0, NAN, 2.0]), np.array([1.0, 9.0, NAN])).tolist() == [True, False, False]


def test_the_curve_is_interpolated_and_flat_beyond_its_ends():
    costs, curve = np.array([12.0, 6.0, 1.0]), np.array([[30.0, 20.0, 10.0], [0.0, 10.0, 20.0]])
    found = at_equal_cost(costs, curve, np.array([12.0, 9.0, 3.5, 0.5, 40.0]))
    assert found.tolist() == [[30, 25, 15, 10, 30], [0, 5, 15, 20, 0]]


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.1, 2, "better"), (-1, 1, "no worse than noise"), (-2, -0.1, "worse"), (NAN, NAN, "")]
)
def test_the_verdict_follows_the_interval(low, high, word):
    assert verdict(Estimate(mean=(low + high) / 2, low=low, high=high)) == word


def rows_of(quality: dict[str, float], nfe: dict[str, int], problems: int = 20) -> dict:
    rng = np.random.default_rng(0)
    found = {}
    for problem in range(problems):
        shift = rng.normal()
        found[problem] = {
            key: {"key": key, "nfe": nfe[key], "rougeL": value + shift, "risk": 1.0, "tau": 0.0}
            for key, value in quality.items()
        }
    return found


def test_a_configuration_is_judged_by_the_yardstick_at_its_own_nfe():
    chosen = configurations(["random"], {}, only=["random T=N/*"])
    keys = [one.key for one in chosen]
    # the curve: 12, 9, 6, 4, 3 and 1 passes; then random with 6 and with 5
    quality = dict(zip(keys, [30, 28, 20, 16, 14, 10, 22, 17], strict=True))
    nfe = dict(zip(keys, [12, 9, 6, 4, 3, 1, 6, 5], strict=True))
    half, quarter = summarise(chosen, rows_of(quality, nfe), range(20))[-2:]
    assert (half.label, half.nfe, half.verdict, half.front) == ("random T=N/2", 6, "better", True)
    assert half.to_equal.mean == pytest.approx(2)
    assert half.to_best.mean == pytest.approx(-8)
    assert (quarter.verdict, quarter.front) == ("worse", True)  # the curve is at 18 there, but no configuration is
    assert quarter.to_equal.mean == pytest.approx(-1)
    best = summarise(chosen, rows_of(quality, nfe), range(20))[0]
    assert (best.verdict, best.to_best.mean, best.to_equal.mean) == ("no worse than noise", 0, 0)


def test_a_failed_run_is_counted_and_keeps_off_the_front():
    chosen = configurations(["random"], {}, only=["random T=N"])
    keys = [one.key for one in chosen]
    rows = rows_of(dict.fromkeys(keys, 10.0) | {keys[-1]: 50.0}, dict.fromkeys(keys, 5))
    rows[3][keys[-1]] = {"key": keys[-1], "failed": "too few steps"}
    found = summarise(chosen, rows, range(20))[-1]
    assert (found.runs, found.failed, found.failure, found.front) == (19, 1, "too few steps", False)
    assert found.to_equal.mean == pytest.approx(40)
    rows = {number: row | {keys[-1]: {"key": keys[-1], "failed": "no"}} for number, row in rows.items()}
    empty = summarise(chosen, rows, range(20))[-1]
    assert (empty.runs, empty.verdict) == (0, "")
    assert math.isnan(empty.nfe)
