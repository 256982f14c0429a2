"""`bench --all`: the files it writes, and resuming a killed run."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.__main__ import main
from app.errors import InfillError
from app.measure.map import runs
from app.measure.map.table import by_strategy

CHOSEN = ["--strategies", "random,klass", "--jobs", "1"]


def bench(problems: Path, out: Path, *arguments: str) -> int:
    asked = ["bench", "--all", "--model", "toy", "--problems", str(problems), "--out", str(out)]
    return main([*asked, *(arguments or CHOSEN)])


def found(out: Path) -> dict:
    """Return map.json without the seconds."""
    return json.loads((out / "map.json").read_text(encoding="utf-8")) | {"seconds": None}


@pytest.fixture(autouse=True)
def no_browser(monkeypatch, request):
    if not request.node.get_closest_marker("browser"):
        monkeypatch.setattr(shutil, "which", lambda name: None)


def test_the_tables_have_every_configuration_and_mark_the_front(problems, tmp_path, capsys):
    assert bench(problems, tmp_path / "out") == 0
    table = (tmp_path / "out" / "map.md").read_text(encoding="utf-8")
    head, rule, *rows = table.splitlines()
    assert {line.count("|") for line in (head, rule, *rows)} == {head.count("|")}
    names = [row.split("|")[1].strip() for row in rows]
    assert names[:2] == ["the truth", "`low_confidence` T=N"]
    assert names[-2:] == ["`klass` T=N", "`klass` T=N/2"]
    assert len(rows) == 1 + 6 + 3 + 2
    assert all(re.search(r"\[\S+, \S+\] \|", row) for row in rows)
    assert "nats a token" not in head, "the toy has no parent"
    starred = [row for row in rows if "☆" in row]
    front = (tmp_path / "out" / "front.md").read_text(encoding="utf-8").splitlines()[2:]
    assert sorted(front) == sorted(starred)
    with (tmp_path / "out" / "map.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    data = found(tmp_path / "out")
    assert [line["label"] for line in lines] == [row["label"] for row in data["rows"]]
    assert [float(line["to_equal_low"]) for line in lines[1:]] == [row["to_equal_low"] for row in data["rows"][1:]]
    assert data["computed"] == data["nfe"], "the toy shares nothing"
    assert "3 of 3 problems" in capsys.readouterr().out


def test_a_map_without_a_middle_that_rouge_sees_has_none_and_says_so(tmp_path, capsys):
    problems = tmp_path / "blind.jsonl"
    problems.write_text(json.dumps({"prefix": "a cat", "middle": "...", "suffix": "b"}) + "\n", encoding="utf-8")
    assert bench(problems, tmp_path / "out") == 0
    assert "not measurable for 1 of 1 problems" in capsys.readouterr().err
    data = found(tmp_path / "out")
    for row in data["rows"]:
        assert [row[name] for name in ("rougeL", "rouge1", "to_equal")] == [None] * 3
        assert (row["verdict"], row["front"]) == ("", False)
        assert row["label"] == "the truth" or row["nfe"] > 0
    json.loads((tmp_path / "out" / "rows.jsonl").read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_the_figure_needs_neither_network_nor_colour(problems, tmp_path):
    assert bench(problems, tmp_path / "out") == 0
    page = (tmp_path / "out" / "map.html").read_text(encoding="utf-8")
    assert "<script src=" not in page
    assert not re.search(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?https?:""", page)
    for mark in ('"symbol":"circle"', '"symbol":"square"', "random T=N\\u002f4", "Pareto front"):
        assert mark in page or mark.replace("\\u002f", "/") in page
    assert page.count("plotly-graph-div") == 2, "ROUGE-L and repetition; the toy has no parent"


