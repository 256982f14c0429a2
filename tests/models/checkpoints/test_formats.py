"""Storage formats of checkpoints, and errors for those that cannot be read."""

from __future__ import annotations

import gc
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    T5Config,
)

import models
from models.adapt.data import train_tokenizer
from models.catalogue import BUNDLED, CATALOGUE, Source
from models.checkpoints.checkpoint import load_denoiser, read_network
from models.checkpoints.placement import Placement
from models.checkpoints.tokenizer import TextTokenizer
from tests.models.random_weights import ask

GOLDEN = Path(__file__).parents[2] / "golden"
MASK = 299
WORDS = ["the cat sat on the mat and the dog ran to the hat"] * 4
SIZES: dict[str, Any] = {"vocab_size": 300, "bos_token_id": 0, "eos_token_id": 0}
ROPE: dict[str, Any] = {
    **SIZES,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
}
CONFIGS = {
    "gpt2": GPT2Config(**SIZES, n_embd=64, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3),
    "llama": LlamaConfig(**ROPE),
    "qwen2": Qwen2Config(**ROPE),
    "mistral": MistralConfig(**ROPE, sliding_window=3),
    "qwen2 with a window": Qwen2Config(**ROPE, use_sliding_window=True, sliding_window=3, max_window_layers=0),
}


def write(folder: Path, architecture: str = "llama", *, mask: bool = True, **changes: Any) -> Path:
    """A checkpoint folder of random weights; with `mask` its tokenizer has one."""
    torch.manual_seed(0)
    config = type(CONFIGS[architecture])(**{**CONFIGS[architecture].to_dict(), **changes})
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer = train_tokenizer(WORDS, 280)
    if not mask:
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, eos_token="<|endoftext|>")
    tokenizer.save_pretrained(folder)
    return folder


def wrap(folder: Path) -> Path:
    """Store a checkpoint as DiffuGPT is: under the wrapper module's names, without the tied head."""
    weights = load_file(folder / "model.safetensors")
    body = "transformer" if any(name.startswith("transformer.") for name in weights) else "model"
    embedding = f"{body}.wte." if body == "transformer" else f"{body}.embed_tokens."
    renamed = {
        name.replace(embedding, "embed_tokens.")
        if name.startswith(embedding)
        else name.replace(f"{body}.", "denoise_model.", 1): tensor
        for name, tensor in weights.items()
    }
    save_file(renamed, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.parametrize("folder", ["llama", "gpt2"])
def test_golden_logits_are_read_from_both_formats(folder):
    network = read_network(GOLDEN / folder)
    network.config.is_causal = False
    reference = load_file(GOLDEN / folder / "reference.safetensors")
    with torch.inference_mode():
        logits = network(input_ids=reference["input_ids"]).logits
    assert (logits - reference["logits"]).abs().max() < 1e-5


@pytest.mark.parametrize("architecture", CONFIGS)
def test_every_architecture_sees_the_suffix_whole_and_wrapped(tmp_path, architecture):
    plain = models.load(str(write(tmp_path / "plain", architecture)), mask_token_id=MASK)
    near, far = [5, MASK, MASK, 6, *range(10, 26), 7], [5, MASK, MASK, 6, *range(10, 26), 8]
    first, second = plain.predict([ask(near, mask_id=MASK), ask(far, mask_id=MASK)])
    assert np.abs(first.top_probs[1] - second.top_probs[1]).max() > 1e-4  # from 20 tokens away
    wrapped = models.load(str(wrap(write(tmp_path / "wrapped", architecture))), mask_token_id=MASK)
    (again,) = wrapped.predict([ask(near, mask_id=MASK)])
    assert np.abs(first.top_probs - again.top_probs).max() < 1e-6


def test_a_wrapped_vocabulary_may_have_more_rows_than_its_config_says(tmp_path):
    folder = wrap(write(tmp_path / "padded", "gpt2"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 299}))
    assert models.load(str(folder), mask_token_id=MASK).tokenizer.mask_id == MASK


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@pytest.mark.parametrize("quantize", ["nf4", "fp4", "int8"])
def test_quantised_networks_are_near_the_original_and_whole_after_being_saved(tmp_path, architecture, quantize):
    folder = wrap(write(tmp_path / "original", architecture))
    ids = torch.tensor([[5, 6, MASK, MASK, 7, 8]])
    with torch.inference_mode():
        exact = read_network(folder)(input_ids=ids).logits
        network = read_network(folder, placement=Placement(device="cpu", dtype="float32", quantize=quantize))
        network.save_pretrained(tmp_path / "saved", save_original_format=False)
        rough = network(input_ids=ids).logits
        again = read_network(tmp_path / "saved")(input_ids=ids).logits
    distance = (rough - exact).norm() / exact.norm()
    assert 1e-4 < distance < {"int8": 0.1, "nf4": 0.6, "fp4": 0.9}[quantize]
    assert torch.equal(rough, again)


