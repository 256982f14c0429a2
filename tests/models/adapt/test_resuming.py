"""A resumed training ends as if it had not been interrupted or killed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from models.adapt import trainer
from models.adapt.__main__ import main
from models.adapt.checkpoints import recover, save_folder
from tests.models.adapt.runs import (
    SAVE_EVERY,
    assert_same,
    beside,
    command,
    curve,
    failing_at,
    fill,
    interrupt,
    resumptions,
)

ROOT = Path(__file__).parents[3]

KINDS = {
    "pretrain": ("pretrain", {}),
    "adapt": ("adapt", {}),
    "adapt in parts": ("adapt", {"accumulate": 2}),
    "finetune": ("finetune", {}),
    "finetune on gaps": ("finetune", {"text": "train.txt", "valid": "valid.txt.xz"}),
    "muon": ("adapt", {"optimizer": "muon"}),
    "gpt2 with dropout": ("adapt", {"model": "gpt2"}),
    "gpt2 with a new token": ("finetune", {"model": "gpt2", "mask_token": "<gap>"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_interrupted_and_resumed_ends_as_if_it_had_not_been(trained, gpt2, tmp_path, kind):
    stage, changed = KINDS[kind][0], dict(KINDS[kind][1])
    changed |= {name: trained / value for name, value in changed.items() if name in ("model", "text", "valid")}
    whole = tmp_path / "whole"
    assert main(command(stage, trained, whole, **changed)) == 0
    for step, saved in ((2, 0), (5, SAVE_EVERY)):
        out = tmp_path / f"stopped_in_{step}"
        torch.manual_seed(step)  # whatever was drawn before
        interrupt(step, command(stage, trained, out, **changed))
        assert out.exists() == (saved > 0)
        torch.manual_seed(99)
        assert main(command(stage, trained, out, **changed)) == 0
        assert resumptions(out) == [0, saved]
        assert_same(out, whole)


def test_dropout_is_drawn(trained, gpt2, tmp_path):
    """Otherwise resuming it would test nothing."""
    outs = [tmp_path / name for name in ("first", "second")]
    for out, chance in zip(outs, (0.0, 0.1), strict=True):
        shutil.copytree(gpt2, tmp_path / "parent", dirs_exist_ok=True)
        config = tmp_path / "parent" / "config.json"
        config.write_text(config.read_text().replace('_pdrop": 0.1', f'_pdrop": {chance}'))
        assert main(command("adapt", trained, out, model=tmp_path / "parent")) == 0
        shutil.rmtree(tmp_path / "parent")
    assert curve(outs[0]).losses != curve(outs[1]).losses


KILLED_IN_STATE = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from accelerate import checkpointing
from models.adapt.__main__ import main
save, calls = checkpointing.save, []
def killed(*given, **named):
    calls.append(given)
    if len(calls) == 4:  # the optimizer of the second state; its model is written
        os.kill(os.getpid(), signal.SIGKILL)
    return save(*given, **named)
checkpointing.save = killed
sys.exit(main(sys.argv[1:]))
"""


KILLED_IN_FOLDER = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from transformers import PreTrainedTokenizerFast
from models.adapt.__main__ import main
save, calls = PreTrainedTokenizerFast.save_pretrained, []
def killed(*given, **named):
    calls.append(given)
    if len(calls) == 2:  # the second folder has its weights already
        os.kill(os.getpid(), signal.SIGKILL)
    return save(*given, **named)
PreTrainedTokenizerFast.save_pretrained = killed
sys.exit(main(sys.argv[1:]))
"""


def test_a_process_killed_while_it_writes_its_folder_leaves_the_last_one_whole(trained, tmp_path):
    out, first = tmp_path / "out", tmp_path / "first"
    arguments = command("adapt", trained, out)
    done = subprocess.run(
        [sys.executable, "-c", KILLED_IN_FOLDER, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "out.writing" / "model.safetensors").exists()
    interrupt(SAVE_EVERY + 1, command("adapt", trained, first))
    assert fill(out) == fill(first)
    assert main(arguments) == 0
    assert resumptions(out) == [0, SAVE_EVERY]
    assert_same(out, trained / "child")


def test_a_process_killed_while_it_writes_its_state_resumes_exactly(trained, tmp_path):
    out = tmp_path / "out"
    arguments = command("adapt", trained, out)
    done = subprocess.run([sys.executable, "-c", KILLED_IN_STATE, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "out.state.writing" / "model.safetensors").exists()
    assert curve(out).validated == [3, 6], "the log should be ahead of the state"
    assert main(arguments) == 0
    assert resumptions(out) == [0, SAVE_EVERY]
    assert_same(out, trained / "child")


def test_a_validation_that_is_interrupted_is_made_again(trained, tmp_path):
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_validate", failing_at(2, trainer._validate, KeyboardInterrupt()))
        assert main(command("adapt", trained, out)) == 130
    assert main(command("adapt", trained, out)) == 0
    assert_same(out, trained / "child")


def test_ctrl_c_says_how_to_go_on(trained, tmp_path, capsys):
    interrupt(1, command("adapt", trained, tmp_path / "out"))
    assert "the same command continues from the last checkpoint" in capsys.readouterr().err


# Crashes between two renames


def test_what_a_crash_put_aside_is_brought_back_unless_there_is_a_new_one(tmp_path):
    out = tmp_path / "out"
    (tmp_path / "out.old").mkdir()
    (tmp_path / "out.old" / "text").write_text("last")
    recover(out)
    assert (out / "text").read_text() == "last"
    shutil.copytree(out, tmp_path / "out.old")
    (out / "text").write_text("new")
    recover(out)
    assert (out / "text").read_text() == "new"


@pytest.mark.parametrize(("rename", "again_from"), [(3, 3), (4, 3), (5, 3), (6, 3)])
def test_a_crash_at_any_rename_of_the_second_save_is_recovered(trained, tmp_path, rename, again_from):
    """The folder is renamed twice, then the state; before them each was renamed once."""
    out = tmp_path / "out"
    arguments = command("adapt", trained, out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", failing_at(rename, Path.rename, KeyboardInterrupt()))
        assert main(arguments) == 130
    assert out.exists() == (rename != 4)
    assert beside(out, "state").exists() == (rename != 6)
    interrupt(1, arguments)  # a start alone
    fill(out)
    assert main(arguments) == 0
    assert resumptions(out) == [0, again_from, again_from]
    assert_same(out, trained / "child")


def checkpoint(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    return (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        PreTrainedTokenizerFast.from_pretrained(folder),
    )


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

    monkeypatch.setattr(shutil, "rmtree", watched)
    save_folder(*checkpoint(trained / "child"), out)
    assert in_place == [True]
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_a_crash_has_put_aside_stays_until_the_next_one_is_whole(trained, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(trained / "parent", tmp_path / "out.old")
    with monkeypatch.context() as patch:
        patch.setattr(PreTrainedTokenizerFast, "save_pretrained", failing_at(1, None, OSError("no space left")))
        with pytest.raises(ValueError, match=r"cannot write .*: no space left"):
            save_folder(*checkpoint(trained / "child"), out)
    assert fill(tmp_path / "out.old") == fill(trained / "parent")
    assert [each.name for each in tmp_path.iterdir()] == ["out.old"]
    save_folder(*checkpoint(trained / "child"), out)
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
