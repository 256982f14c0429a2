"""Files that would be read as something else: each is read as it is meant, or refused in a line."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import models
from models.adapt.parents import read_parent, settle_mask
from models.checkpoints.checkpoint import read_network
from tests.models.checkpoints.test_formats import MASK, write
from tests.models.random_weights import ask


def restate(folder: Path, **changes: Any) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    return folder


def refused(folder: Path, **settings: Any) -> str:
    with pytest.raises(ValueError, match=folder.name) as caught:
        models.load(str(folder), **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kinds", [("sliding", "full"), ("full", "sliding"), ("full", "full"), ("sliding", "sliding")])
@pytest.mark.parametrize("window", [3, None])
def test_a_mistral_with_layer_types_sees_the_whole_suffix(tmp_path, kinds, window):
    folder = write(tmp_path / "ministral", "mistral")
    restate(folder, layer_types=[f"{kind}_attention" for kind in kinds], sliding_window=window)
    loaded = models.load(str(folder), mask_token_id=MASK)
    near, far = [5, MASK, MASK, 6, *range(10, 26), 7], [5, MASK, MASK, 6, *range(10, 26), 8]
    first, second = loaded.predict([ask(near, mask_id=MASK), ask(far, mask_id=MASK)])
    assert np.abs(first.top_probs[1] - second.top_probs[1]).max() > 1e-4  # from 20 tokens away
    plain = models.load(str(write(tmp_path / "plain", "mistral")), mask_token_id=MASK)
    (same,) = plain.predict([ask(near, mask_id=MASK)])
    assert np.abs(first.top_probs - same.top_probs).max() < 1e-6


@pytest.mark.parametrize("kinds", [["full_attention", "chunked_attention"], ["odd", "odd"], "odd", 3])
def test_layers_that_attend_in_another_way_are_refused_in_a_line(tmp_path, kinds):
    folder = restate(write(tmp_path / "other", "mistral"), layer_types=kinds)
    assert "supported are full_attention, sliding_attention" in refused(folder)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int64, torch.bool, torch.complex64])
@pytest.mark.parametrize("settings", [{}, {"quantize": "int8"}])
def test_a_weight_in_whole_numbers_without_a_scale_is_refused_by_name(tmp_path, dtype, settings):
    folder, name = write(tmp_path / "whole"), "model.layers.0.self_attn.q_proj.weight"
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {name: tensors[name].to(dtype)}, folder / "model.safetensors", {"format": "pt"})
    said = refused(folder, **settings)
    assert f"holds {name} in " in said
    assert "use the original weights" in said


def test_a_quantised_folder_may_hold_no_other_weight_in_whole_numbers(tmp_path):
    from models.checkpoints.placement import Placement

    network = read_network(write(tmp_path / "a"), placement=Placement(device="cpu", dtype="float32", quantize="int8"))
    folder = tmp_path / "mixed"
    network.save_pretrained(folder)
    assert read_network(folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] = tensors["model.norm.weight"].to(torch.int8)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"mixed holds model\.norm\.weight in I8"):
        read_network(folder)


def test_causal_masks_of_older_checkpoints_are_no_weights(tmp_path):
    folder = write(tmp_path / "old", "gpt2")
    tensors = load_file(folder / "model.safetensors")
    causal = {"transformer.h.0.attn.bias": torch.ones(1, 1, 64, 64, dtype=torch.uint8)}
    save_file(tensors | causal, folder / "model.safetensors", {"format": "pt"})
    assert models.load(str(folder)).context


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    ("encoding", "mark", "cure"),
    [
        ("utf-8", codecs.BOM_UTF8, "byte order mark; save it as UTF-8 without one"),
        ("utf-16", b"", "it is UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_in_another_encoding_is_refused_with_what_to_do(tmp_path, name, encoding, mark, cure):
    folder = write(tmp_path / "marked")
    (folder / name).write_bytes(mark + (folder / name).read_text().encode(encoding))
    said = refused(folder)
    assert name in said
    assert cure in said


def test_a_byte_order_mark_in_an_index_or_in_counts_is_named_too(tmp_path):
    folder = write(tmp_path / "parts")
    (folder / "frequencies.json").write_bytes(codecs.BOM_UTF8 + b"{}")
    assert "frequencies.json cannot be read (it begins with a byte order mark" in refused(folder)
    network = read_network(folder)
    (folder / "model.safetensors").unlink()
    network.save_pretrained(folder, max_shard_size="100KB")
    index = folder / "model.safetensors.index.json"
    index.write_bytes(codecs.BOM_UTF8 + index.read_bytes())
    assert "model.safetensors.index.json cannot be read (it begins with a byte order mark" in refused(folder)


def test_a_config_nested_without_end_is_refused_in_a_line(tmp_path):
    folder = write(tmp_path / "deep")
    (folder / "config.json").write_text("[" * 100_000)
    assert "config.json cannot be read" in refused(folder)


@pytest.mark.parametrize("stated", ["512", [512], -1, 0, 1.5, True])
def test_an_adapted_context_that_is_no_number_of_tokens_is_refused(tmp_path, stated):
    folder = restate(write(tmp_path / "context", is_causal=False), adapted_context=stated)
    assert "adapted_context" in refused(folder)


@pytest.mark.parametrize("stated", ["1", [1], -1])
def test_a_parent_whose_mask_is_not_a_token_id_cannot_be_trained(tmp_path, stated):
    folder = restate(write(tmp_path / "parent", is_causal=False), mask_token_id=stated)
    vocabulary, network = read_parent(str(folder))
    with pytest.raises(ValueError, match=r"mask token id of .*parent' must be a whole number from 0 to 299"):
        settle_mask(network, vocabulary, new=None, id_=None)
    assert settle_mask(network, vocabulary, new=None, id_=7) == 7


def test_what_is_wrong_with_a_checkpoint_is_said_once_and_not_in_a_table(tmp_path, capfd):
    folder = restate(write(tmp_path / "more", is_causal=False), mask_token_id=-1)
    capfd.readouterr()
    refused(folder)
    tensors = load_file(folder / "model.safetensors")
    name = "model.layers.0.self_attn.q_proj.bias"
    save_file(tensors | {name: torch.ones(64)}, folder / "model.safetensors", {"format": "pt"})
    assert name in refused(folder)
    assert capfd.readouterr().err == ""
