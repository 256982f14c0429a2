"""`python -m app evaluate-quantized`: what quantising costs."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from app.__main__ import main
from models.evaluate import quantisation
from models.evaluate.quantisation import FORMS


@pytest.fixture(autouse=True)
def timed_once(monkeypatch) -> None:
    """Time each form once, as the tests look at no times."""
    monkeypatch.setattr(quantisation, "costs", partial(quantisation.costs, repeat=1))


@pytest.fixture
def text(tmp_path) -> Path:
    file = tmp_path / "text.txt"
    file.write_text("The little dog was sad, so he ran home to his mum. She gave him a big hug.\n" * 40)
    return file


def test_the_chosen_forms_are_measured_and_drawn(text, tmp_path, capsys):
    asked = ["evaluate-quantized", "bundled", "--text", str(text), "--chunks", "1", "--device", "cpu"]
    plot = tmp_path / "plot.html"
    assert main([*asked, "--forms", "bf16,int8", "--json", "--plot", str(plot)]) == 0
    half, eight = json.loads(capsys.readouterr().out)
    assert (half["name"], half["agreement"], half["relative"]) == ("bf16", 100, 1), "the first is the reference"
    assert half["megabytes"] == pytest.approx(62.9 / 2, rel=0.01)
    assert (eight["name"], 50 < eight["agreement"] < 100) == ("int8", True)
    assert "nats per token" in plot.read_text()


def test_by_default_all_forms_but_bf16_are_measured_on_a_cpu(text, capsys):
    asked = ["evaluate-quantized", "bundled", "--text", str(text), "--chunks", "1", "--device", "cpu"]
    assert main(asked) == 0
    title, *rows = capsys.readouterr().out.splitlines()
    assert title.startswith("bundled on cpu, 256 tokens")
    assert [row.split()[0] for row in rows] == [name for name in FORMS if name != "bf16"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: MODEL, --text"),
        (("toy", "--text", "{text}"), "no weights to quantise"),
        (("bundled", "--text", "{text}", "--forms", "fp32,int3"), "'int3' is not a form"),
        (("bundled", "--text", "{text}", "--device", "cuda"), "no CUDA GPU"),
        (("bundled", "--text", "nowhere.txt"), "cannot read nowhere.txt"),
        (("bundled", "--text", "{text}", "--chunks", "0"), "--chunks must be 1 or more, not 0"),
        (("nowhere", "--text", "{text}"), "no model 'nowhere'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(text, capsys, arguments, message):
    assert main(["evaluate-quantized", *(argument.format(text=text) for argument in arguments)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert message in printed.err