def test_what_is_stored_quantised_is_not_quantised_in_another_way(tmp_path):
    network = read_network(write(tmp_path / "a"), placement=Placement(device="cpu", dtype="float32", quantize="nf4"))
    network.save_pretrained(tmp_path / "b")
    train_tokenizer(WORDS, 280).save_pretrained(tmp_path / "b")
    assert models.load(str(tmp_path / "b"), quantize="nf4")
    with pytest.raises(ValueError, match="is stored in nf4; leave out --quantize"):
        models.load(str(tmp_path / "b"), quantize="int8")


def test_four_bits_on_a_cpu_need_widths_that_its_kernels_can_take(tmp_path):
    folder = write(tmp_path / "narrow", hidden_size=48)
    with pytest.raises(ValueError, match=r"multiple of 64, and .*narrow has 48; use int8"):
        models.load(str(folder), quantize="nf4")


def test_what_does_not_fit_into_memory_is_spread_over_memory_and_disk(tmp_path, monkeypatch):
    folder = write(tmp_path / "large")
    whole = models.load(str(folder))
    monkeypatch.setattr("accelerate.utils.modeling.get_max_memory", lambda *_: {"cpu": 150_000})
    monkeypatch.setattr("transformers.integrations.accelerate.get_max_memory", lambda *_: {"cpu": 150_000})
    offloaded = tmp_path / "temporary"
    offloaded.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(offloaded))
    spread: Any = models.load(str(folder), device="spread")
    gc.collect()
    assert any(offloaded.glob("offload-*"))
    assert any(weight.is_meta for weight in spread.body.parameters())
    query = ask([5, whole.tokenizer.mask_id, 7], mask_id=whole.tokenizer.mask_id)
    (first,), (second,) = whole.predict([query]), spread.predict([query])
    assert np.abs(first.top_probs - second.top_probs).max() < 1e-6
    del spread
    gc.collect()
    assert not list(offloaded.iterdir()), "what lay on the disk stays there"
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-8])
    with pytest.raises(ValueError, match="is not a whole checkpoint"):
        read_network(folder, placement=Placement(device="spread", dtype="float32"))
    assert not list(offloaded.iterdir())


def test_a_checkpoint_that_does_not_say_it_was_adapted_is_read_with_a_warning(tmp_path):
    (notice,) = models.load(str(write(tmp_path / "plain"))).notices
    assert "plain' does not say that it was adapted" in notice
    assert models.load(str(write(tmp_path / "adapted", is_causal=False))).notices == ()
    assert models.load(str(wrap(write(tmp_path / "wrapped")))).notices == ()
    assert models.load("bundled").notices == ()


def test_static_shapes_and_the_dual_cache_are_switched_on_by_name():
    loaded: Any = models.load("bundled", static=True)
    assert loaded.static
    loaded = models.load("bundled", dual_cache=3)
    assert (loaded.refresh, loaded.compared) == (3, False)
    loaded = models.load("bundled", dual_cache=3, compare_cache=True)
    assert loaded.compared
    with pytest.raises(ValueError, match="1 or more, not 0"):
        models.load("bundled", dual_cache=0)
    with pytest.raises(ValueError, match="which 'toy' is not"):
        models.load("toy", dual_cache=2)


def source(folder: Path, **facts: Any) -> Source:
    return Source(name="published", folder=folder, adapted=True, **facts)


CPU = Placement(device="cpu", dtype="float32")


