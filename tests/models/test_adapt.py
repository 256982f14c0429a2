"""The adaptation recipe at a tiny size: data, objective, trainer, and the commands that join them."""

from __future__ import annotations

import json
import lzma
import math
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

import models
from app.infill import infill
from app.request import InfillRequest
from models.adapt import trainer
from models.adapt.__main__ import main
from models.adapt.data import END_OF_TEXT, MASK, Packed, read_records, train_tokenizer
from models.adapt.objective import (
    T_MIN,
    absorb,
    annealed_attention,
    diffusion_loss,
    low_discrepancy_times,
    next_token_loss,
)
from models.adapt.trainer import Schedule, save_folder

STORIES = [
    "The little dog ran home.\nHe was very happy.",
    "A cat sat on the mat.\nIt saw a bird.\nThe bird flew away.",
    "Mia had a red ball.\nShe gave the ball to Tom.",
    "Es war einmal ein müdes Kätzchen – 🐈.",
]
TEXT = "".join(f"{story}\n{END_OF_TEXT}\n" for story in STORIES * 3)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(STORIES, 300)


# Data


@pytest.mark.parametrize("name", ["text.txt", "text.txt.xz"])
def test_records_are_read_plain_or_compressed(tmp_path, name):
    path = tmp_path / name
    raw = f"one\ntwo\n{END_OF_TEXT}\n\n{END_OF_TEXT}\nthree 🐈\n".encode()
    path.write_bytes(lzma.compress(raw) if path.suffix == ".xz" else raw)
    assert read_records(path) == read_records(str(path)) == ["one\ntwo", "three 🐈"]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_text_that_is_not_utf_8_is_refused_with_the_place(tmp_path, compressed):
    path = tmp_path / ("text.xz" if compressed else "text")
    raw = "añ".encode() + b"\xff and more"
    path.write_bytes(lzma.compress(raw) if compressed else raw)
    with pytest.raises(ValueError, match=r"text(\.xz)? is not UTF-8 at byte 3; convert it"):
        read_records(path)


