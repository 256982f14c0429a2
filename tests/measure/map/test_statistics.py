"""Intervals, differences and the front, in cases with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.measure.bootstrap import Estimate
from app.measure.map.configurations import TRUTH, Configuration, configurations, references, yardstick
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
    assert verdict(Estimate(mean=-(low + high) / 2, low=-high, high=-low), less=True) == word


def rows_of(quality: dict[str, float], nfe: dict[str, int], problems: int = 20) -> dict:
    rng = np.random.default_rng(0)
    found = {}
    for problem in range(problems):
        shift = rng.normal()
        found[problem] = {
            key: {
                0: {
                    "key": key,
                    "nfe": nfe[key],
                    "rougeL": value + shift,
                    "nats": (40 - value + shift) / 10,
                    "risk": 1.0,
                    "tau": 0.0,
                    "fill": [problem, 7, 8, 7, 8],
                }
            }
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
    assert half.nats_to_equal.mean == pytest.approx(-0.2)  # likelier, and less is better
    assert (half.nats_verdict, half.nats_front, quarter.nats_verdict) == ("better", True, "worse")
    best = summarise(chosen, rows_of(quality, nfe), range(20))[0]
    assert (best.verdict, best.to_best.mean, best.to_equal.mean) == ("no worse than noise", 0, 0)


def test_variety_is_counted_over_all_fills_and_repetition_within_each():
    chosen = configurations(["random"], {}, only=["random T=N"])
    (found,) = summarise(chosen, rows_of({one.key: 10.0 for one in chosen}, {one.key: 5 for one in chosen}, 2), [0, 1])[
        :1
    ]
    # tokens 0 7 8 7 8 and 1 7 8 7 8: 7 and 8 four times in ten each
    assert found.unigram == pytest.approx(-2 * 0.4 * math.log(0.4) - 2 * 0.1 * math.log(0.1))
    # bigrams 07 17, 78 four times, 87 twice
    assert found.bigram == pytest.approx(-0.5 * math.log(0.5) - 0.25 * math.log(0.25) - 2 * 0.125 * math.log(0.125))
    assert found.repeated == 0  # 3-grams 078 787 878 differ
    assert math.isnan(found.distinct.mean)


def test_seeds_are_averaged_within_a_problem_and_compared_with_each_other():
    chosen = yardstick()
    rows = {
        problem: {
            one.key: {seed: {"nfe": 4, "rougeL": 10.0 * problem + seed, "fill": [seed, 3, 4]} for seed in (0, 1)}
            for one in chosen
        }
        for problem in (1, 2)
    }
    found = summarise(chosen, rows, [1, 2], seeds=[0, 1])[0]
    assert found.rougeL.mean == pytest.approx(15.5)
    assert found.runs == 4
    assert found.distinct.mean == pytest.approx(75)  # 03 34 | 13 34: three of four differ


def test_the_front_of_variety_leaves_out_what_is_beaten_in_both():
    chosen = yardstick()
    fills = {
        "N": [[1, 2], [1, 2]],
        "N/2": [[1, 2], [3, 4]],
        "1": [[1, 2], [3, 4]],
    }  # two, one and one of two bigrams alike
    nats = {"N": 1.0, "N/2": 2.0, "1": 3.0}
    rows = {
        0: {
            one.key: {
                seed: {"nfe": 3, "nats": nats.get(one.budget, 9.0), "fill": fills.get(one.budget, fills["N"])[seed]}
                for seed in (0, 1)
            }
            for one in chosen
        }
    }
    found = {row.budget: row.variety_front for row in summarise(chosen, rows, [0], seeds=[0, 1])}
    assert found == {"N": True, "3N/4": False, "N/2": True, "N/3": False, "N/4": False, "1": False}


def test_times_are_medians_and_ratios_are_taken_on_the_same_problem():
    chosen = configurations(["random"], {}, only=["random T=N"])
    keys = [chosen[0].key, chosen[-1].key]
    rows = rows_of({one.key: 10.0 for one in chosen}, {one.key: 5 for one in chosen}, 2)
    times = {
        0: dict(zip(keys, [2.0, 1.0], strict=True)),
        1: dict(zip(keys, [1.0, 4.0], strict=True)),
        9: {keys[0]: 9.0},
    }
    found = summarise(chosen, rows, [0, 1], times=times)[-1]
    assert (found.seconds, found.time_ratio) == (2.5, 2.25)
    assert math.isnan(summarise(chosen, rows, [0, 1])[-1].seconds)


def test_the_truth_and_what_no_user_can_have_stay_off_the_fronts():
    chosen = [Configuration(strategy=TRUTH), *yardstick(), *references(["N"], judged=True)]
    rows = rows_of(
        {one.key: 30.0 if one.strategy != "low_confidence" else 10.0 for one in chosen}, {one.key: 5 for one in chosen}
    )
    for mine in rows.values():
        del mine[TRUTH][0]["nfe"]
    found = {row.label: row for row in summarise(chosen, rows, range(20))}
    assert not any(found[name].front or found[name].nats_front for name in ("the truth", "oracle_order T=N"))
    assert found["oracle_order T=N"].nats_verdict == "better"
    assert found["the truth"].nats_verdict == ""
    assert found["best_of_4 T=N/4"].nats.mean == found["the truth"].nats.mean


def test_a_failed_run_is_counted_and_keeps_off_the_front():
    chosen = configurations(["random"], {}, only=["random T=N"])
    keys = [one.key for one in chosen]
    rows = rows_of(dict.fromkeys(keys, 10.0) | {keys[-1]: 50.0}, dict.fromkeys(keys, 5))
    rows[3][keys[-1]] = {0: {"key": keys[-1], "failed": "too few steps"}}
    found = summarise(chosen, rows, range(20))[-1]
    assert (found.runs, found.failed, found.failure, found.front) == (19, 1, "too few steps", False)
    assert found.to_equal.mean == pytest.approx(40)
    rows = {number: row | {keys[-1]: {0: {"key": keys[-1], "failed": "no"}}} for number, row in rows.items()}
    empty = summarise(chosen, rows, range(20))[-1]
    assert (empty.runs, empty.verdict) == (0, "")
    assert math.isnan(empty.nfe)
