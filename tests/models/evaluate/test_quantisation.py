"""What quantising costs, measured."""

from __future__ import annotations

import json

import pytest
import torch

from models.evaluate.quantisation import FORMS, main


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("The little dog was sad, so he ran home to his mum. She gave him a big hug.\n" * 40)
    return file


def test_every_form_is_compared_with_the_exact_one(text, tmp_path, capsys):
    asked = ["bundled", "--text", str(text), "--chunks", "2", "--device", "cpu"]
    assert main([*asked, "--json", "--plot", str(tmp_path / "plot.html")]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == [name for name in FORMS if name != "bf16"], "bf16 must be named"
    exact = rows["fp32"]
    assert (exact["agreement"], exact["relative"]) == (100, 1)
    assert exact["megabytes"] == pytest.approx(62.9, abs=0.1)
    for name in ("int8", "nf4", "fp4"):
        assert 50 < rows[name]["agreement"] < 100
        assert 0 < abs(rows[name]["nats_per_token"] - exact["nats_per_token"]) < 0.5
        assert rows[name]["megabytes"] < exact["megabytes"] / 2
    assert rows["nf4"]["megabytes"] == rows["fp4"]["megabytes"] < rows["int8"]["megabytes"]
    assert rows["int8"]["agreement"] > rows["nf4"]["agreement"]
    assert "nats per token" in (tmp_path / "plot.html").read_text()


def test_bf16_is_measured_on_a_cpu_where_it_is_named(text, capsys):
    asked = ["bundled", "--text", str(text), "--chunks", "1", "--device", "cpu", "--forms", "bf16,int8", "--json"]
    assert main(asked) == 0
    half, eight = json.loads(capsys.readouterr().out)
    assert (half["name"], half["agreement"]) == ("bf16", 100), "the first is what the others are compared with"
    assert half["megabytes"] == pytest.approx(62.9 / 2, rel=0.01)
    assert (eight["name"], 50 < eight["agreement"] < 100) == ("int8", True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_mistakes_are_told(text, capsys):
    for arguments, said in (
        (("toy",), "no weights to quantise"),
        (("bundled", "--forms", "fp32,int3"), "'int3' is no form"),
        (("bundled", "--device", "cuda"), "no CUDA GPU"),
    ):
        assert main([*arguments, "--text", str(text)]) == 2
        assert said in capsys.readouterr().err
