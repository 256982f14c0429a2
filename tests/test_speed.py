"""The bench's table of networks with random weights."""

from __future__ import annotations

import json

import pytest
import torch

from app.__main__ import main
from models.untrained import SHAPES


@pytest.fixture
def tiny(monkeypatch) -> list[str]:
    """The command that times a network of next to no size."""
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape = {"model_type": "llama", "vocab_size": 64, "max_position_embeddings": 64}
    monkeypatch.setitem(SHAPES, "tiny", shape | sizes)
    monkeypatch.setattr("models.speed.COPIED", {"cpu": 2**16})
    return ["bench", "--random-weights", "tiny", "--device", "cpu", "--repeat", "1"]


def test_random_weights_are_timed_against_the_bandwidth_and_the_reference_loop(tiny, capsys):
    asked = [*tiny, "--contexts", "18,24", "--gaps", "3,5"]
    assert main(asked) == 0
    printed = capsys.readouterr().out
    assert "tiny, random weights" in printed
    assert "No GPU was measured" in printed
    assert "reference" in printed
    assert main([*asked, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["device"], data["torch"]) == ("cpu", torch.__version__)
    (found,) = data["speeds"]
    assert found["floor"] == found["weight_bytes"] / data["bytes_per_second"] > 0
    assert [(each["context"], each["gap"]) for each in found["passes"]] == [(18, 3), (18, 5), (24, 3), (24, 5)]
    assert all(each["seconds"] > 0 and each["window_seconds"] > 0 and each["peak"] is None for each in found["passes"])
    assert [(fill["context"], fill["plain_nfe"]) for fill in found["fills"]] == [(18, 64), (24, 64)]
    assert all(1 <= fill["nfe"] <= 16 for fill in found["fills"])


def test_static_shapes_are_timed_without_the_dual_cache(tiny, capsys):
    assert main([*tiny, "--contexts", "18", "--gaps", "3", "--static", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["static"]
    assert data["speeds"][0]["passes"][0]["window_seconds"] is None


def test_a_network_that_does_not_fit_has_a_line_that_says_so(tiny, capsys, monkeypatch):
    monkeypatch.setattr("models.placement.free_memory", lambda device: 1000)
    assert main([*tiny, "--contexts", "18", "--gaps", "3"]) == 0
    assert "GB" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_missed(tiny, capsys):
    assert main([*tiny, "--device", "cuda"]) == 2
    assert "no CUDA GPU here" in capsys.readouterr().err
