"""`python -m app evaluate`, from files to numbers."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.measure.bench import PROBLEMS
from models.adapt.data import train_tokenizer
from models.corpus import END_OF_TEXT
from models.evaluate.table import format_rows
from tests.models.random_weights import tiny_llama


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    """Return a file with the passages of the bench's problems, one record each."""
    file = tmp_path_factory.mktemp("text") / "valid.txt"
    problems = [json.loads(line) for line in PROBLEMS.read_text(encoding="utf-8").splitlines()]
    file.write_text("".join(f"{p['prefix']} {p['middle']} {p['suffix']}\n{END_OF_TEXT}\n" for p in problems))
    return file


@pytest.fixture(scope="module")
def parent(tmp_path_factory, text) -> Path:
    """Return the folder of a tiny causal checkpoint of random weights."""
    folder = tmp_path_factory.mktemp("checkpoints") / "parent"
    tokenizer = train_tokenizer([text.read_text()], 400)
    tokenizer.save_pretrained(folder)
    tiny_llama(len(tokenizer), context=128).save_pretrained(folder)
    return folder


def evaluate(capsys, *arguments: str | Path) -> dict[str, Any]:
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    captured = capsys.readouterr()
    return json.loads(captured.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


SMALL = ("--limit", "3", "--chunks", "2", "--samples", "2", "--length", "8")


def test_the_bundled_model_is_evaluated(capsys, text):
    found = evaluate(capsys, "bundled", "--text", text, "--problems", PROBLEMS, *SMALL)
    assert (found["model"], found["kind"], found["seed"]) == ("bundled", "diffusion", 0)
    parts = {name: part["rows"] for name, part in found["parts"].items()}
    assert list(parts) == ["elbo", "top1", "infill", "samples"]
    assert 2 < parts["elbo"][0]["nats_per_token"] < 5
    assert parts["elbo"][0]["tokens"] == 2 * 255
    assert 20 < parts["top1"][0]["percent"] <= 100
    assert [row["name"].split(",")[0] for row in parts["infill"]] == ["low_confidence", "reference"]
    assert parts["infill"][1]["name"].endswith("temperature 0.9")
    assert [row["name"].split(",")[0] for row in parts["samples"]] == ["random", "the text itself"]
    assert all(part["seconds"] > 0 for part in found["parts"].values())


def test_a_parent_is_evaluated_by_the_same_parts(capsys, text, parent):
    options = ("--text", text, "--problems", PROBLEMS, "--candidates", "4", *SMALL)
    found, again = (evaluate(capsys, parent, *options) for _ in range(2))
    assert (found["model"], found["kind"]) == (str(parent), "autoregressive")
    parts = {name: part["rows"] for name, part in found["parts"].items()}
    assert parts == {name: part["rows"] for name, part in again["parts"].items()}
    assert parts["elbo"][0]["name"] == "next-token loss (exact)"
    assert parts["elbo"][0]["nats_per_token"] == pytest.approx(math.log(400), abs=0.5)  # random weights
    assert len(parts["infill"]) == 4
    assert list(parts) == ["elbo", "top1", "infill", "samples"]


def test_both_kinds_are_given_the_same_chunks(capsys, text, parent):
    child = parent.with_name("child")
    shutil.copytree(parent, child)
    config = json.loads((child / "config.json").read_text())
    (child / "config.json").write_text(json.dumps(config | {"is_causal": False}))
    rows = [
        evaluate(capsys, folder, "--only", "elbo", "--text", text, "--context", "20")["parts"]["elbo"]["rows"][0]
        for folder in (parent, child)
    ]
    assert rows[0]["name"] != rows[1]["name"]
    assert rows[0]["tokens"] == rows[1]["tokens"]
    bytes_ = [row["nats_per_token"] * row["tokens"] / row["bits_per_byte"] for row in rows]
    assert bytes_[0] == pytest.approx(bytes_[1])


def test_a_part_alone_needs_only_its_own_file(capsys, parent):
    found = evaluate(capsys, parent, "--only", "samples", "--samples", "2", "--length", "5")
    assert list(found["parts"]) == ["samples"]
    assert len(found["parts"]["samples"]["rows"]) == 1
    found = evaluate(capsys, parent, "--only", "top1", "--problems", PROBLEMS, "--limit", "1")
    assert found["parts"]["top1"]["rows"][0]["standard_error"] is None


def test_the_tables_are_aligned(capsys, parent):
    assert main(["evaluate", str(parent), "--only", "top1,infill", "--problems", str(PROBLEMS), "--limit", "2"]) == 0
    first, _, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{parent}: autoregressive, ")
    top1, infill = lines[:2], lines[3:]
    assert (len(infill), len({len(line) for line in infill})) == (5, 1)
    assert len({len(line) for line in top1}) == 1
    assert top1[0].split()[-5:] == ["top-1", "%", "±", "s.e.", "problems"]


def test_every_number_of_every_row_has_a_column():
    row = {"name": "x", "percent": 12.34, "standard_error": 1.0, "problems": 3}
    assert format_rows("top1", [row]).splitlines()[1].split() == ["x", "12.3", "1.000", "3"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: MODEL"),
        (("nowhere", "--only", "samples"), "no model 'nowhere': give one of bundled"),
        (("toy", "--only", "samples"), "the toy is exact and needs no evaluation"),
        (("bundled",), "the part 'elbo' needs --text"),
        (("bundled", "--only", "top1"), "the part 'top1' needs --problems"),
        (("bundled", "--only", "elbow"), "unknown part 'elbow'; did you mean 'elbo'?"),
        (("bundled", "--only", "elbo", "--text", "{folder}/none.txt"), "none.txt"),
        (("bundled", "--only", "elbo", "--text", "{folder}/latin.txt"), "is not UTF-8 at byte 3"),
        (("bundled", "--only", "elbo", "--text", "{folder}/short.txt"), "shorter than one context of 256 tokens"),
        (("bundled", "--only", "elbo", "--text", "{folder}/empty.txt"), "there is no text in"),
        (("bundled", "--only", "top1", "--problems", "{folder}/none.jsonl"), "cannot read the problems"),
        (("bundled", "--only", "top1", "--problems", "{folder}/short.txt"), "line 1 of"),
        (("bundled", "--only", "samples", "--length", "200"), "--length must be from 1 to 128, not 200"),
        (("bundled", "--only", "samples", "--samples", "0"), "--samples must be 1 or more, not 0"),
        (("bundled", "--only", "samples", "--seed", "-1"), "--seed must be 0 or more, not -1"),
        (("bundled", "--only", "samples", "--seed", "x"), "invalid int value: 'x'"),
        (("bundled", "--only", "elbo", "--text", "{folder}/short.txt", "--context", "400"), "is more than the 256"),
        (("{folder}/neither", "--only", "samples"), "neither is not a whole checkpoint"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capsys, tmp_path, arguments, message):
    (tmp_path / "latin.txt").write_bytes("añ".encode() + b"\xff")
    (tmp_path / "short.txt").write_text("a dog ran.")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "neither").mkdir()
    (tmp_path / "neither" / "config.json").write_text('{"model_type": "t5"}')
    assert main(["evaluate", *(argument.format(folder=tmp_path) for argument in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
