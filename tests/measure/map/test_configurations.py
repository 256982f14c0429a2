"""The configurations of the map."""

from __future__ import annotations

import pytest

from app.errors import InfillError
from app.measure.map.configurations import CURVE, configurations, references
from app.strategies.registry import strategies

PRESETS = {"klass": {"safe": {"tau": 0.9}, "fast": {"tau": 0.3, "patience": 2}}}


def labels(*args, **settings) -> list[str]:
    return [one.label for one in configurations(*args, **settings)]


def test_the_yardsticks_curve_comes_first_and_is_always_there():
    curve = [f"low_confidence T={budget}" for budget in CURVE]
    assert labels(["random"], {}) == [*curve, "random T=N", "random T=N/2", "random T=N/4"]
    assert labels(["low_confidence"], {}) == curve
    assert labels(["random"], {}, only=["random T=N"]) == [*curve, "random T=N"]


def test_a_cap_has_no_quarter_budget_and_its_presets_run_at_the_full_one():
    assert labels(["klass"], PRESETS)[len(CURVE) :] == ["klass T=N", "klass T=N/2", "klass safe", "klass fast"]
    fast = configurations(["klass"], PRESETS)[-1]
    assert fast.knobs == {"tau": 0.3}, "patience 2 is the default"
    assert fast.steps(13) == 13


def test_given_budgets_replace_the_relative_ones_for_presets_too():
    found = configurations(["klass"], PRESETS, budgets=["3", "5"])[len(CURVE) :]
    assert [(one.preset, one.steps(13)) for one in found] == [
        ("", 3), ("", 5), ("safe", 3), ("safe", 5), ("fast", 3), ("fast", 5),
    ]  # fmt: skip
    assert len({one.label for one in found}) == 6


def test_parts_of_the_masks_are_rounded_up():
    steps = {one.budget: one.steps(13) for one in configurations([], {})}
    assert steps == {"N": 13, "3N/4": 10, "N/2": 7, "N/3": 5, "N/4": 4, "1": 1}
    assert all(one.steps(1) == 1 for one in configurations([], {}))


def test_the_yardstick_also_has_the_parts_that_are_asked_for():
    found = labels(["random"], {}, budgets=["N", "N/8", "5"])
    curve = [f"low_confidence T={budget}" for budget in ("N", "3N/4", "N/2", "N/3", "N/4", "N/8", "1")]
    assert found == [*curve, "random T=N", "random T=N/8", "random T=5"]


@pytest.mark.parametrize("budget", ["0", "N/0", "0N", "2N", "N/", "half", "-1", "1.5", ""])
def test_a_budget_that_is_neither_steps_nor_a_part_is_refused(budget):
    with pytest.raises(InfillError, match=f"'{budget}' must be a number of steps"):
        configurations(["random"], {}, budgets=[budget])


def test_redraw_adds_what_ranks_by_drafts_and_no_other():
    found = labels(["random", "threshold"], PRESETS, redraw=True, only=["*redraw"])[len(CURVE) :]
    assert found == [
        *(f"low_confidence T={budget} redraw" for budget in CURVE),
        *(f"threshold T={b} redraw" for b in ("N", "N/2")),
    ]


def test_best_of_r_is_at_equal_nfe_and_needs_a_parent():
    above = references(["N", "N/2"], judged=True)
    assert [one.label for one in above] == [
        "oracle_order T=N",
        "oracle_order T=N/2",
        "best_of_2 T=N/2",
        "best_of_4 T=N/4",
    ]
    assert [one.label for one in references(["N"], judged=False)] == ["oracle_order T=N"]


def test_every_strategy_is_on_the_map_and_no_configuration_twice():
    found = configurations(strategies(), {})
    assert {one.strategy for one in found} == set(strategies())
    assert len({one.key for one in found}) == len(found)


def test_a_pattern_without_a_match_and_an_unknown_knob_are_refused():
    with pytest.raises(InfillError, match="'klas \\*'"):
        configurations(["klass"], {}, only=["klas *"])
    with pytest.raises(InfillError, match="tua"):
        configurations(["klass"], {"klass": {"fast": {"tua": 0.3}}})