def test_a_killed_run_resumes_and_ends_with_the_same_summary(problems, tmp_path, monkeypatch):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert bench(problems, whole) == 0
    real, began = runs.run_problem, []

    def until_killed(problem, *args):
        began.append(problem)
        if len(began) == 2:
            raise KeyboardInterrupt
        return real(problem, *args)

    monkeypatch.setattr(runs, "run_problem", until_killed)
    assert bench(problems, killed) == 130
    rows = killed / "rows.jsonl"
    first = rows.read_text(encoding="utf-8")
    assert first.count("\n") == 1
    rows.write_text(first + first[:100].replace('"problem": ', '"problem": 1'), encoding="utf-8")  # cut off in a line
    assert bench(problems, killed) == 0
    assert len(began) == 4, "the first problem is not run again"
    assert found(killed) == found(whole)


def test_what_is_added_later_runs_alone(problems, tmp_path, monkeypatch):
    assert bench(problems, tmp_path / "out", "--strategies", "random", "--limit", "2", "--jobs", "1") == 0
    asked, real = [], runs.run_problem
    monkeypatch.setattr(
        runs, "run_problem", lambda problem, chosen, *rest: asked.append(len(chosen)) or real(problem, chosen, *rest)
    )
    assert bench(problems, tmp_path / "out") == 0
    assert sorted(asked) == [2, 2, 6 + 3 + 2]
    assert bench(problems, tmp_path / "fresh") == 0
    assert found(tmp_path / "out") == found(tmp_path / "fresh")


def test_several_processes_find_what_one_finds(problems, tmp_path):
    assert bench(problems, tmp_path / "one") == 0
    assert bench(problems, tmp_path / "two", *CHOSEN[:2], "--jobs", "2") == 0
    assert found(tmp_path / "one") == found(tmp_path / "two")


def test_when_time_is_up_only_complete_problems_are_used(problems, tmp_path, monkeypatch, capsys):
    now = iter([0.0, 1.0, 59.0, 61.0])
    clock = SimpleNamespace(time=lambda: next(now), process_time=runs.time.process_time)
    monkeypatch.setattr(runs, "time", clock)  # not time.time itself, which other threads also use
    assert bench(problems, tmp_path / "out", *CHOSEN, "--minutes", "1") == 0
    assert "2 of 3 problems" in capsys.readouterr().out
    assert {row["runs"] for row in found(tmp_path / "out")["rows"]} == {2}


def test_a_strategy_that_cannot_run_is_reported(problems, tmp_path, monkeypatch):
    real = runs.run_to_end

    def run(request, denoiser):
        if request.strategy == "klass" and request.steps < request.length:
            raise InfillError("too few | steps")
        return real(request, denoiser)

    monkeypatch.setattr(runs, "run_to_end", run)
    assert bench(problems, tmp_path / "out") == 0
    row = (tmp_path / "out" / "map.md").read_text(encoding="utf-8").splitlines()[-1]
    assert "3 of 3 runs: too few \\| steps" in row
    assert found(tmp_path / "out")["rows"][-1]["nfe"] is None


