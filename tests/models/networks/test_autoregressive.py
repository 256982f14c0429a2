"""A causal language model that continues texts and scores them."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast, T5Config

import models
from models.adapt.data import train_tokenizer
from models.bench.untrained import NumberTokenizer
from models.checkpoints.checkpoint import is_diffusion, load_autoregressive
from models.networks.autoregressive import AutoregressiveModel
from tests.models.random_weights import ARCHITECTURES, VOCABULARY, network, tiny_llama

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)

SPECIAL = frozenset({0, 39})
PREFIXES = [[3, 8, 4], [1, 2, 3, 4, 5, 6], [7]]


def model(architecture: str = "llama", *, net: Any = None, vocabulary: int = VOCABULARY) -> AutoregressiveModel:
    net = network(architecture, is_causal=True) if net is None else net
    tokenizer = NumberTokenizer(39, special_ids=SPECIAL)
    return AutoregressiveModel("random", net, tokenizer, context=64, vocabulary=vocabulary)


def logits(net: Any, text: list[int]) -> torch.Tensor:
    """Return logits [length, vocabulary]."""
    with torch.no_grad():
        return net(input_ids=torch.tensor([text])).logits[0].double()


# Scores


@every_architecture
def test_a_score_is_the_sum_of_log_softmax_at_the_tokens(architecture):
    net = network(architecture, is_causal=True)
    prefix, rest = [3, 8, 0], [4, 39, 11, 2]
    (found,) = model(net=net).log_probabilities([prefix], [rest])
    log_p = logits(net, prefix + rest).log_softmax(-1)
    expected = [log_p[len(prefix) - 1 + j, token].item() for j, token in enumerate(rest)]
    assert found == pytest.approx(expected, abs=1e-5)


@every_architecture
def test_scores_of_a_batch_of_different_lengths_are_those_of_single_texts(architecture):
    reader = model(architecture)
    rests = [[5], [9, 1, 22, 30], []]
    batch = reader.log_probabilities(PREFIXES, rests)
    assert [len(found) for found in batch] == [1, 4, 0]
    for prefix, rest, found in zip(PREFIXES, rests, batch, strict=True):
        assert found == pytest.approx(reader.log_probabilities([prefix], [rest])[0], abs=1e-5)


def test_all_next_tokens_together_are_certain():
    rests = [[token] for token in range(VOCABULARY)]
    found = model().log_probabilities([[3, 8]] * VOCABULARY, rests)
    assert np.exp(np.concatenate(found)).sum() == pytest.approx(1, abs=1e-5)


# Continuing


@every_architecture
def test_greedy_continuing_is_taking_the_likeliest_token_again_and_again(architecture):
    net = network(architecture, is_causal=True)
    text = [3, 8, 4]
    for _ in range(9):
        last = logits(net, text)[-1]
        last[list(SPECIAL)] = float("-inf")
        text.append(int(last.argmax()))
    assert model(net=net).complete([[3, 8, 4]], 9) == [text[3:]]


@every_architecture
def test_a_batch_of_prefixes_of_different_lengths_is_continued_like_single_ones(architecture):
    writer = model(architecture)
    assert writer.complete(PREFIXES, 8) == [writer.complete([prefix], 8)[0] for prefix in PREFIXES]


@pytest.mark.parametrize("temperature", [0.0, 3.0])
def test_special_tokens_and_padded_rows_are_never_written_and_the_length_is_kept(temperature):
    net = network("llama", is_causal=True)
    net.config.eos_token_id = 0
    with torch.no_grad():
        net.lm_head.weight[[0, 34, 39]] *= 100  # loud either way
    texts = model(net=net, vocabulary=30).complete(PREFIXES * 3, 20, temperature=temperature)
    assert {len(text) for text in texts} == {20}
    assert not {token for text in texts for token in text} & {0, *range(30, 40)}


def test_draws_follow_the_softmax_at_the_temperature():
    net, runs, temperature = network("llama", is_causal=True), 6000, 0.7
    drawn = model(net=net).complete([[3, 8]] * runs, 1, temperature=temperature)
    found = Counter(token for (token,) in drawn)
    last = logits(net, [3, 8])[-1]
    last[list(SPECIAL)] = float("-inf")
    frequencies = np.array([found[token] / runs for token in range(VOCABULARY)])
    expected, unlike = ((last / heat).softmax(-1).numpy() for heat in (temperature, 1.0))
    # The mean distance is at most half of this, by the variance of each count; twice the mean is far outside.
    bound = np.sqrt(expected * (1 - expected) / runs).sum()
    assert np.abs(frequencies - expected).sum() / 2 < bound < np.abs(frequencies - unlike).sum() / 2


def test_top_p_leaves_out_the_tail():
    net = network("llama", is_causal=True)
    last = logits(net, [3, 8])[-1]
    last[list(SPECIAL)] = float("-inf")
    probabilities, order = last.softmax(-1).sort(descending=True)
    nucleus = set(order[: int((probabilities.cumsum(-1) < 0.5).sum()) + 1].tolist())
    drawn = model(net=net).complete([[3, 8]] * 400, 1, temperature=1.0, top_p=0.5)
    assert {token for (token,) in drawn} == nucleus


def test_a_seed_decides_the_draws_and_the_global_random_state_stays_as_it_was():
    writer = model()
    before = torch.random.get_rng_state()
    first, again, other = (writer.complete(PREFIXES, 12, temperature=1.0, seed=seed) for seed in (3, 3, 4))
    assert first == again != other
    assert torch.equal(before, torch.random.get_rng_state())


def test_what_the_folder_says_about_sampling_does_not_join_in():
    expected = model().complete(PREFIXES, 12)
    net = network("llama", is_causal=True)
    net.generation_config.repetition_penalty = 50.0
    net.generation_config.eos_token_id = expected[0][3]
    assert model(net=net).complete(PREFIXES, 12) == expected


def test_nothing_to_do_is_done():
    assert model().complete([], 5) == []
    assert model().complete(PREFIXES, 0) == [[], [], []]
    assert model().log_probabilities([], []) == []


def test_an_empty_prefix_and_a_text_beyond_the_context_are_refused():
    with pytest.raises(ValueError, match="nothing to continue; begin an empty prefix"):
        model().complete([[]], 3)
    with pytest.raises(ValueError, match="65 tokens do not fit: 'random' reads 64; shorten the prefix"):
        model().complete([[1] * 60], 5)
    with pytest.raises(ValueError, match="65 tokens do not fit"):
        model().log_probabilities([[1] * 60], [[1] * 5])
    assert len(model().complete([[1] * 60], 4)[0]) == 4


# Folders


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A causal checkpoint whose tokenizer knows no mask."""
    folder = tmp_path_factory.mktemp("checkpoints") / "parent"
    trained = train_tokenizer(["The little dog ran home."], 270)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained.backend_tokenizer, bos_token=trained.bos_token, eos_token=trained.eos_token
    )
    tokenizer.save_pretrained(folder)
    tiny_llama(len(tokenizer), context=48).to(torch.float16).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    """Return a copy to damage."""
    return Path(shutil.copytree(whole, tmp_path / "parent"))