@pytest.mark.parametrize(
    "text", ["The little dog", "naïve\n\tשלום  👩‍👩‍👧 \x00", "", " leading and trailing ", "don't , stop .", "ﷺ日本"]
)
def test_the_tokenizer_brings_back_every_text(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_tokenizer_has_an_end_and_a_mask_and_learns_both_forms_of_a_line_break(tokenizer):
    assert tokenizer.convert_tokens_to_ids([END_OF_TEXT, MASK]) == [0, 1]
    assert (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.mask_token_id) == (0, 0, 1)
    assert len(tokenizer) == 300
    one_line = train_tokenizer(["the\nbird"] * 9, 300)
    assert {"Ġbird", "bird"} <= set(one_line.get_vocab())


def packed(tokenizer: PreTrainedTokenizerFast, *, seed: int = 0, context: int = 16) -> Packed:
    return Packed(STORIES * 3, tokenizer, context=context, seed=seed)


def first_batches(data: Packed, count: int, *, size: int = 2, skip: int = 0) -> list[list[list[int]]]:
    return [batch.tolist() for batch, _ in zip(data.batches(size, skip=skip), range(count), strict=False)]


def test_the_same_seed_gives_the_same_batches_and_another_one_others(tokenizer):
    first, again, other = (first_batches(packed(tokenizer, seed=seed), 20) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert np.shape(first) == (20, 2, 16)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_skipped_batches_are_those_that_would_have_been_drawn(tokenizer, size):
    epoch = len(packed(tokenizer).epoch(0)) // size
    straight = first_batches(packed(tokenizer), 2 * epoch + 6, size=size)
    for skip in (0, 1, epoch - 1, epoch, epoch + 1, 2 * epoch + 1):
        assert first_batches(packed(tokenizer), 5, size=size, skip=skip) == straight[skip : skip + 5]


def test_every_epoch_has_another_order_and_other_cuts(tokenizer):
    data = packed(tokenizer)
    first, second = data.epoch(0).tolist(), data.epoch(1).tolist()
    assert first != second
    assert packed(tokenizer).epoch(1).tolist() == second, "an epoch depends on the one before it"
    alone = "".join(STORIES).replace("\n", " ")  # a single record can only be cut elsewhere
    single = Packed([alone], tokenizer, context=16, seed=0)
    assert not {tuple(chunk) for chunk in single.epoch(0)} & {tuple(chunk) for chunk in single.epoch(1)}


def test_line_breaks_are_kept_in_some_records_and_turned_into_spaces_in_others(tokenizer):
    data = Packed(["one\ntwo"] * 40, tokenizer, context=64, seed=0)
    text = tokenizer.decode(data.epoch(0).reshape(-1))
    whole = text.split(END_OF_TEXT)
    assert whole.count("one\ntwo") > 5
    assert whole.count("one two") > 5


def test_records_are_joined_by_the_end_of_text(tokenizer):
    data = Packed(["ab"] * 30, tokenizer, context=6, seed=1)
    pattern = [*tokenizer("ab")["input_ids"], 0]
    (period,) = {tuple(pattern[i:] + pattern[:i]) for i in range(len(pattern))} & {
        tuple(data.epoch(0)[0][: len(pattern)].tolist())
    }
    assert sorted(period) == sorted(pattern)


def test_a_text_that_is_too_short_is_refused(tokenizer):
    with pytest.raises(ValueError, match="shorter than one context of 500"):
        Packed(["a"], tokenizer, context=500, seed=0).epoch(0)
    with pytest.raises(ValueError, match="do not fill one batch of 100"):
        next(packed(tokenizer).batches(100, skip=0))


# Objective


@pytest.mark.parametrize("count", [1, 2, 8, 33])
@pytest.mark.parametrize("seed", range(5))
def test_there_is_one_noise_level_in_every_stratum(count, seed):
    times = low_discrepancy_times(count, generator(seed)).double()
    assert times.min() >= T_MIN
    assert times.max() <= 1
    strata = ((times - T_MIN) / (1 - T_MIN) * count + 1e-4).floor()
    assert sorted(strata.tolist()) == list(range(count))


def test_noise_levels_come_in_random_order_and_elsewhere_in_their_strata_each_time():
    first, second = (low_discrepancy_times(16, generator(seed)) for seed in (0, 1))
    assert first.argsort().tolist() != second.argsort().tolist()
    assert (first.sort().values - second.sort().values).abs().min() > 1e-3


def test_about_t_of_the_tokens_become_the_mask_and_the_others_stay():
    ids = torch.arange(4000).expand(5, -1) + 100
    times = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    noised, masked = absorb(ids, times, 7, generator())
    assert masked.float().mean(1).tolist() == pytest.approx(times.tolist(), abs=0.03)
    assert masked[0].sum() == 0
    assert masked[-1].all()
    assert (noised[masked] == 7).all()
    assert torch.equal(noised[~masked], ids[~masked])
    assert (masked[1] & ~masked[2]).any(), "sequences share their noise"


def test_attention_is_causal_at_first_and_full_at_last():
    causal = annealed_attention(9, 0.0, generator())
    assert causal is not None
    assert torch.equal(causal[0, 0], torch.ones(9, 9, dtype=torch.bool).tril())
    assert annealed_attention(9, 1.0, generator()) is None
    assert annealed_attention(9, 1.5, generator()) is None


def test_in_between_a_share_of_the_future_is_seen_and_all_of_the_past():
    attention = annealed_attention(200, 0.3, generator())
    assert attention is not None
    assert attention.shape == (1, 1, 200, 200)
    past = torch.ones(200, 200, dtype=torch.bool).tril()
    assert attention[0, 0][past].all()
    assert attention[0, 0][~past].float().mean().item() == pytest.approx(0.3, abs=0.02)


class Fixed:
    """A model in shape, whose logits at every position are given and which remembers what it was shown."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits, self.lm_head = logits, torch.nn.Identity()
        self.shown: dict[str, Any] = {}

    def model(self, input_ids: torch.Tensor, **shown: Any) -> SimpleNamespace:
        self.shown = {"ids": input_ids, **shown}
        return SimpleNamespace(last_hidden_state=self.logits[:, : input_ids.shape[1]])


def test_the_loss_is_the_cross_entropy_one_output_before_each_mask_over_t():
    model = Fixed(torch.randn(3, 6, 11, generator=generator(5)))
    ids = torch.randint(0, 10, (3, 6), generator=generator(6))
    times = torch.tensor([0.4, 0.7, 0.95])
    attention = annealed_attention(6, 0.5, generator())
    noised, masked = absorb(ids, times, 10, generator(1))
    assert masked[:, 0].any(), "a mask in position 0 must not count"
    assert not masked.all()
    total = 0.0
    for row in range(3):
        for place in range(1, 6):
            if masked[row, place]:
                log_probs = model.logits[row, place - 1].log_softmax(-1)
                total -= float(log_probs[ids[row, place]]) / float(times[row])
    value = diffusion_loss(model, ids, times, 10, attention, generator(1))
    assert value.item() == pytest.approx(total / (3 * 5), rel=1e-5)
    assert torch.equal(model.shown["ids"], noised)
    assert model.shown["attention_mask"] is attention


def test_the_loss_of_a_model_that_knows_nothing_is_that_of_guessing():
    ids = torch.randint(0, 10, (400, 33), generator=generator(6))
    times = low_discrepancy_times(400, generator(2))
    value = diffusion_loss(Fixed(torch.zeros(400, 33, 11)), ids, times, 10, None, generator(3))
    assert value.item() == pytest.approx(math.log(11), rel=0.1)


def test_without_a_mask_the_loss_is_zero_and_not_undefined():
    value = diffusion_loss(
        Fixed(torch.zeros(1, 2, 11)), torch.tensor([[1, 2]]), torch.tensor([0.0]), 10, None, generator()
    )
    assert value.item() == 0


def test_the_next_token_loss_reads_every_output_but_the_last():
    model = Fixed(torch.randn(2, 5, 11, generator=generator(5)))
    ids = torch.randint(0, 11, (2, 5), generator=generator(6))
    expected = functional.cross_entropy(model.logits[:, :4].reshape(-1, 11), ids[:, 1:].reshape(-1))
    assert next_token_loss(model, ids).item() == pytest.approx(expected.item(), rel=1e-6)
    assert torch.equal(model.shown["ids"], ids[:, :-1])


# Trainer


def test_the_learning_rate_warms_up_and_falls_to_a_fiftieth():
    schedule = Schedule(steps=100, batch=1, learning_rate=2.0, warmup=10)
    rates = [schedule.rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9] == rates[10] == 2.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.04)


STEPS, SAVE_EVERY = 6, 3


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "train.txt").write_text(TEXT, encoding="utf-8")
    (folder / "valid.txt.xz").write_bytes(lzma.compress(TEXT.encode()))
    main(["tokenizer", "--text", str(folder / "train.txt"), "--out", str(folder / "tokenizer"), "--vocab-size", "280"])
    return folder


def stage(name: str, corpus: Path, out: Path, *, steps: int = STEPS, context: int = 32) -> list[str]:
    given = {
        "text": corpus / "train.txt",
        "valid": corpus / "valid.txt.xz",
        "out": out,
        "steps": steps,
        "batch": 2,
        "context": context,
        "warmup": 2,
        "save-every": SAVE_EVERY,
        "seed": 3,
    }
    if name == "pretrain":
        given |= {"tokenizer": corpus / "tokenizer", "hidden": 32, "layers": 1, "heads": 2}
    else:
        given |= {"model": corpus / "parent", "anneal-steps": 4}
    return [name, *[word for option, value in given.items() for word in (f"--{option}", str(value))]]


@pytest.fixture(scope="module")
def trained(corpus) -> Path:
    """A folder with a parent, and a child that was adapted from it, neither of them ever interrupted."""
    main(stage("pretrain", corpus, corpus / "parent"))
    main(stage("adapt", corpus, corpus / "child"))
    return corpus


def weights(out: Path) -> dict[str, torch.Tensor]:
    """As a resume reads them, in full precision."""
    return torch.load(out.with_name(f"{out.name}.state.pt"), weights_only=True)["model"]


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def fill(folder: Path) -> str:
    request = InfillRequest(prefix="The little dog", suffix="home.", length=4, steps=2)
    *_, trace = infill(request, models.load(str(folder)))
    assert trace.ended == "complete"
    return trace.text


def failing_at(call: int, function: Any, error: BaseException) -> Any:
    """`function`, but its call of that number, from 1, raises."""
    made = 0

    def called(*given: Any, **named: Any) -> Any:
        nonlocal made
        made += 1
        if made == call:
            raise error
        return function(*given, **named)

    return called


def interrupt(monkeypatch, call: int, arguments: list[str]) -> None:
    """Run until the gradient of that step is there, and no further."""
    with monkeypatch.context() as patch:
        clip = torch.nn.utils.clip_grad_norm_
        patch.setattr(torch.nn.utils, "clip_grad_norm_", failing_at(call, clip, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            main(arguments)


@pytest.mark.parametrize(("name", "whole"), [("pretrain", "parent"), ("adapt", "child")])
@pytest.mark.parametrize("last", [2, 5])
def test_a_run_that_was_interrupted_and_resumed_ends_as_if_it_had_not_been(
    trained, tmp_path, monkeypatch, name, whole, last
):
    out = tmp_path / "out"
    interrupt(monkeypatch, last, stage(name, trained, out))
    assert out.exists() == (last > SAVE_EVERY)
    main(stage(name, trained, out))
    assert same(weights(out), weights(trained / whole))
    assert (out / "model.safetensors").read_bytes() == (trained / whole / "model.safetensors").read_bytes()
    begun = [json.loads(line).get("resumed_at") for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [step for step in begun if step is not None] == [0, 3 if last > SAVE_EVERY else 0]


def test_training_changes_the_weights_and_the_log_tells_the_validation_loss(trained):
    assert not same(weights(trained / "parent"), weights(trained / "child"))
    lines = [json.loads(line) for line in (trained / "parent.jsonl").read_text().splitlines()]
    losses = [line["validation"] for line in lines if "validation" in line]
    assert [line["step"] for line in lines if "validation" in line] == [3, 6]
    assert losses[1] < losses[0] < math.log(280) + 0.5


def test_a_finished_run_that_is_started_again_stays_as_it_is(trained):
    before = weights(trained / "child"), (trained / "child" / "model.safetensors").read_bytes()
    main(stage("adapt", trained, trained / "child"))
    assert same(weights(trained / "child"), before[0])
    assert (trained / "child" / "model.safetensors").read_bytes() == before[1]


@pytest.mark.parametrize("whole", ["parent", "child"])
def test_a_saved_folder_is_loaded_and_fills_a_gap(trained, whole):
    denoiser = models.load(str(trained / whole))
    assert (denoiser.name, denoiser.context, denoiser.tokenizer.mask_id) == (whole, 32, 1)
    text = fill(trained / whole)
    assert text.startswith("The little dog")
    assert text.endswith(" home.")
    assert MASK not in text
    saved = load_file(trained / whole / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.float16}
    assert json.loads((trained / whole / "config.json").read_text())["dtype"] == "float16"


def checkpoint(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    return (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        PreTrainedTokenizerFast.from_pretrained(folder),
    )


def half_written(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text("{")


def test_a_folder_that_cannot_be_written_leaves_the_last_one_and_is_written_on_resuming(trained, tmp_path, monkeypatch):
    out = tmp_path / "child"
    save = PreTrainedModel.save_pretrained

    def full(self: PreTrainedModel, folder: Path, **named: Any) -> None:
        half_written(Path(folder))
        raise OSError("no space left on device")

    interrupt(monkeypatch, SAVE_EVERY + 1, stage("adapt", trained, out))
    first = (out / "model.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(PreTrainedModel, "save_pretrained", full)
        with pytest.raises(OSError, match="no space left"):
            main(stage("adapt", trained, out))
    assert (out / "model.safetensors").read_bytes() == first
    fill(out)
    assert PreTrainedModel.save_pretrained is save
    main(stage("adapt", trained, out))
    assert (out / "model.safetensors").read_bytes() == (trained / "child" / "model.safetensors").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["child", "child.jsonl", "child.state.pt"]


def test_a_state_that_cannot_be_written_leaves_the_last_one_and_the_run_resumes_from_it(trained, tmp_path, monkeypatch):
    out = tmp_path / "child"
    interrupt(monkeypatch, SAVE_EVERY + 1, stage("adapt", trained, out))
    first = weights(out)

    def full(state: Any, path: Path) -> None:
        Path(path).write_bytes(b"half a state")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(OSError, match="no space left"):
            main(stage("adapt", trained, out))
    assert same(weights(out), first)
    fill(out)
    main(stage("adapt", trained, out))
    assert same(weights(out), weights(trained / "child"))
    fill(out)


def test_a_state_that_cannot_be_read_stops_the_run_before_anything_is_written(trained, tmp_path):
    out = tmp_path / "child"
    shutil.copytree(trained / "child", out)
    before = (out / "model.safetensors").read_bytes()
    state = (trained / "child.state.pt").read_bytes()
    (tmp_path / "child.state.pt").write_bytes(state[: len(state) // 2])
    with pytest.raises(RuntimeError, match="zip archive"):
        main(stage("adapt", trained, out))
    assert (out / "model.safetensors").read_bytes() == before
    fill(out)


@pytest.mark.parametrize("call", [1, 2])
def test_a_crash_between_the_renames_leaves_a_whole_folder_on_disk(trained, tmp_path, monkeypatch, call):
    """A crash, so nothing is put back: what lies there is what the next start finds."""
    out = tmp_path / "out"
    shutil.copytree(trained / "parent", out)
    model_and_tokenizer = checkpoint(trained / "child")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing_at(call, Path.rename, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            save_folder(*model_and_tokenizer, out)
    old = (trained / "parent" / "model.safetensors").read_bytes()
    (kept,) = [each for each in tmp_path.iterdir() if (each / "model.safetensors").read_bytes() == old]
    assert fill(kept) == fill(trained / "parent")
    save_folder(*model_and_tokenizer, out)
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
    assert fill(out) == fill(trained / "child")


def test_the_old_folder_is_removed_only_when_the_new_one_is_in_its_place(trained, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(trained / "parent", out)
    new = (trained / "child" / "model.safetensors").read_bytes()
    in_place = []
    remove = shutil.rmtree

    def watched(path: Path, **named: Any) -> None:
        if path.exists():
            in_place.append((out / "model.safetensors").read_bytes() == new)
        remove(path, **named)

    monkeypatch.setattr(trainer.shutil, "rmtree", watched)
    save_folder(*checkpoint(trained / "child"), out)
    assert in_place == [True]
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_a_crash_has_put_aside_stays_until_the_next_one_is_whole(trained, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(trained / "parent", tmp_path / "out.old")
    with monkeypatch.context() as patch:
        patch.setattr(PreTrainedTokenizerFast, "save_pretrained", failing_at(1, None, OSError("no space left")))
        with pytest.raises(OSError, match="no space left"):
            save_folder(*checkpoint(trained / "child"), out)
    assert fill(tmp_path / "out.old") == fill(trained / "parent")
    save_folder(*checkpoint(trained / "child"), out)
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