def test_the_names_are_listed_without_a_run(problems, tmp_path, capsys):
    assert main(["bench", "--all", "--list", "--configurations", "klass T=*,random T=N"]) == 0
    assert capsys.readouterr().out.splitlines()[6:] == ["klass T=N", "klass T=N/2", "random T=N"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--jobs", "2"], "--all"),
        (["--out", "somewhere"], "--all"),
        (["--all"], "--out"),
        (["--all", "--out", "{out}", "--jobs", "0"], "--jobs"),
        (["--all", "--out", "{out}", "--minutes", "0"], "--minutes"),
        (["--all", "--out", "{out}", "--seeds", "0"], "--seeds"),
        (["--all", "--out", "{out}", "--steps", "N/2,most"], "'most'"),
        (["--all", "--out", "{out}", "--gap", "8"], "--text"),
        (["--all", "--out", "{out}", "--redraw"], "--temperature"),
        (["--all", "--out", "{out}", "--configurations", "klas T=N"], "klas"),
        (["--all", "--out", "{out}", "--dual-cache", "2"], "--dual-cache"),
        (["--all", "--out", "{out}", "--model", "no/such/folder/here"], "no/such"),
        (["--all", "--baseline"], "not allowed with"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, words, problems, tmp_path, capsys):
    given = [argument.format(out=tmp_path / "out") for argument in arguments]
    assert main(["bench", "--model", "toy", "--problems", str(problems), *given]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert words in printed


def test_a_folder_of_other_runs_is_left_unchanged(problems, tmp_path, capsys):
    assert bench(problems, tmp_path / "out") == 0
    before = (tmp_path / "out" / "rows.jsonl").read_text(encoding="utf-8")
    assert bench(problems, tmp_path / "out", *CHOSEN, "--temperature", "0.5") == 2
    assert "give another --out" in capsys.readouterr().err
    assert (tmp_path / "out" / "rows.jsonl").read_text(encoding="utf-8") == before


@pytest.mark.browser
def test_a_browser_takes_a_picture_of_the_figure(problems, tmp_path):
    assert bench(problems, tmp_path / "out") == 0
    assert (tmp_path / "out" / "rouge.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_by_strategy_marks_how_each_budget_compares(tmp_path):
    names = ("strategy", "setting", "nats", "nfe", "nats_verdict", "nats_front")
    rows = [
        dict(zip(names, values, strict=True))
        for values in (
            ("the truth", "", "1.9", "", "", "False"),
            ("b", "T=N", "1.666", "13.2", "worse", "False"),
            ("a", "T=N/2", "2", "6.85", "better", "True"),
            ("a", "safe", "", "7", "", "False"),
            ("a", "fast", "2.9", "5", "", "False"),
            ("c", "T=N", "", "", "", "False"),
        )
    ]
    with (tmp_path / "map.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert by_strategy(tmp_path / "map.csv").splitlines()[2:] == [
        "| `a` | – | 2.00 at 6.8 ▲ ★ | – | – at 7.0 | – | 2.90 at 5.0 |",
        "| `b` | 1.67 at 13.2 ▼ | – | – | – | – | – |",
        "| `c` | – | – | – | – | – | – |",
    ]


def test_problems_are_cut_out_of_a_text_for_long_gaps(tmp_path):
    text = tmp_path / "stories.txt"
    text.write_text(
        "\n<|endoftext|>\n".join(["the cat sat on the mat and saw a dog run by " * 3] * 4), encoding="utf-8"
    )
    asked = ["bench", "--all", "--model", "toy", "--text", str(text), "--gap", "12", "--out", str(tmp_path / "out")]
    assert main([*asked, "--strategies", "random", "--steps", "N,N/4", "--jobs", "1"]) == 0
    data = found(tmp_path / "out")
    assert (data["problems"], data["gap"]) == (4, 12)
    assert [row["nfe"] for row in data["rows"] if row["label"] == "low_confidence T=N/4"] == [3]


def test_seeds_are_added_to_a_folder_that_has_some(problems, tmp_path):
    drawn = [*CHOSEN, "--temperature", "1"]
    assert bench(problems, tmp_path / "out", *drawn) == 0
    one = found(tmp_path / "out")
    assert bench(problems, tmp_path / "out", *drawn, "--seeds", "3") == 0
    three = found(tmp_path / "out")
    assert three["seeds"] == [0, 1, 2]
    assert three["nfe"] > 2 * one["nfe"]
    assert [row["distinct"] for row in one["rows"]] == [None] * len(one["rows"])
    assert all(row["distinct"] for row in three["rows"][1:])


def test_times_are_measured_in_turns_and_kept(problems, tmp_path):
    for _ in range(2):  # the second time nothing is left to do
        assert bench(problems, tmp_path / "out", *CHOSEN, "--seconds", "2") == 0
    data = found(tmp_path / "out")
    assert data["timed"] == 2
    assert data["rows"][1]["time_ratio"] == 1
    assert all(row["seconds"] > 0 for row in data["rows"][1:])
    assert (tmp_path / "out" / "rows.jsonl").read_text(encoding="utf-8").count('"times"') == 2
