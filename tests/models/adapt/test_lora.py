"""Low-rank adapters: what is trained, what is saved, and what happens without the package."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, PreTrainedModel

from models.adapt import lora
from models.adapt.__main__ import main
from models.adapt.parents import read_parent
from tests.models.adapt.runs import (
    SAVE_EVERY,
    assert_same,
    beside,
    command,
    curve,
    fill,
    interrupt,
    resumptions,
    weights,
)
from tests.models.random_weights import ARCHITECTURES, network


def noisy(architecture: str) -> PreTrainedModel:
    """A network whose adapters already add something."""
    model = network(architecture)
    lora.attach(model, 2)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    return model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_only_embeddings_and_adapters_at_every_linear_layer_are_trained(architecture):
    model = network(architecture)
    matrices = {name for name, weight in model.named_parameters() if ".weight" in name and weight.dim() == 2}
    tables = {name for name in matrices if any(part in name for part in ("embed_tokens", "lm_head", "wte"))}
    hidden = {name.removesuffix(".weight") for name in matrices - tables if "wpe" not in name}
    lora.attach(model, 2)
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert learning == tables | {f"{name}.lora_{which}.default.weight" for name in hidden for which in "AB"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_merged_weights_are_those_of_a_plain_network_that_says_the_same(architecture):
    plain, adapted = network(architecture), noisy(architecture)
    ids = torch.arange(7)[None]
    with torch.inference_mode():
        expected = adapted(input_ids=ids).logits
        assert (plain(input_ids=ids).logits - expected).abs().max() > 1e-2
        names = plain.state_dict().keys()
        merged = lora.merged(adapted, adapted.state_dict())
        assert merged.keys() == names
        plain.load_state_dict(merged)
        assert torch.allclose(plain(input_ids=ids).logits, expected, atol=1e-4)


def test_merging_adds_b_times_a_times_the_scale_and_leaves_the_network_as_it_is():
    adapted = noisy("llama")
    before = {name: tensor.clone() for name, tensor in adapted.state_dict().items()}
    merged = lora.merged(adapted, before)
    name = "model.layers.1.mlp.up_proj"
    a, b = (before[f"{name}.lora_{which}.default.weight"] for which in "AB")
    assert torch.allclose(merged[f"{name}.weight"], before[f"{name}.base_layer.weight"] + 2 * b @ a, atol=1e-6)
    assert all(torch.equal(tensor, before[key]) for key, tensor in adapted.state_dict().items())


def test_a_training_changes_adapters_and_embeddings_only_and_saves_a_plain_folder(trained, tmp_path):
    out = tmp_path / "out"
    assert main(command("adapt", trained, out, lora=2)) == 0
    parent, state = read_parent(str(trained / "parent"))[1].state_dict(), weights(out)
    frozen = {name: tensor for name, tensor in state.items() if "base_layer" in name or "norm" in name}
    assert len(frozen) == 7 + 3
    for name, tensor in frozen.items():
        assert torch.equal(tensor, parent[name.removeprefix("network.").replace(".base_layer", "")])
    assert not torch.equal(state["network.model.embed_tokens.weight"], parent["model.embed_tokens.weight"])
    assert sum(tensor.any().item() for name, tensor in state.items() if "lora_B" in name) == 7
    saved = load_file(out / "model.safetensors")
    assert saved.keys() == load_file(trained / "child" / "model.safetensors").keys()
    key = "model.layers.0.self_attn.q_proj"
    a, b = (state[f"network.{key}.lora_{which}.default.weight"] for which in "AB")
    assert torch.equal(saved[f"{key}.weight"], (parent[f"{key}.weight"] + 2 * (b @ a)).half())
    AutoModelForCausalLM.from_pretrained(out)
    fill(out)


@pytest.mark.parametrize("parent", ["parent", "gpt2"])
def test_a_run_with_adapters_resumes_as_if_it_had_not_been_interrupted(trained, gpt2, tmp_path, parent):
    changed = {"lora": 2, "model": trained / parent}
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert main(command("adapt", trained, whole, **changed)) == 0
    interrupt(5, command("adapt", trained, out, **changed))
    assert main(command("adapt", trained, out, **changed)) == 0
    assert resumptions(out) == [0, SAVE_EVERY]
    assert_same(out, whole)


@pytest.fixture
def other_precision() -> Iterator[None]:
    """accelerate settles the precision once for a process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("other_precision")
def test_in_bf16_only_what_is_frozen_is_kept_in_half_precision(trained, tmp_path):
    """An update of a thousandth is lost in 8 bits of mantissa."""
    out = tmp_path / "out"
    assert main(command("adapt", trained, out, lora=2, precision="bf16")) == 0
    state = weights(out)
    learning = {name for name in state if "lora_" in name or "embed_tokens" in name}
    assert {state[name].dtype for name in learning} == {torch.float32}
    assert {state[name].dtype for name in state.keys() - learning} == {torch.bfloat16}
    assert curve(out).validation[-1] < curve(out).validation[0]
    fill(out)
    assert main(command("adapt", trained, tmp_path / "other", lora=2, precision="bf16")) == 0
    assert beside(out, "state").is_dir()
    assert_same(tmp_path / "other", out)


def test_without_the_package_a_clear_message_says_what_to_install(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    assert main(command("adapt", trained, tmp_path / "out", lora=2)) == 2
    assert "--lora needs the package peft: pip install 'peft>=0.21.2,<0.22'" in capsys.readouterr().err
    assert main(command("adapt", trained, tmp_path / "out")) == 0, "it is needed without adapters, too"
