"""Quantising a checkpoint once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models
from models.catalogue import CATALOGUE, Source
from models.checkpoints.convert import quantize
from models.checkpoints.weights import read_weights
from tests.models.checkpoints.test_formats import wrap, write
from tests.models.random_weights import ask


def beliefs(name: Path | str, mask: int, **settings: Any) -> np.ndarray:
    denoiser = models.load(str(name), **settings)
    return denoiser.predict([ask([5, 6, mask, mask, 7, 8], mask_id=mask)])[0].top_probs


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@pytest.mark.parametrize("to", ["nf4", "int8"])
def test_quantising_once_gives_the_beliefs_of_quantising_at_every_start(tmp_path, architecture, to):
    folder = wrap(write(tmp_path / "original", architecture))
    quantize(str(folder), tmp_path / "small", to, dtype="float32")
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert config["is_causal"] is False
    assert config["mask_token_id"] == 1
    assert np.array_equal(beliefs(tmp_path / "small", 1), beliefs(folder, 1, quantize=to))


def test_weights_stored_in_16_bits_are_computed_in_32_on_a_cpu(tmp_path):
    quantize("bundled", tmp_path / "small", "nf4")
    sizes = [read_weights(folder).bytes / 1e6 for folder in (tmp_path / "small", models.BUNDLED)]
    assert [round(size, 1) for size in sizes] == [10.6, 31.5]
    small: Any = models.load(str(tmp_path / "small"))
    assert str(small.head.weight.dtype) == "torch.float32"
    assert small.notices == ()
    assert small.tokenizer.mask_id == models.load("bundled").tokenizer.mask_id


def test_facts_from_the_catalogue_are_written_and_measurements_copied(tmp_path, monkeypatch):
    folder = write(tmp_path / "original", mask=False)
    beside = {"calibration.json": '{"presets": {}}', "length_bias.json": "{}", "frequencies.json": '{"t": 3}'}
    for name, content in beside.items():
        (folder / name).write_text(content)
    published = Source(name="published", folder=folder, adapted=True, mask_id=7, context=32)
    monkeypatch.setitem(CATALOGUE, "published", published)
    for source, out in (("published", "small"), (str(folder), "asked")):
        quantize(source, tmp_path / out, "int8", mask_token_id=None if source == "published" else 9)
        assert {name: (tmp_path / out / name).read_text() for name in beside} == beside
    small, asked = models.load(str(tmp_path / "small")), models.load(str(tmp_path / "asked"))
    assert (small.tokenizer.mask_id, small.context, small.notices) == (7, 32, ())
    assert (asked.tokenizer.mask_id, asked.context, asked.notices) == (9, 64, ())


def test_quantising_does_not_make_a_checkpoint_count_as_adapted(tmp_path):
    write(tmp_path / "plain")
    quantize(str(tmp_path / "plain"), tmp_path / "small", "int8")
    assert "was adapted" in models.load(str(tmp_path / "small")).notices[0]


def test_errors_say_what_is_wrong_and_leave_existing_folders_alone(tmp_path):
    write(tmp_path / "plain")
    quantize(str(tmp_path / "plain"), tmp_path / "small", "int8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    for source, out, device, message in (
        (str(tmp_path / "small"), "again", None, "is already quantised"),
        (str(tmp_path / "plain"), "other", None, "is not a checkpoint folder"),
        ("nowhere", "again", None, "no model 'nowhere'"),
        ("toy", "again", None, "no weights to quantise"),
        (str(tmp_path / "plain"), "again", "spread", "stay on one device"),
    ):
        with pytest.raises(ValueError, match=message):
            quantize(source, tmp_path / out, "nf4", device=device)
    assert not (tmp_path / "again").exists()
    assert (tmp_path / "other" / "letter.txt").read_text() == "dear"