def test_a_causal_folder_is_loaded_without_a_mask_token(whole):
    loaded = load_autoregressive(whole, device="cpu")
    assert (loaded.name, loaded.context) == ("parent", 48)
    assert loaded.head.weight.dtype == torch.float32
    assert load_autoregressive(whole, name="mother").name == "mother"
    ids = loaded.tokenizer.encode(" dog ran")
    assert b"".join(map(loaded.tokenizer.token_bytes, ids)) == b" dog ran"
    (text,) = loaded.complete([loaded.tokenizer.begin], 40, temperature=1.5)
    assert not set(text) & loaded.tokenizer.special_ids


def test_an_autoregressive_folder_is_not_a_denoiser(whole):
    assert not is_diffusion(whole)
    with pytest.raises(ValueError, match="has no mask token"):
        models.load(str(whole))


def test_a_diffusion_folder_is_not_an_autoregressive_model():
    assert is_diffusion(models.BUNDLED)
    with pytest.raises(ValueError, match=r"holds a diffusion model \(is_causal: false\)"):
        load_autoregressive(models.BUNDLED)


@pytest.mark.parametrize("config", [None, "not json", "[]"])
def test_a_folder_without_a_configuration_is_refused(folder, config):
    (folder / "config.json").unlink()
    if config is not None:
        (folder / "config.json").write_text(config)
    with pytest.raises(ValueError, match=r"parent is not a whole checkpoint: its config\.json"):
        load_autoregressive(folder)


def test_a_model_of_another_kind_is_refused(folder):
    T5Config(vocab_size=270).save_pretrained(folder)
    with pytest.raises(ValueError, match="of the architecture 't5'; supported are gpt2"):
        load_autoregressive(folder)


@pytest.mark.parametrize("damage", ["missing", "cut", "lacking", "without tokenizer"])
def test_a_damaged_folder_is_refused_rather_than_completed_at_random(folder, damage):
    weights = folder / "model.safetensors"
    if damage == "missing":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:2000])
    elif damage == "lacking":
        tensors = load_file(weights)
        del tensors["model.layers.0.mlp.up_proj.weight"]
        save_file(tensors, weights, {"format": "pt"})
    else:
        for file in folder.glob("token*"):
            file.unlink()
    with pytest.raises(ValueError, match="parent is not a whole checkpoint"):
        load_autoregressive(folder)


def test_a_denoiser_is_not_completed_at_random_either(folder):
    shutil.copytree(models.BUNDLED, folder, dirs_exist_ok=True)
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.3.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    assert json.loads((folder / "config.json").read_text())["is_causal"] is False
    with pytest.raises(ValueError, match=r"it has no model\.layers\.3\.mlp\.up_proj\.weight"):
        models.load(str(folder))
