"""The check that speculation is lossless."""

from __future__ import annotations

import pytest

from app.measure.lossless import compare_greedy, parting, report, tie
from app.measure.problems import Problem, as_request, oracle_length
from app.measure.run import run_to_end
from models.toy import toy

TOY = toy()
PROBLEMS = [
    Problem(prefix="the cat sat.", middle="a dog ran.", suffix="it was fun."),
    Problem(prefix="", middle="go.", suffix=""),
]


def trace(strategy: str, **settings):
    return run_to_end(as_request(PROBLEMS[0], TOY, strategy=strategy, **settings), TOY)


def test_all_problems_are_identical_and_take_fewer_calls():
    found = compare_greedy(PROBLEMS, TOY, ahead=4)
    assert found["identical"] == found["same_text"] == found["problems"] == 2
    assert found["greedy_calls"] == sum(oracle_length(problem, TOY) for problem in PROBLEMS)
    assert found["calls"] < found["greedy_calls"] <= found["rows"]
    assert found["calls_ratio"] == pytest.approx(found["greedy_calls"] / found["calls"])
    assert found["widest"] == 0
    assert "2 of 2 problems have the same tokens in the same steps" in report(found)
    assert "part at a tie" not in report(found)


def test_traces_part_where_the_order_or_the_tokens_first_differ():
    greedy, other = trace("low_confidence"), trace("left_to_right")
    first = next(
        number
        for number, (a, b) in enumerate(zip(greedy.steps, other.steps, strict=True))
        if a.selection.commit.tolist() != b.selection.commit.tolist()
    )
    assert parting(greedy, other) == first
    assert parting(greedy, greedy) is None
    assert parting(greedy, trace("low_confidence", steps=4)) == 0
    assert parting(trace("low_confidence", seed=1), trace("low_confidence", seed=2)) is None


def test_a_tie_is_as_close_as_the_next_position_or_the_next_token():
    greedy = trace("low_confidence")
    step = greedy.steps[0]
    sure = sorted(step.prediction.confidence[greedy.start.masks], reverse=True)
    (chosen,) = step.selection.commit
    assert tie(greedy, 0) == pytest.approx(min(sure[0] - sure[1], step.prediction.margin[chosen]))
    last = len(greedy.steps) - 1
    (chosen,) = greedy.steps[last].selection.commit
    assert tie(greedy, last) == pytest.approx(greedy.steps[last].prediction.margin[chosen])


def test_the_report_says_how_close_the_choice_was_where_traces_differ():
    found = compare_greedy(PROBLEMS, TOY) | {"identical": 1.0, "closest": 1e-9, "widest": 2e-7}
    assert "1 of 2 problems" in report(found)
    assert "differ first at a near-tie: the lead was 1.0e-09 to 2.0e-07" in report(found)
