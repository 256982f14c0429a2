"""The commands: the choice of the mask token, accepted parents, and the folders written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

import models
from models.adapt.__main__ import main
from models.adapt.data import MASK
from models.adapt.parents import read_parent
from tests.models.adapt.runs import VOCABULARY, command, curve, fill


@pytest.mark.parametrize("whole", ["parent", "child"])
def test_a_saved_folder_is_loaded_and_fills_a_gap(trained, whole):
    denoiser = models.load(str(trained / whole))
    assert (denoiser.name, denoiser.context, denoiser.tokenizer.mask_id) == (str(trained / whole), 32, 1)
    text = fill(trained / whole)
    assert text.startswith("The little dog")
    assert text.endswith(" home.")
    assert MASK not in text
    saved = load_file(trained / whole / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.float16}
    assert "lm_head.weight" not in saved, "a tied head was written twice"
    assert json.loads((trained / whole / "config.json").read_text())["dtype"] == "float16"


def test_the_child_says_that_it_is_no_causal_model_and_the_parent_does_not(trained):
    configs = [json.loads((trained / name / "config.json").read_text()) for name in ("parent", "child")]
    assert [config.get("is_causal") for config in configs] == [None, False]
    assert [config.get("mask_token_id") for config in configs] == [None, 1]


def test_what_is_saved_is_what_was_trained_but_for_its_precision(trained):
    folder = load_file(trained / "child" / "model.safetensors")
    state = load_file(trained / "child.state" / "model.safetensors")
    for name, tensor in folder.items():
        assert torch.equal(tensor, state[f"network.{name}"].half())


@pytest.mark.parametrize("stage", ["adapt", "finetune"])
def test_a_gpt2_is_adapted_and_fine_tuned_as_well(corpus, gpt2, tmp_path, stage):
    assert main(command(stage, corpus, tmp_path / "out", model=gpt2)) == 0
    assert fill(tmp_path / "out").endswith(" home.")


def test_a_parent_is_read_with_the_attention_that_takes_a_mask_of_booleans(trained):
    """Another one ("eager") adds them to the scores, and the suffix is seen from the first step on."""
    assert read_parent(str(trained / "parent"))[1].config._attn_implementation == "sdpa"


# The mask


@pytest.fixture
def maskless(trained, tmp_path) -> Path:
    """The parent, as one from elsewhere is: its tokenizer has no mask."""
    folder = tmp_path / "maskless"
    shutil.copytree(trained / "parent", folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    plain = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>"
    )
    plain.save_pretrained(folder)
    assert AutoTokenizer.from_pretrained(folder).mask_token_id is None
    return folder


def test_a_parent_without_a_mask_is_refused_with_both_ways_to_give_one(trained, maskless, tmp_path, capsys):
    assert main(command("adapt", trained, tmp_path / "out", model=maskless)) == 2
    error = capsys.readouterr().err
    assert "add one with --mask-token '<|mask|>', or reuse a rare token with --mask-token-id" in error
    with pytest.raises(ValueError, match="no mask token"):
        models.load(str(maskless))


def test_a_new_mask_token_grows_the_vocabulary_and_is_saved_with_the_tokenizer(trained, maskless, tmp_path):
    out = tmp_path / "out"
    assert main(command("adapt", trained, out, model=maskless, mask_token="<gap>")) == 0
    tokenizer, network = AutoTokenizer.from_pretrained(out), AutoModelForCausalLM.from_pretrained(out)
    assert (tokenizer.mask_token, tokenizer.mask_token_id, len(tokenizer)) == ("<gap>", VOCABULARY, VOCABULARY + 1)
    rows = load_file(out / "model.safetensors")["model.embed_tokens.weight"].shape[0]
    assert network.config.vocab_size == rows > VOCABULARY
    assert models.load(str(out)).tokenizer.mask_id == VOCABULARY
    assert "<gap>" not in fill(out)
    assert main(command("adapt", trained, tmp_path / "next", model=out)) == 0, "the child is no parent"


def test_a_new_mask_token_begins_the_same_in_every_run(trained, maskless, tmp_path):
    outs = [tmp_path / name for name in ("first", "second")]
    for seed, out in enumerate(outs):
        torch.manual_seed(seed)
        assert main(command("adapt", trained, out, model=maskless, mask_token="<gap>", steps=1)) == 0
    assert curve(outs[0]) == curve(outs[1])


def test_a_new_mask_token_takes_the_place_of_the_parents_own(trained, tmp_path):
    out = tmp_path / "out"
    assert main(command("adapt", trained, out, model=trained / "child", mask_token="<gap>", steps=1)) == 0
    assert models.load(str(out)).tokenizer.mask_id == VOCABULARY


@pytest.mark.parametrize("own", [True, False])
def test_a_token_that_is_re_used_as_the_mask_is_remembered_by_the_config(trained, maskless, tmp_path, own):
    """Even where the tokenizer has a mask of its own: the model never saw that one."""
    out = tmp_path / "out"
    parent = trained / "parent" if own else maskless
    assert main(command("adapt", trained, out, model=parent, mask_token_id=7, steps=1)) == 0
    assert json.loads((out / "config.json").read_text())["mask_token_id"] == 7
    assert AutoTokenizer.from_pretrained(out).mask_token_id == (1 if own else None)
    assert models.load(str(out)).tokenizer.mask_id == 7
    fill(out)
    assert main(command("finetune", trained, tmp_path / "next", model=out, steps=1)) == 0
    assert models.load(str(tmp_path / "next")).tokenizer.mask_id == 7, "the next stage forgot it"


@pytest.mark.parametrize("id_", [-1, VOCABULARY])
def test_a_mask_outside_the_vocabulary_is_refused(trained, tmp_path, capsys, id_):
    arguments = command("adapt", trained, tmp_path / "out", mask_token_id=None)
    assert main([*arguments, f"--mask-token-id={id_}"]) == 2
    assert f"--mask-token-id {id_} is not in the vocabulary of {VOCABULARY} tokens" in capsys.readouterr().err


# Parents that do not fit


@pytest.mark.parametrize("stage", ["adapt", "finetune", "ablate"])
@pytest.mark.parametrize("parent", ["parent", "gpt2"])
def test_a_context_longer_than_the_models_is_refused(trained, gpt2, tmp_path, capsys, stage, parent):
    assert main(command(stage, trained, tmp_path / "out", model=trained / parent, context=33)) == 2
    assert "--context 33 is more than the 32 tokens that the model reads" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["adapt", "ablate"])
def test_a_tokenizer_larger_than_the_network_is_refused(trained, tokenizer, tmp_path, capsys, stage):
    shutil.copytree(trained / "parent", tmp_path / "parent")
    tokenizer.save_pretrained(tmp_path / "parent")
    assert main(command(stage, trained, tmp_path / "out", model=tmp_path / "parent")) == 2
    assert "the tokenizer has 300 tokens, but the network only 280" in capsys.readouterr().err


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_a_layer(path: Path) -> None:
    kept = {name: tensor for name, tensor in load_file(path).items() if "up_proj" not in name}
    save_file(kept, path, {"format": "pt"})


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("model.safetensors", cut, "model.safetensors is damaged"),
        ("model.safetensors", Path.unlink, "it has no model.safetensors; copy or download it again"),
        ("model.safetensors", without_a_layer, "it has no model.layers.0.mlp.up_proj.weight"),
        ("tokenizer.json", Path.unlink, "it needs a tokenizer.json"),
        ("tokenizer.json", cut, "no tokenizer can be read from it"),
        ("config.json", cut, "its config.json cannot be read"),
    ],
)
def test_a_damaged_parent_is_refused_by_name(trained, tmp_path, capsys, name, damage, said):
    parent = tmp_path / "parent"
    shutil.copytree(trained / "parent", parent)
    damage(parent / name)
    assert main(command("adapt", trained, tmp_path / "out", model=parent)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert f"{parent} is not a whole checkpoint" in error
    assert [each.name for each in tmp_path.iterdir()] == ["parent"]


def test_a_folder_with_something_else_in_it_is_not_written_over(trained, tmp_path, capsys):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("years")
    assert main(command("adapt", trained, tmp_path / "work")) == 2
    assert "work exists and is not a checkpoint folder; choose another --out" in capsys.readouterr().err
    assert (tmp_path / "work" / "thesis.txt").read_text() == "years"
    (tmp_path / "empty").mkdir()
    assert main(command("adapt", trained, tmp_path / "empty", steps=1)) == 0


def test_a_text_that_is_missing_or_no_place_to_write_is_a_mistake_and_no_crash(trained, tmp_path, capsys):
    assert main(command("adapt", trained, tmp_path / "out", text=tmp_path / "nowhere.txt")) == 2
    assert "nowhere.txt" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(command("adapt", trained, tmp_path / "file" / "out")) == 2
    assert "File exists" in capsys.readouterr().err
