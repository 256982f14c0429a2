"""The command `length`, on the exact toy."""

from __future__ import annotations

import json

import numpy as np
import pytest

from app.__main__ import main
from app.length.prior import UNFITTED, read
from app.measure.length_gain import measure_lengths
from app.measure.problems import Problem
from models.toy import toy
from tests.length.test_prior import text

PROBLEMS = [Problem(prefix="a cat.", middle="b dog.", suffix="c hen."), Problem(prefix="d.", middle="ef.", suffix="")]


def test_the_error_is_the_distance_to_the_true_length():
    found = measure_lengths(PROBLEMS, toy(), UNFITTED, tries=1, longest=12)
    auto, oracle, fixed = found.rows
    assert (oracle.near.mean, oracle.error.mean) == (100, 0)
    assert fixed.error.mean == np.mean([16 - 7, 16 - 4])
    assert auto.error.mean == np.mean([abs(c.chosen - n) for c, n in zip(found.choices, (7, 4), strict=True)])
    assert found.gain.mean == pytest.approx(auto.rougeL.mean - fixed.rougeL.mean)
    assert found.forwards == 12


@pytest.fixture
def problems(tmp_path):
    file = tmp_path / "problems.jsonl"
    file.write_text("".join(json.dumps(vars(problem)) + "\n" for problem in PROBLEMS))
    return file


def test_the_command_fits_and_then_measures(tmp_path, problems, capsys):
    story, out = tmp_path / "text.txt", tmp_path / "fit.json"
    story.write_text("\n<|endoftext|>\n".join(text()))
    assert main(["length", "fit", "--model", "toy", "--text", str(story), "--out", str(out), "--holes", "20"]) == 0
    assert read(out).holes == 20
    capsys.readouterr()
    asked = ["length", "measure", "--model", "toy", "--problems", str(problems), "--fit", str(out), "--longest", "12"]
    assert main([*asked, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["way"] for row in data["rows"]] == ["auto", "oracle", "fixed 16"]
    assert (data["problems"], data["rule"]) == (2, "elbo")
    assert main([*asked, "--limit", "1", "--tries", "1"]) == 0
    assert "auto less fixed, ROUGE-L" in capsys.readouterr().out


def test_problems_that_rouge_cannot_see_have_no_gain(tmp_path, capsys):
    file = tmp_path / "blind.jsonl"
    file.write_text(json.dumps({"prefix": "a cat", "middle": "...", "suffix": "b"}) + "\n")
    asked = ["length", "measure", "--model", "toy", "--problems", str(file), "--longest", "8", "--tries", "1"]
    assert main(asked) == 0
    shown = capsys.readouterr()
    assert "auto less fixed, ROUGE-L: –; 95 %" in shown.out
    assert "not measurable for 1 of 1 problems" in shown.err
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["gain"]["mean"] is None


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["measure", "--problems", "P", "--limit", "0"], "--limit must be 1 or more"),
        (["measure", "--problems", "P", "--rank", "parent"], "has none; use --rank elbo"),
        (["measure", "--problems", "P", "--longest", "256"], "must be 1 to 255 masks"),
        (["measure", "--problems", "P", "--strategy", "nosuch"], "unknown strategy"),
        (["fit", "--text", "nowhere.txt", "--out", "x.json"], "cannot read nowhere.txt"),
        (["fit", "--text", "P", "--out", "nowhere/x.json"], "there is no folder"),
        (["fit", "--text", "P", "--out", "x.json", "--holes", "2"], "must be 20 or more"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(problems, capsys, flags, words):
    flags = [str(problems) if flag == "P" else flag for flag in flags]
    assert main(["length", *flags, "--model", "toy"]) == 2
    *_, error = capsys.readouterr().err.splitlines()  # after notices about the prior
    assert error.startswith("error: ")
    assert words in error
