"""The command that quantises a checkpoint once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models
from models.catalogue import CATALOGUE, Source
from models.checkpoints.convert import main
from tests.models.checkpoints.test_formats import wrap, write
from tests.models.random_weights import ask


def beliefs(name: Path | str, mask: int, **settings: Any) -> np.ndarray:
    denoiser = models.load(str(name), **settings)
    return denoiser.predict([ask([5, 6, mask, mask, 7, 8], mask_id=mask)])[0].top_probs


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@pytest.mark.parametrize("to", ["nf4", "int8"])
def test_what_was_quantised_once_believes_what_quantising_at_every_start_gives(tmp_path, capsys, architecture, to):
    folder = wrap(write(tmp_path / "original", architecture))
    assert main([str(folder), str(tmp_path / "small"), "--to", to, "--dtype", "float32"]) == 0
    assert "MB of weights, from" in capsys.readouterr().out
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert config["is_causal"] is False
    assert config["mask_token_id"] == 1
    assert np.array_equal(beliefs(tmp_path / "small", 1), beliefs(folder, 1, quantize=to))


def test_what_is_kept_in_16_bits_is_computed_in_32_on_a_cpu_and_the_bundled_model_becomes_smaller(tmp_path, capsys):
    assert main(["bundled", str(tmp_path / "small")]) == 0
    assert "small: 10.6 MB of weights, from 31.5 MB" in capsys.readouterr().out
    small: Any = models.load(str(tmp_path / "small"))
    assert str(small.head.weight.dtype) == "torch.float32"
    assert small.notices == ()
    assert small.tokenizer.mask_id == models.load("bundled").tokenizer.mask_id


def test_what_only_a_preset_knows_is_written_down_and_what_was_measured_goes_along(tmp_path, monkeypatch):
    folder = write(tmp_path / "original", mask=False)
    beside = {"calibration.json": '{"presets": {}}', "length_bias.json": "{}", "frequencies.json": '{"t": 3}'}
    for name, content in beside.items():
        (folder / name).write_text(content)
    published = Source(name="published", folder=folder, adapted=True, mask_id=7, context=32)
    monkeypatch.setitem(CATALOGUE, "published", published)
    for source, out in (("published", "small"), (str(folder), "asked")):
        more = [] if source == "published" else ["--mask-token-id", "9"]
        assert main([source, str(tmp_path / out), "--to", "int8", *more]) == 0
        assert {name: (tmp_path / out / name).read_text() for name in beside} == beside
    small, asked = models.load(str(tmp_path / "small")), models.load(str(tmp_path / "asked"))
    assert (small.tokenizer.mask_id, small.context, small.notices) == (7, 32, ())
    assert (asked.tokenizer.mask_id, asked.context, asked.notices) == (9, 64, ())


def test_a_checkpoint_that_was_not_adapted_does_not_become_one_by_being_quantised(tmp_path):
    write(tmp_path / "plain")
    assert main([str(tmp_path / "plain"), str(tmp_path / "small"), "--to", "int8"]) == 0
    assert "was adapted" in models.load(str(tmp_path / "small")).notices[0]


def test_mistakes_are_told_and_leave_what_was_there(tmp_path, capsys):
    write(tmp_path / "plain")
    assert main([str(tmp_path / "plain"), str(tmp_path / "small"), "--to", "int8"]) == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    for arguments, said in (
        ((str(tmp_path / "small"), str(tmp_path / "again")), "is quantised already: give the original"),
        ((str(tmp_path / "plain"), str(tmp_path / "other")), "is no checkpoint folder"),
        (("nowhere", str(tmp_path / "again")), "no model 'nowhere'"),
        (("toy", str(tmp_path / "again")), "no weights to quantise"),
        ((str(tmp_path / "plain"), str(tmp_path / "again"), "--device", "spread"), "stay on one device"),
    ):
        assert main(arguments) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
    assert (tmp_path / "other" / "letter.txt").read_text() == "dear"