def test_the_mask_is_as_asked_or_the_tokenizers_or_the_catalogues(tmp_path):
    own, none = write(tmp_path / "own"), write(tmp_path / "none", mask=False)
    assert models.load(str(own)).tokenizer.mask_id == 1
    assert models.load(str(own), mask_token_id=12).tokenizer.mask_id == 12
    assert load_denoiser(none, source(none, mask_id=7), CPU).tokenizer.mask_id == 7
    assert load_denoiser(own, source(own, mask_id=1, context=32), CPU).context == 32
    with pytest.raises(ValueError, match=r"has no mask token .* --mask-token-id"):
        load_denoiser(none, source(none), CPU)
    said = r"none' does not say that it was adapted .* `python -m models.adapt adapt --model .*none` .* --mask-token-id"
    with pytest.raises(ValueError, match=said):
        models.load(str(none))
    with pytest.raises(ValueError, match=r"mask is token 1, but it was published with 7; .* --mask-token-id"):
        load_denoiser(own, source(own, mask_id=7), CPU)
    with pytest.raises(ValueError, match=r"--mask-token-id 300 is not in the vocabulary of '.*own', 0 to 299"):
        models.load(str(own), mask_token_id=300)
    with pytest.raises(ValueError, match="is token 811, but the network has only 300"):
        load_denoiser(none, source(none, mask_id=811), CPU)


@pytest.mark.parametrize("stated", ["1", [1], -1, 1.5, True])
def test_a_mask_id_that_is_not_a_token_id_is_refused_in_a_line(tmp_path, stated):
    folder = write(tmp_path / "odd", is_causal=False)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"mask_token_id": stated}))
    with pytest.raises(ValueError, match=r"^.*odd.*") as caught:
        models.load(str(folder))
    assert "\n" not in str(caught.value)
    assert "mask_token_id" in str(caught.value)


def test_published_facts_are_those_of_the_paper_and_its_code():
    facts = {name: (entry.mask_id, entry.context) for name, entry in CATALOGUE.items() if entry.repo}
    assert facts == {"diffugpt-s": (10541, 512), "diffugpt-m": (50257, 1024), "diffullama": (811, 2048)}


def test_names_are_catalogue_entries_folders_or_hub_names(tmp_path):
    assert models.find("toy") is None
    assert models.find("diffusionfamily/diffullama") is CATALOGUE["diffullama"]
    assert models.find("somebody/else") == Source(name="somebody/else", repo="somebody/else")
    folder = write(tmp_path / "bundled")  # of its own, whatever it is called
    assert models.find(str(folder)) == Source(name=str(folder), folder=folder)
    assert models.load(str(folder)).judge is None
    assert models.find(str(BUNDLED)) is CATALOGUE["bundled"]
    with pytest.raises(ValueError, match=r"no model 'difullama' \(did you mean diffullama\?\): give one of bundled"):
        models.find("difullama")
    with pytest.raises(ValueError, match="no model 'a/b/c'"):
        models.find("a/b/c")


def test_mismatched_weights_or_tokenizers_and_pickles_are_refused(tmp_path):
    folder = write(tmp_path / "shapes")
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "model.norm.weight": torch.ones(7)}, folder / "model.safetensors", {"format": "pt"})
    wrong = r"its model.norm.weight has the shape \[7\], but its config.json says \[64\]; download the folder again"
    with pytest.raises(ValueError, match=wrong):
        models.load(str(folder))
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"has no model.norm.weight; download the folder again"):
        models.load(str(folder))

    folder = write(tmp_path / "tokens", vocab_size=270)
    with pytest.raises(ValueError, match=r"has 280 tokens, but the network only 270: .*; add the tokenizer that was"):
        models.load(str(folder))

    folder = write(tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"has only pickled weights \(pytorch_model.bin\), which can run code"):
        models.load(str(folder))

    folder = tmp_path / "other"
    shutil.copytree(write(tmp_path / "t5"), folder)
    T5Config(vocab_size=270).save_pretrained(folder)
    with pytest.raises(ValueError, match="architecture 't5'; supported are gpt2, llama, qwen2, mistral"):
        models.load(str(folder))


