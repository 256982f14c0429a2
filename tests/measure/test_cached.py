"""Fills with the dual cache against exact fills: rows, comparisons, and the command."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from app import __main__ as command_line
from app.__main__ import main
from app.measure import cached
from app.measure.cached import EXACT, NEVER, compare, fill_problem
from app.measure.problems import as_request
from app.measure.run import run_to_end


def run(problem, network, **settings):
    return run_to_end(as_request(problem, network, strategy="low_confidence", **settings), network)


def test_a_problem_is_filled_exactly_and_with_each_cache_at_the_same_nfe(network, few):
    rows = {row["key"]: row for row in fill_problem(few[0], network, ("N", "N/2"), [NEVER, 2], number=1)}
    assert set(rows) == {f"T={budget} R={refresh}" for budget in ("N", "N/2") for refresh in (EXACT, NEVER, 2)}
    for budget, steps in (("N", 7), ("N/2", 4)):
        right = run(few[0], network, steps=steps)
        exact, never, every_other = (rows[f"T={budget} R={refresh}"] for refresh in (EXACT, NEVER, 2))
        assert (exact["text"], exact["fill"]) == (right.fill, right.canvas.ids[right.canvas.span].tolist())
        assert exact["nfe"] == never["nfe"] == every_other["nfe"] == steps, "no pass is spent on comparing"
        assert never["computed"] < every_other["computed"] < exact["computed"] == 100
        length, window = exact["tokens"], 7 + 1
        assert never["computed"] == pytest.approx(100 * (length + (steps - 1) * window) / (steps * length))
        assert "nats" not in exact, "this network has no parent"


class Letters:
    """A parent to which a token costs its id in nats times the number of tokens before it."""

    def __init__(self):
        self.asked = 0

    def log_probabilities(self, prefixes, continuations):
        self.asked += len(continuations)
        return [
            -1.0 * np.asarray(rest) * (len(prefix) + np.arange(len(rest)))
            for prefix, rest in zip(prefixes, continuations, strict=True)
        ]


def test_the_parent_reads_each_different_fill_once(network, few, monkeypatch):
    parent, trace = Letters(), run(few[0], network)
    monkeypatch.setattr(network, "_load_judge", lambda: parent)
    rows = fill_problem(few[0], network, ("N",), [NEVER, 4, 2], number=1)
    assert parent.asked == len({tuple(row["fill"]) for row in rows}) < len(rows)
    exact = next(row for row in rows if row["key"] == f"T=N R={EXACT}")
    (gap,), ids = trace.canvas.gaps, trace.canvas.ids
    assert exact["nats"] == pytest.approx((ids[gap] * np.array(gap)).mean())
    after = np.arange(gap.stop, len(ids))[:16]
    assert exact["nats_after"] == pytest.approx((ids[after] * after).mean())


def row(refresh, **numbers):
    plain = {"tokens": 60, "nfe": 8, "computed": 100.0, "seconds": 2.0, "text": "a b", "rougeL": 50.0}
    return {f"T=N R={refresh}": plain | {"fill": [1, 2, 3, 4], "nats": 3.0} | numbers}


def test_the_comparison_is_right_about_fills_worked_out_by_hand():
    problems = [
        row(EXACT, tokens=90) | row(4, seconds=0.5, computed=40.0),
        row(EXACT, tokens=30) | row(4, seconds=1.0, computed=60.0, rougeL=None, nats=3.2),
        row(EXACT) | row(4, seconds=4.0, computed=50.0, text="a c", fill=[1, 2, 3, 9], rougeL=47.0),
    ]
    found = compare(problems, "N", 4)
    assert (found.problems, found.nfe, found.exact_nfe, found.computed) == (3, 8, 8, 50)
    assert found.faster.median == 2
    assert (found.seconds, found.exact_seconds) == (1, 2)
    assert [(one.shortest, one.longest, one.faster.median) for one in found.thirds] == [
        (30, 30, 2),
        (60, 60, 0.5),
        (90, 90, 4),
    ]
    assert found.same_text.mean == pytest.approx(100 * 2 / 3)
    assert found.same_tokens.mean == pytest.approx(100 * 11 / 12)
    assert found.rougeL.mean == -1.5, "of the two problems that have one"
    assert found.nats.mean == pytest.approx(0.2 / 3)


def test_the_command_resumes_and_fills_only_what_is_missing(network, problems, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command_line, "load", lambda name: network)
    asked = ["bench", "--cached", "never,2", "--problems", str(problems), "--out", str(tmp_path / "rows")]
    assert main([*asked, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["problems"] == 3
    assert [(one["budget"], one["refresh"]) for one in first["rows"]] == [
        ("N", NEVER),
        ("N", 2),
        ("N/2", NEVER),
        ("N/2", 2),
    ]
    assert all(one["nfe"] == one["exact_nfe"] and one["nats"]["mean"] is None for one in first["rows"])
    file = tmp_path / "rows" / "rows.jsonl"
    kept = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(kept[:2]) + "\n" + kept[2][:9], encoding="utf-8")  # a kill cut the last line off
    filled, fill = [], cached.fill_problem
    monkeypatch.setattr(
        cached,
        "fill_problem",
        lambda problem, *rest, number: filled.append(problem) or fill(problem, *rest, number=number),
    )
    assert main(asked) == 0
    assert len(filled) == 2, "the warm-up, and the problem that was cut off"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("3 problems")
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["T=N", "never"],
        ["T=N", "2"],
        ["T=N/2", "never"],
        ["T=N/2", "2"],
    ]
    assert main(asked) == 0
    assert len(filled) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cached"], "--cached needs --out FOLDER"),
        (["--cached", "1", "--out", "{out}"], "numbers from 2 on and 'never'"),
        (["--cached", "often", "--out", "{out}"], "numbers from 2 on and 'never'"),
        (["--cached", "--out", "{out}", "--dual-cache", "4"], "leave out --static and --dual-cache"),
        (["--cached", "--out", "{out}"], "'toy' is not; choose another --model"),
        (["--cached", "--out", "{out}", "--jobs", "2"], "--jobs needs --all"),
        (["--cached", "--out", "{out}", "--steps", "2N"], "such as N, N/2"),
        (["--cached", "--all", "--out", "{out}"], "not allowed with"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(arguments, words, tmp_path, capsys):
    out = tmp_path / "rows"
    assert main(["bench", "--model", "toy", *(word.format(out=out) for word in arguments)]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert words in printed
    assert not out.exists()


def test_a_report_has_dashes_for_what_could_not_be_measured():
    lines = cached.report([compare([row(EXACT, nats=None) | row(NEVER, nats=None, seconds=1.0)], "N", NEVER)])
    assert "2.00 [–, –]" in lines
    assert lines.splitlines()[2].endswith("– [–, –]")
    assert math.isnan(compare([row(EXACT) | row(2)], "N", 2).same_text.low)
