"""Choosing a model's placement, and errors if it does not fit; GPUs are simulated."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

import models
from models.catalogue import BUNDLED
from models.checkpoints import placement
from models.checkpoints.placement import TooLargeError, place
from models.checkpoints.weights import Weights, read_weights

GB = 10**9
LARGE = Weights(
    shapes={
        "model.embed_tokens.weight": (32000, 4096),
        "lm_head.weight": (32000, 4096),
        "model.norm.weight": (4096,),
        **{f"model.layers.{n}.self_attn.q_proj.weight": (4096, 4096) for n in range(386)},  # as many as LLaMA's 7B
    },
    bytes=0,
)


@pytest.fixture
def machine(monkeypatch):
    """Simulate a machine with GPUs, given the GB free on each, and with the processor's memory."""

    def pretend(gpus: list[float], memory: float = 64, *, mps: bool = False, bf16: bool = True) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(gpus))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
        # By default torch counts a GPU that emulates bf16, as a T4 does.
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16 or including_emulation
        )
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        free = {"cuda": gpus[:1], **{f"cuda:{n}": [gpu] for n, gpu in enumerate(gpus)}}
        monkeypatch.setattr(placement, "free_memory", lambda device: int(GB * free.get(device, [memory])[0]))

    return pretend


def test_seven_billion_weights_take_what_the_published_figures_say():
    assert LARGE.memory("bfloat16") == pytest.approx(13.5 * GB, rel=0.02)
    assert LARGE.memory("bfloat16", "int8") == pytest.approx(7.0 * GB, rel=0.02)
    assert LARGE.memory("bfloat16", "nf4") == pytest.approx(3.9 * GB, rel=0.03)


def test_the_bundled_model_takes_what_its_file_says():
    weights = read_weights(BUNDLED)
    assert weights.memory("float16") == pytest.approx(weights.bytes, rel=0.01)
    loaded = models.load("bundled", device="cpu")
    real = sum(weight.numel() * weight.element_size() for weight in loaded.body.parameters())  # pyright: ignore[reportAttributeAccessIssue]
    assert weights.memory("float32") == pytest.approx(real, rel=1e-3)


@pytest.mark.parametrize(
    ("gpus", "mps", "bf16", "expected"),
    [
        ([], False, True, ("cpu", "float32")),
        ([80], False, True, ("cuda", "bfloat16")),
        ([80], True, False, ("cuda", "float16")),
        ([], True, True, ("mps", "float16")),
    ],
)
def test_the_best_device_that_is_here_is_taken_in_the_numbers_that_suit_it(machine, gpus, mps, bf16, expected):
    machine(gpus, mps=mps, bf16=bf16)
    chosen = place("x", LARGE)
    assert (chosen.device, chosen.dtype) == expected
    assert place("x", LARGE, device="cpu", dtype="bfloat16").notices  # slow, but as asked for


def test_a_model_that_only_fits_on_several_gpus_is_spread_over_them_with_a_word(machine):
    machine([10, 10])
    chosen = place("x", LARGE)
    assert chosen.device == "spread"
    assert chosen.notices == ("'x' is spread over 2 GPUs.",)
    assert place("x", LARGE, quantize="nf4").device == "cuda"


def test_too_little_memory_is_reported_with_sizes_and_what_would_fit(machine):
    machine([9])
    with pytest.raises(
        TooLargeError, match=r"'x' needs about 15.5 GB in bfloat16, and cuda has 9.0 GB free: try"
    ) as told:
        place("x", LARGE)
    assert "--quantize int8 (8.1 GB), or --quantize nf4 (4.4 GB), or --model diffugpt-m, or --device spread" in str(
        told.value
    )
    machine([5])
    with pytest.raises(
        ValueError, match=r"8.1 GB in int8, and cuda has 5.0 GB free: try --quantize nf4 \(4.4 GB\), or"
    ):
        place("x", LARGE, quantize="int8")
    machine([], memory=1.0)
    with pytest.raises(TooLargeError, match=r"31.0 GB in float32, and cpu has 1.0 GB free: try --model diffugpt-s, or"):
        place("x", LARGE)
    assert place("x", LARGE, device="spread").device == "spread"
    assert place("x", None).device == "cpu"  # nothing is known of it


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "gpu"}, "'gpu' is not a device; choose cpu, cuda"),
        ({"device": "cuda:x"}, "'cuda:x' is not a device"),
        ({"device": "cuda:1"}, "there is no cuda:1 here; the last GPU is cuda:0"),
        ({"device": "mps"}, "no Apple GPU"),
        ({"quantize": "int3"}, "'int3' is not a quantisation; choose one of int8, nf4, fp4"),
        ({"dtype": "float64"}, "'float64' is not a supported number format"),
        ({"device": "spread", "quantize": "nf4"}, "quantised weights stay on one device"),
    ],
)
def test_impossible_settings_are_refused_with_what_is_possible(machine, settings, message):
    machine([80])
    with pytest.raises(ValueError, match=message):
        place("x", LARGE, **settings)


def test_a_gpu_that_is_not_there_and_kernels_that_are_not_there_are_told(machine):
    machine([])
    with pytest.raises(ValueError, match="there is no CUDA GPU here; leave out --device"):
        place("x", LARGE, device="cuda")
    machine([], mps=True)
    with pytest.raises(ValueError, match="bitsandbytes has no kernels for MPS"):
        place("x", LARGE, quantize="nf4")


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 64),
        ({"memory.max": "max", "memory.current": 9 * GB, "memory.stat": "inactive_file 0"}, 64),
        ({"memory.max": 16 * GB, "memory.current": 9 * GB, "memory.stat": f"anon 1\ninactive_file {4 * GB}"}, 11),
        ({"memory.max": 16 * GB, "memory.current": 17 * GB, "memory.stat": "anon 1"}, 0),
        ({"memory.max": 100 * GB, "memory.current": GB, "memory.stat": "inactive_file 0"}, 64),
        (
            {
                "memory/memory.limit_in_bytes": 16 * GB,
                "memory/memory.usage_in_bytes": 9 * GB,
                "memory/memory.stat": f"inactive_file 0\ntotal_inactive_file {4 * GB}",
            },
            11,
        ),
        (
            {
                "memory/memory.limit_in_bytes": 9223372036854771712,
                "memory/memory.usage_in_bytes": 9 * GB,
                "memory/memory.stat": "total_inactive_file 0",
            },
            64,
        ),
    ],
)
def test_a_container_has_as_much_memory_as_its_limit_leaves_it(tmp_path, monkeypatch, files, free):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{content}\n")
    monkeypatch.setattr(placement, "_CGROUPS", tmp_path)
    monkeypatch.setattr(placement.psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * GB))
    assert placement.free_memory("cpu") == free * GB


def test_what_pytorch_has_reserved_on_a_gpu_and_does_not_use_is_free(monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    own = {"cuda": (0, 0), "cuda:1": (9 * GB, 5 * GB)}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * GB, 16 * GB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: own[device][0])
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: own[device][1])
    assert placement.free_memory("cuda:1") == 7 * GB
    assert placement.free_memory("cuda") == 3 * GB


def test_the_memory_of_an_emulated_gpu_is_unknown(monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert placement.free_memory("cuda") is None
    assert placement.free_memory("cpu")