@pytest.mark.parametrize("architecture", [name for name in CONFIGS if " " not in name])
@pytest.mark.parametrize("told_by", ["architectures", "tensors", "tensors of the wrapper"])
def test_a_config_without_its_type_is_read_by_its_class_or_by_the_tensors(tmp_path, architecture, told_by):
    folder, wrapped = write(tmp_path / "some", architecture), told_by == "tensors of the wrapper"
    whole = read_network(folder).state_dict()
    config = json.loads((folder / "config.json").read_text())
    classes = {"architectures": config["architectures"]} if told_by == "architectures" else {}
    if wrapped:
        wrap(folder)
        classes["architectures"] = ["DiscreteDiffusionModel"]
    del config["model_type"], config["architectures"]
    (folder / "config.json").write_text(json.dumps(config | classes))
    network = read_network(folder)
    known = {"mistral": "llama"} if told_by != "architectures" else {}
    assert network.config.model_type == known.get(architecture, architecture)
    assert all(torch.equal(tensor, whole[name]) for name, tensor in network.state_dict().items())
    models.load(str(folder))


@pytest.mark.parametrize(
    "name", ["model.layers.0.self_attn.q_proj.bias", "model.layers.1.self_attn.q_norm.weight", "model.extra.weight"]
)
def test_a_tensor_without_a_place_in_the_architecture_is_refused_by_name(tmp_path, name):
    folder = write(tmp_path / "more")
    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, name: torch.ones(3)}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=f"more holds {re.escape(name)}, for which the architecture"):
        models.load(str(folder))


def test_buffers_of_older_checkpoints_are_ignored(tmp_path):
    folder = write(tmp_path / "old")
    tensors = load_file(folder / "model.safetensors")
    buffers = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    save_file({**tensors, **buffers}, folder / "model.safetensors", {"format": "pt"})
    assert models.load(str(folder)).context


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_refused_by_name(tmp_path, value):
    folder = write(tmp_path / "odd")
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][2] = value
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"odd is damaged: its model\.norm\.weight has values that are not finite"):
        models.load(str(folder))


def test_a_config_without_any_sign_of_its_type_is_refused_with_what_to_add(tmp_path):
    folder = write(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    del config["model_type"], config["architectures"]
    (folder / "config.json").write_text(json.dumps(config))
    save_file({"some.weight": torch.ones(3)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"has no model_type; add one of gpt2, llama, qwen2, mistral$"):
        models.load(str(folder))
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["GemmaForCausalLM"]}))
    with pytest.raises(ValueError, match=r"architecture 'gemma'; supported are gpt2"):
        models.load(str(folder))


def test_a_checkpoint_in_several_files_that_lacks_one_is_refused(tmp_path):
    write(tmp_path)
    network = read_network(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    network.save_pretrained(tmp_path, max_shard_size="100KB")
    whole: Any = models.load(str(tmp_path))
    assert whole.vocabulary == 280
    next(tmp_path.glob("model-00002-*.safetensors")).unlink()
    with pytest.raises(ValueError, match="it has no model-00002-of-"):
        models.load(str(tmp_path))


def sentencepiece(*, legacy: bool) -> PreTrainedTokenizerFast:
    """LLaMA's rules: ▁ for spaces, one before every text, bytes where a character is not known."""
    letters = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *"▁catsd"]
    merges = [("▁", "c"), ("▁c", "a"), ("▁ca", "t"), ("c", "a"), ("ca", "t"), ("▁", "▁")]
    vocabulary = [*letters, *(left + right for left, right in merges)]
    backend = Tokenizer(
        BPE({piece: id_ for id_, piece in enumerate(vocabulary)}, merges, unk_token="<unk>", byte_fallback=True)
    )
    if legacy:
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


@pytest.mark.parametrize("legacy", [True, False])
def test_sentencepiece_puts_its_space_before_a_text_and_not_after_a_gap(legacy):
    tokenizer = TextTokenizer(sentencepiece(legacy=legacy))

    def pieces(text: str, *, opening: bool = False) -> list[bytes]:
        return [tokenizer.token_bytes(token) for token in tokenizer.encode(text, opening=opening)]

    assert pieces("cat", opening=True) == [b" cat"]  # as LLaMA was trained
    assert pieces("cat") == [b"cat"]
    assert pieces(" cat") == [b" cat"]
    assert pieces("", opening=True) == []
    for text in ("cats", " cats  cats", "é☃ cat", "<s>cat</s>", "cat\n cat", ""):
        ids = tokenizer.encode(text)
        assert b"".join(map(tokenizer.token_bytes, ids)).decode() == text
        assert not set(ids) & {1, 2}
