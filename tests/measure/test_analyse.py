"""`python -m app analyse` and `classes`: measures of a recorded run, and of many problems with a control."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import models
from app.__main__ import main
from app.errors import InfillError
from app.infill import infill
from app.measure import analyse, emergence
from app.measure.problems import as_request
from app.measure.run import run_to_end
from app.sampling.request import InfillRequest
from app.trace.recording import dump
from models.checkpoints.classes import NAME, read_classes
from models.toy import MarkovDenoiser, toy
from tests.measure.conftest import FEW


def counted() -> MarkovDenoiser:
    """Return the toy with counted letters."""
    made = toy()
    made.tokenizer.frequencies = np.linspace(1, 2, made.tokenizer.size)  # pyright: ignore[reportAttributeAccessIssue]
    return made


def test_permutations_stay_within_bins_of_like_frequency_and_can_be_undone():
    frequencies = np.random.default_rng(0).random(100)
    rank = np.empty(100, dtype=int)
    rank[np.argsort(-frequencies)] = np.arange(100)
    found = emergence.permutations(frequencies)
    assert len(found) == emergence.SHUFFLES
    classes = counted().tokenizer.classes
    assert classes is not None
    longer = replace(classes, of=np.arange(100) % 3)
    for permutation in found:
        assert (rank[permutation] // emergence.BIN == rank // emergence.BIN).all()
        back = emergence.shuffled(emergence.shuffled(longer, permutation), np.argsort(permutation))
        assert back.of.tolist() == longer.of.tolist()
    assert len({tuple(permutation.tolist()) for permutation in found}) == emergence.SHUFFLES
    again = emergence.permutations(frequencies)
    assert all((one == other).all() for one, other in zip(found, again, strict=True))


def test_the_control_costs_no_pass_and_changes_no_token(few):
    denoiser = counted()
    row = emergence.run_problem(few[0], denoiser, emergence.controls_of(denoiser))
    plain = run_to_end(as_request(few[0], denoiser), denoiser)
    assert (row["nfe"], row["tokens"]) == (plain.nfe, len(plain.order))


def test_a_control_that_exchanges_nothing_is_no_different_from_the_classes(few):
    denoiser = counted()
    classes = denoiser.tokenizer.classes
    assert classes is not None
    row = emergence.run_problem(few[0], denoiser, [classes] * 3)
    assert row["shuffled"] == pytest.approx(row["class"])
    for stage in emergence.STAGES:
        mine, control = row[f"class_entropy {stage.name}"], row[f"shuffled_entropy {stage.name}"]
        assert control == pytest.approx(mine, abs=2e-3, nan_ok=True)  # of probabilities in thousandths


def test_claims_need_the_size_and_an_interval_without_0():
    row = dict.fromkeys(emergence.run_problem(FEW[0], counted(), emergence.controls_of(counted())), 0.0)
    rows = [row | {"token": 0.5, "class": 0.4 + 0.01 * (n % 2), "shuffled": 0.4 + 0.02 * (n % 2)} for n in range(40)]
    first, second, third = emergence.summarise(rows).claims
    assert (first.found.mean, first.holds) == (pytest.approx(0.095), True)
    assert (second.found.mean, second.holds) == (pytest.approx(0.005), False)
    assert (third.found.mean, third.holds) == (0.0, False)


def test_problems_are_run_once_and_leave_tables_and_a_figure(problems, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("app.__main__.load", lambda name, **settings: counted())
    monkeypatch.setattr(analyse, "take_picture", lambda figure, path: True)
    out = tmp_path / "out"
    asked = ["analyse", "--problems", str(problems), "--out", str(out), "--model", "toy"]
    assert main(asked) == 0
    assert "3 problems" in capsys.readouterr().out
    rows = (out / "rows.jsonl").read_text()
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (out / "rows.jsonl").read_text() == rows, "nothing was run again"
    assert found["problems"] == 3
    assert [claim["least"] for claim in found["claims"]] == [0.03, 0.01, 0.3]
    assert json.loads((out / "emergence.json").read_text()) == found
    assert "| all words |" in (out / "emergence.md").read_text()
    assert "<script" in (out / "emergence.html").read_text(encoding="utf-8")


def test_a_recorded_run_is_measured_without_a_model(tmp_path, capsys, monkeypatch):
    *_, trace = infill(InfillRequest(prefix="the ", length=6, steps=6), models.load("toy"))
    file = tmp_path / "run.json"
    file.write_text(dump(trace), encoding="utf-8")
    monkeypatch.setattr("app.__main__.load", lambda name, **settings: pytest.fail("a model was loaded"))
    assert main(["analyse", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "Kendall's tau" in printed
    assert "class entropy" in printed
    assert main(["analyse", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["Revisions"]["remasked"] == 0


def test_a_run_without_classes_says_how_to_get_them(tmp_path, capsys):
    *_, trace = infill(InfillRequest(prefix="the ", length=3), models.load("toy"))
    file = tmp_path / "run.json"
    file.write_text(dump(replace(trace, classes=())), encoding="utf-8")
    assert main(["analyse", str(file)]) == 0
    assert "python -m app classes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "one of the arguments FILE --problems is required"),
        (("{tmp}/nowhere.json",), "cannot read"),
        (("{tmp}/run.json", "--out", "x"), "go with --problems"),
        (("--problems", "{problems}"), "needs --out"),
        (("--problems", "{problems}", "--out", "{tmp}/out", "--limit", "0"), "--limit must be 1 or more"),
        (("--problems", "{problems}", "--out", "{tmp}/out", "--model", "toy"), "frequencies.json beside its weights"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, problems, capsys, arguments, message):
    (tmp_path / "run.json").write_text("{}")
    places = {"{tmp}": str(tmp_path), "{problems}": str(problems)}
    for name, place in places.items():
        arguments = tuple(argument.replace(name, place) for argument in arguments)
    assert main(["analyse", *arguments]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert message in printed.err


def test_a_model_without_classes_is_refused_with_the_command():
    bare = toy()
    bare.tokenizer.classes = None  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(InfillError, match=r"no classes\.json .*`python -m app classes"):
        emergence.controls_of(bare)


def test_classes_are_written_where_they_were_asked_for(tmp_path, capsys):
    text, out = tmp_path / "text.txt", tmp_path / "made.json"
    text.write_text("The happy dog ran to the park. He was very happy.")
    assert main(["classes", "--text", str(text), "--out", str(out)]) == 0
    assert "tokens have the class of their word there" in capsys.readouterr().out
    out.rename(tmp_path / NAME)
    pieces = json.loads((tmp_path / NAME).read_text())
    assert "Ġran" in pieces["verb"]
    every = [piece for each in pieces.values() for piece in each]
    assert read_classes(tmp_path, dict(zip(every, range(len(every)), strict=True))) is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: --text"),
        (("--text", "nowhere.txt"), "cannot read"),
        (("--text", "nowhere.txt", "--model", "toy"), "letters have classes already"),
        (("--text", "{tmp}/text.txt", "--out", "{tmp}/nowhere/out.json"), "cannot write"),
    ],
)
def test_a_mistake_about_classes_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, message):
    (tmp_path / "text.txt").write_text("the cat")
    assert main(["classes", *(argument.replace("{tmp}", str(tmp_path)) for argument in arguments)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert message in printed.err
