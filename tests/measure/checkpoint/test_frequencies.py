"""`python -m app frequencies`: count how common each token is."""

from __future__ import annotations

import json

import pytest

import models
from app.__main__ import main
from tests.models.checkpoints.test_formats import write

NAME = "frequencies.json"


def test_a_text_is_counted_beside_the_weights(tmp_path, capsys):
    folder, text = write(tmp_path / "model"), tmp_path / "text.txt"
    text.write_text("the cat sat\nthe cat\n<|endoftext|>\nthe cat\n<|endoftext|>\n", encoding="utf-8")
    assert main(["frequencies", "--text", str(text), "--model", str(folder)]) == 0
    counts = json.loads((folder / NAME).read_text())
    assert f"{sum(counts.values())} tokens, {len(counts)} of them different" in capsys.readouterr().out
    tokenizer = models.load(str(folder)).tokenizer
    assert tokenizer.frequencies is not None
    assert sum(counts.values()) == sum(len(tokenizer.encode(line)) for line in ("the cat sat\nthe cat", "the cat"))


def test_the_counts_go_into_the_file_that_was_asked_for(tmp_path):
    folder, text, out = write(tmp_path / "model"), tmp_path / "text.txt", tmp_path / "counts.json"
    text.write_text("the cat")
    assert main(["frequencies", "--text", str(text), "--model", str(folder), "--out", str(out)]) == 0
    assert sum(json.loads(out.read_text()).values()) > 0
    assert not (folder / NAME).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: --text"),
        (("--text", "nowhere.txt"), "cannot read"),
        (("--text", "nowhere.txt", "--model", "toy"), "letters are not counted"),
        (("--text", "nowhere.txt", "--model", "nothing"), "no model 'nothing'"),
        (("--text", "{tmp}/empty.txt", "--out", "{tmp}/out.json"), "there is no text"),
        (("--text", "{tmp}/text.txt", "--out", "{tmp}/nowhere/out.json"), "cannot write"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, message):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "text.txt").write_text("the cat")
    assert main(["frequencies", *(argument.replace("{tmp}", str(tmp_path)) for argument in arguments)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert message in printed.err
    assert not (tmp_path / "out.json").exists()
