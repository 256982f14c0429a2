"""Tiny trainings through the command line, and their files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import models
from app.infill import infill
from app.sampling.request import InfillRequest
from models.adapt.__main__ import main
from models.adapt.curves import Curve, read_log
from models.corpus import END_OF_TEXT

STORIES = [
    "The little dog ran home.\nHe was very happy.",
    "A cat sat on the mat.\nIt saw a bird.\nThe bird flew away.",
    "Mia had a red ball.\nShe gave the ball to Tom.",
    "Es war einmal ein müdes Kätzchen – 🐈.",
]
TEXT = "".join(f"{story}\n{END_OF_TEXT}\n" for story in STORIES * 3)
EXAMPLES = [
    {"prefix": "The little dog", "middle": "ran home.", "suffix": "He was happy."},
    {"prefix": "A cat", "middle": "sat on", "suffix": "the mat."},
    {"prompt": "Who had a red ball?", "response": "Mia."},
    {"prompt": "Who flew away?", "response": "The bird."},
    {"prefix": "", "middle": "She gave", "suffix": "the ball to Tom."},
]
STEPS, SAVE_EVERY, VOCABULARY = 6, 3, 280


def command(stage: str, corpus: Path, out: Path, **changed: Any) -> list[str]:
    """Return the arguments of a stage; `changed` options replace the usual ones (None: left out, True: a flag)."""
    given: dict[str, Any] = {
        "text": corpus / "train.txt",
        "valid": corpus / "valid.txt.xz",
        "out": out,
        "steps": STEPS,
        "batch": 4,
        "context": 32,
        "warmup": 2,
        "save_every": SAVE_EVERY,
        "seed": 3,
        "precision": "no",
    }
    if stage == "pretrain":
        given |= {"tokenizer": corpus / "tokenizer", "hidden": 32, "layers": 1, "heads": 2}
    else:
        given |= {"model": corpus / "parent"}
    if stage in ("adapt", "ablate"):
        given |= {"anneal_steps": 4}
    if stage == "finetune":
        given |= {"text": corpus / "examples.jsonl", "valid": corpus / "examples.jsonl"}
    words = [stage]
    for option, value in (given | changed).items():
        flag = "--" + option.replace("_", "-")
        words += [] if value is None else [flag] if value is True else [flag, str(value)]
    return words


def beside(out: Path, suffix: str) -> Path:
    return out.with_name(f"{out.name}.{suffix}")


def curve(out: Path) -> Curve:
    return read_log(beside(out, "jsonl"))


def weights(out: Path) -> dict[str, torch.Tensor]:
    """Read the weights of the state, in full precision."""
    return load_file(beside(out, "state") / "model.safetensors")


def difference(first: Path, second: Path) -> float:
    """Return the largest difference between two trainings' weights."""
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def assert_same(out: Path, whole: Path) -> None:
    """Check that folder, state and curve are equal to the last bit."""
    assert difference(out, whole) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert curve(out) == curve(whole)
    left = [each.name for each in out.parent.iterdir() if each.name.startswith(out.name)]
    assert sorted(left) == [out.name, *(f"{out.name}.{suffix}" for suffix in ("html", "jsonl", "state"))]


def resumptions(out: Path) -> list[int]:
    """Return the steps from which the training was started."""
    begun = [json.loads(line).get("resumed_at") for line in beside(out, "jsonl").read_text().splitlines()]
    return [step for step in begun if step is not None]


def copied(trained: Path, name: str, folder: Path) -> Path:
    """Copy a finished or stopped training to another folder."""
    shutil.copytree(trained / name, folder / name)
    shutil.copytree(trained / f"{name}.state", folder / f"{name}.state")
    shutil.copy(trained / f"{name}.jsonl", folder)
    return folder / name


def fill(folder: Path) -> str:
    request = InfillRequest(prefix="The little dog", suffix="home.", length=4, steps=2)
    *_, trace = infill(request, models.load(str(folder)))
    assert trace.ended == "complete"
    return trace.text


def failing_at(call: int, function: Any, error: BaseException) -> Any:
    """Wrap `function` so that its call of that number, from 1, raises."""
    made = 0

    def called(*given: Any, **named: Any) -> Any:
        nonlocal made
        made += 1
        if made == call:
            raise error
        return function(*given, **named)

    return called


def interrupt(step: int, arguments: list[str]) -> None:
    """Run until the gradient of that step, from 1, is computed, and interrupt."""
    with pytest.MonkeyPatch.context() as patch:
        clip = torch.nn.utils.clip_grad_norm_
        patch.setattr(torch.nn.utils, "clip_grad_norm_", failing_at(step, clip, KeyboardInterrupt()))
        assert main(arguments) == 130
