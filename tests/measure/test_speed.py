"""`bench --random-weights`: times of networks with random weights."""

from __future__ import annotations

import json

import pytest
import torch

from app.__main__ import main
from models.bench import baseline, speed, untrained
from models.bench.untrained import SHAPES
from models.checkpoints import placement
from models.networks.transformer import TransformerDenoiser


@pytest.fixture
def tiny(monkeypatch) -> list[str]:
    """Return a command that times a tiny network."""
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape = {"model_type": "llama", "vocab_size": 64, "max_position_embeddings": 64}
    monkeypatch.setitem(SHAPES, "tiny", shape | sizes)
    monkeypatch.setattr("models.bench.speed.COPIED", {"cpu": 2**16})
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


def test_a_network_that_does_not_fit_is_reported(tiny, capsys, monkeypatch):
    monkeypatch.setattr("models.checkpoints.placement.free_memory", lambda device: 1000)
    assert main([*tiny, "--contexts", "18", "--gaps", "3"]) == 0
    assert "GB" in capsys.readouterr().out.splitlines()[-1]


def test_what_does_not_fit_leaves_out_only_its_own_times(tiny, capsys, monkeypatch):
    """A GPU that is full after 20 tokens of a pass, 18 of the reference loop, and at once in fp16."""
    real_fill, real_forward, real_draft = untrained._fill, TransformerDenoiser._forward, baseline._draft

    def fill(model, device):
        check(model.dtype == torch.float16)
        real_fill(model, device)

    def forward(self, queries):
        check(any(len(query.ids) > 20 for query in queries))
        return real_forward(self, queries)

    def draft(denoiser, state, *settings):
        check(state.shape[1] > 18)
        return real_draft(denoiser, state, *settings)

    def check(full: bool) -> None:
        if full:
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    monkeypatch.setattr(untrained, "_fill", fill)
    monkeypatch.setattr(TransformerDenoiser, "_forward", forward)
    monkeypatch.setattr(baseline, "_draft", draft)
    asked = [*tiny, "--dtypes", "fp16,fp32", "--contexts", "18,20,24", "--gaps", "3"]
    assert main([*asked, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["speeds"]
    assert "too little memory for the weights" in first["problem"]
    assert second["problem"] == (
        "there is too little memory for a pass over 24 tokens with a gap of 3, the fills in 20 tokens, the fills in 24 "
        "tokens"
    )
    assert [each["context"] for each in second["passes"]] == [18, 20]
    assert [each["context"] for each in second["fills"]] == [18]
    assert main(asked) == 0
    printed = capsys.readouterr().out
    assert "fp32: there is too little memory for a pass over 24" in printed
    assert "fp32: every pass reads" in printed


def test_a_network_is_built_on_the_device_and_its_peak_memory_printed(tiny, capsys, monkeypatch):
    done, build = [], untrained.build
    monkeypatch.setattr(speed, "find_device", lambda asked: torch.device(asked))
    monkeypatch.setattr(placement, "machine", lambda device: "a pretended GPU")
    monkeypatch.setattr(speed, "bandwidth", lambda device: done.append(f"copy on {device}") or 1e9)
    monkeypatch.setattr(speed, "forget", lambda: done.append("forget"))
    monkeypatch.setattr(speed, "watch_peak", lambda device: done.append("watch"))
    monkeypatch.setattr(speed, "peak", lambda device: 5_000_000_000 if str(device) == "cuda:1" else None)

    def built(name, numbers, *, device, static):
        done.append(f"build on {device}")
        return build(name, numbers, device="cpu", static=static)

    monkeypatch.setattr(untrained, "build", built)
    asked = [*tiny, "--device", "cuda:1", "--dtypes", "fp32", "--contexts", "18", "--gaps", "3"]
    assert main([*asked, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert done[:4] == ["copy on cuda:1", "forget", "watch", "build on cuda:1"]
    assert (data["device"], data["speeds"][0]["loading"]) == ("cuda:1", 5_000_000_000)
    assert main(asked) == 0
    assert "loading them takes 5.00 GB of the GPU's memory" in capsys.readouterr().out


@pytest.mark.parametrize("device", ["spread", "mps", "tpu"])
def test_a_device_that_cannot_be_measured_is_refused(tiny, device, capsys):
    assert main([*tiny, "--device", device]) == 2
    assert f"run on cpu, cuda or cuda:1, not on '{device}'" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_reported(tiny, capsys):
    assert main([*tiny, "--device", "cuda"]) == 2
    assert "no CUDA GPU here" in capsys.readouterr().err
