"""What an adaptation shows of itself: checkpoints that it keeps, its attention masks, and the record made of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import models
from app import __main__ as app
from app.infill import infill
from app.measure.adaptation import GAPS, read_gaps
from app.sampling.request import InfillRequest
from models.adapt.__main__ import main
from models.adapt.curves import Mask, kept_folder
from models.adapt.objective import annealed_attention, next_token, sketch
from tests.models.adapt.runs import SAVE_EVERY, STEPS, beside, command, curve, interrupt, resumptions

KEPT = (0, 2, STEPS)
TEXTS = ["The little dog ran [[3]]", "[[2]] sat on the [[1]]."]


def keeping(trained: Path, out: Path) -> list[str]:
    return command("adapt", trained, out, keep_at=",".join(map(str, KEPT)))


@pytest.fixture(scope="module")
def kept(trained, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("kept") / "child"
    assert main(keeping(trained, out)) == 0
    return out


def weights_at(out: Path, step: int) -> Path:
    return kept_folder(out, step) / "model.safetensors"


def test_checkpoints_are_kept_from_the_parents_weights_to_the_last_ones(trained, kept):
    parent = load_file(trained / "parent" / "model.safetensors")
    first = load_file(weights_at(kept, 0))
    assert all(torch.equal(first[name], tensor) for name, tensor in parent.items())
    config = json.loads((kept_folder(kept, 0) / "config.json").read_text())
    assert (config["is_causal"], config["mask_token_id"]) == (False, 1)
    assert weights_at(kept, STEPS).read_bytes() == (kept / "model.safetensors").read_bytes()
    assert curve(kept).validated == [0, 2, SAVE_EVERY, STEPS]
    assert curve(kept).tokens == [4 * 32 * step for step in curve(kept).validated]


def test_keeping_checkpoints_changes_nothing_of_the_training(trained, kept):
    assert (kept / "model.safetensors").read_bytes() == (trained / "child" / "model.safetensors").read_bytes()


def test_a_killed_training_keeps_the_same_checkpoints_curve_and_masks(trained, kept, tmp_path):
    out = tmp_path / "child"
    interrupt(5, keeping(trained, out))
    weights_at(out, 2).write_bytes(b"")  # of the run before its last state: not written again
    interrupt(1, keeping(trained, out))
    assert resumptions(out) == [0, SAVE_EVERY]
    assert main(keeping(trained, out)) == 0
    assert curve(out) == curve(kept)
    assert [weights_at(out, step).read_bytes() == weights_at(kept, step).read_bytes() for step in KEPT] == [
        True,
        False,
        True,
    ]


def test_the_log_has_the_masks_that_were_trained_with(kept):
    masks = {mask.step: mask for mask in curve(kept).masks}
    assert [*masks] == [2, SAVE_EVERY, STEPS]  # annealed over 4 steps
    assert masks[2].share == pytest.approx(2 / 4, abs=0.1)
    assert masks[3].share == pytest.approx(3 / 4, abs=0.1)
    assert masks[STEPS] == Mask(STEPS, 1.0, ["1" * 12] * 12)
    for mask in masks.values():
        assert all(row[: number + 1] == "1" * (number + 1) for number, row in enumerate(mask.rows)), "not its own past"
    assert "0" in "".join(masks[2].rows)


def test_a_sketch_shows_the_mask_itself_and_is_empty_where_there_is_none_to_show():
    diffusion, causal = (SimpleNamespace(config=SimpleNamespace(is_causal=each)) for each in (False, True))
    exercise = next_token(torch.arange(20)[None])
    attention = annealed_attention(20, 0.3, torch.Generator().manual_seed(0))
    assert attention is not None
    found = sketch(replace(exercise, attention=attention), diffusion)
    seen = attention[0, 0]
    assert found["mask"] == ["".join("1" if seen[i, j] else "0" for j in range(12)) for i in range(12)]
    assert found["future"] == round((int(seen.sum()) - 210) / 190, 4)
    assert sketch(exercise, diffusion)["future"] == 1.0
    assert sketch(exercise, causal) == {}
    assert sketch(replace(exercise, attention=attention.expand(2, 1, 20, 20)), diffusion) == {}


def test_the_record_has_the_curve_the_masks_and_the_same_gaps_at_every_checkpoint(kept, tmp_path, capsys):
    gaps, out = tmp_path / "gaps.json", tmp_path / "record.json"
    gaps.write_text(json.dumps(TEXTS))
    assert app.main(["adaptation", str(kept), "--gaps", str(gaps), "--out", str(out)]) == 0
    assert "3 checkpoints, 2 texts" in capsys.readouterr().out
    record = json.loads(out.read_text())
    found = curve(kept)
    assert record["steps"] == [0, 2, SAVE_EVERY, STEPS]
    assert record["tokens"] == [128 * step for step in record["steps"]]
    assert record["training"] == [None, *found.losses]
    assert record["validation"] == found.validation
    assert [mask["step"] for mask in record["masks"]] == [2, SAVE_EVERY, STEPS]
    assert record["parent"] == "parent"
    assert record["command"].startswith("python -m models.adapt adapt --text ")
    assert [(each["step"], each["tokens"]) for each in record["checkpoints"]] == [(step, 128 * step) for step in KEPT]
    for checkpoint in record["checkpoints"]:
        denoiser = models.load(str(kept_folder(kept, checkpoint["step"])))
        for text, slots, fill in zip(TEXTS, (3, 3), checkpoint["fills"], strict=True):
            *_, trace = infill(InfillRequest(text=text, steps=slots), denoiser)
            assert fill["text"] == text
            assert fill["pieces"] == trace.pieces(slots)
            assert fill["when"] == trace.order.tolist()
            assert sorted(fill["when"]) == [1, 2, 3]
            assert fill["confidence"] == pytest.approx(trace.commits().confidence[trace.start.slots], abs=1e-4)


@pytest.mark.parametrize(
    ("gaps", "said"),
    [
        ("{", "cannot read the gaps"),
        ("[]", "must be a JSON list of texts with gaps"),
        ('["a [[2]]", "no gap"]', "text 2 in"),
        ('["a [[auto]]"]', "write a number of masks"),
    ],
)
def test_gaps_that_cannot_be_filled_are_refused_by_number(kept, tmp_path, capsys, gaps, said):
    file = tmp_path / "gaps.json"
    file.write_text(gaps)
    assert app.main(["adaptation", str(kept), "--gaps", str(file), "--out", str(tmp_path / "out.json")]) == 2
    assert said in capsys.readouterr().err


def test_a_training_that_kept_nothing_is_refused_with_the_flag_that_keeps(trained, tmp_path, capsys):
    assert app.main(["adaptation", str(trained / "child"), "--out", str(tmp_path / "out.json")]) == 2
    assert "train it with --keep-at" in capsys.readouterr().err
    log = tmp_path / "old.jsonl"
    log.write_text(beside(trained / "child", "jsonl").read_text().replace('"command"', '"other"'))
    assert app.main(["adaptation", str(tmp_path / "old"), "--out", str(tmp_path / "out.json")]) == 2
    assert "does not say how the training was started" in capsys.readouterr().err


def test_a_checkpoint_cannot_be_kept_after_the_last_step(trained, tmp_path, capsys):
    assert main(command("adapt", trained, tmp_path / "out", keep_at=STEPS + 1)) == 2
    assert f"--keep-at {STEPS + 1} is after the last step, {STEPS}" in capsys.readouterr().err


def test_the_shipped_record_is_of_the_shipped_gaps():
    file = GAPS.with_name("adaptation.json")
    assert file.stat().st_size <= 200_000
    record, texts = json.loads(file.read_text(encoding="utf-8")), [request.text for request in read_gaps(GAPS)]
    assert len(record["checkpoints"]) == len(texts) == 10
    assert [each["step"] for each in record["checkpoints"]] == sorted({each["step"] for each in record["checkpoints"]})
    assert record["checkpoints"][0]["step"] == 0
    assert record["checkpoints"][-1]["step"] == record["steps"][-1]
    for checkpoint in record["checkpoints"]:
        assert [fill["text"] for fill in checkpoint["fills"]] == texts
        for fill in checkpoint["fills"]:
            assert sorted(fill["when"]) == [*range(1, len(fill["pieces"]) + 1)]
            assert None not in fill["pieces"]
    shares = [mask["share"] for mask in record["masks"]]
    assert shares[0] < 0.1
    assert shares[-1] == 1.0
    assert {(len(mask["rows"]), *map(len, mask["rows"])) for mask in record["masks"]} == {(12,) * 13}
    columns = ("steps", "tokens", "training", "validation")
    assert len({len(record[name]) for name in columns}) == 1
    measured = [value for value in record["validation"] if value is not None]
    assert measured[-1] < 0.7 * measured[0]
