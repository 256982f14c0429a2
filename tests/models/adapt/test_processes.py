"""Two processes that work on each batch together, in copies of the network (DDP) or in shards of it (FSDP)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from models.adapt.__main__ import main
from tests.models.adapt.runs import SAVE_EVERY, STEPS, beside, command, curve, fill, resumptions

ROOT = Path(__file__).parents[3]

LAUNCH = [  # --cpu would start one process only; a GPU's launcher with ACCELERATE_USE_CPU starts as many as it is told
    *("accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"),
    *("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"),
]


@pytest.fixture(scope="module")
def launched(trained, gpt2, tmp_path_factory) -> Path:
    """The folder with what two processes did, one training after the other."""
    folder = tmp_path_factory.mktemp("processes")
    dropout = {"model": gpt2}
    (folder / "damaged.state").mkdir()
    runs = [
        ("whole", command("adapt", trained, folder / "whole"), 0),
        ("in parts", command("adapt", trained, folder / "in_parts", accumulate=2), 0),
        ("examples", command("finetune", trained, folder / "examples"), 0),
        ("dropout", command("adapt", trained, folder / "dropout", **dropout), 0),
        ("stopped", command("adapt", trained, folder / "resumed", **dropout), 5),
        ("resumed", command("adapt", trained, folder / "resumed", **dropout), 0),
        ("odd batch", command("adapt", trained, folder / "odd", batch=5), 0),
        ("damaged", command("adapt", trained, folder / "damaged"), 0),
        ("sharded", command("adapt", trained, folder / "sharded"), 0),
        ("sharded stopped", command("adapt", trained, folder / "sharded_resumed"), 5),
        ("sharded resumed", command("adapt", trained, folder / "sharded_resumed"), 0),
        ("sharded lora", command("adapt", trained, folder / "sharded_lora", lora=2), 0),
        ("sharded muon", command("adapt", trained, folder / "sharded_muon", optimizer="muon"), 0),
    ]
    (folder / "runs.json").write_text(json.dumps(runs))
    done = subprocess.run(
        [sys.executable, "-m", *LAUNCH, "-m", "tests.models.adapt.several_runs", str(folder)],
        cwd=ROOT,
        env=os.environ | {"ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    (folder / "output.txt").write_text(done.stdout)
    return folder


def largest_difference(first: Path, second: Path) -> float:
    one, other = (load_file(folder / "model.safetensors") for folder in (first, second))
    assert one.keys() == other.keys()
    return max(float((one[name].float() - other[name].float()).abs().max()) for name in one)


def assert_alike(out: Path, alone: Path) -> None:
    """But for the order in which floating-point numbers are added."""
    assert curve(out).tokens == curve(alone).tokens
    assert curve(out).losses == pytest.approx(curve(alone).losses, abs=2e-4)
    assert curve(out).validation == pytest.approx(curve(alone).validation, abs=2e-4)
    assert largest_difference(out, alone) < 1e-4


def test_both_processes_took_part_and_ended_alike(launched):
    first, second = (json.loads((launched / f"codes.{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert first.pop("units") == ["FSDPLlamaDecoderLayer", "FSDPTrainee"], "layers are not gathered one by one"
    assert {name for name, code in first.items() if code == 130} == {"stopped", "sharded stopped"}
    assert {name for name, code in first.items() if code == 2} == {"odd batch", "damaged", "sharded muon"}
    assert set(first.values()) == {0, 2, 130}
    for name in ("whole", "sharded"):
        states = {each.name for each in (launched / f"{name}.state").iterdir()}
        assert {"random_states_0.pkl", "random_states_1.pkl", "step.json"} < states
    assert (launched / "whole.state" / "model.safetensors").exists()
    assert len(list((launched / "sharded.state" / "pytorch_model_fsdp_0").glob("*.distcp"))) == 2, "nothing was sharded"


@pytest.mark.parametrize("name", ["whole", "in_parts", "sharded"])
def test_two_processes_train_what_one_does(launched, trained, name):
    assert_alike(launched / name, trained / "child")
    assert fill(launched / name) == fill(trained / "child")


def test_two_processes_fine_tune_what_one_does(launched, trained, tmp_path):
    assert main(command("finetune", trained, tmp_path / "alone")) == 0
    assert_alike(launched / "examples", tmp_path / "alone")


def test_sharded_adapters_are_merged_as_whole_ones_are(launched, trained, tmp_path):
    assert main(command("adapt", trained, tmp_path / "alone", lora=2)) == 0
    assert_alike(launched / "sharded_lora", tmp_path / "alone")


@pytest.mark.parametrize(("name", "whole"), [("resumed", "dropout"), ("sharded_resumed", "sharded")])
def test_two_processes_resume_as_if_they_had_not_been_interrupted(launched, name, whole):
    assert resumptions(launched / name) == [0, SAVE_EVERY]
    assert curve(launched / name) == curve(launched / whole)
    assert curve(launched / name).validated[-1] == STEPS
    assert largest_difference(launched / name, launched / whole) == 0


def test_what_two_processes_began_one_can_go_on_with(launched, trained, tmp_path):
    out = tmp_path / "child"
    for suffix in ("state", "jsonl"):
        source = beside(launched / "whole", suffix)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, beside(out, suffix))
    assert main(command("adapt", trained, out, steps=9)) == 0
    assert curve(out).validated == [3, 6, 9]


def test_the_processes_refuse_what_does_not_divide_is_damaged_or_does_not_work(launched):
    output = (launched / "output.txt").read_text()
    assert "a batch of 5 does not divide among 2 processes and 1 parts" in output
    assert f"{launched / 'damaged.state'} is damaged" in output
    assert "muon does not support fp16 or FSDP" in output
