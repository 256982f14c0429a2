"""Folders that the playground cannot read say why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import models


@pytest.fixture
def child(trained, tmp_path) -> Path:
    return shutil.copytree(trained / "child", tmp_path / "child")


def configure(folder: Path, **changed: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changed))


def test_a_model_that_was_trained_without_the_shift_is_refused(child):
    configure(child, shift=True)
    models.load(str(child))
    configure(child, shift=False)
    with pytest.raises(ValueError, match="child was trained without the shift"):
        models.load(str(child))


def test_damaged_weights_are_refused_by_name(child):
    weights = child / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"child is not a whole checkpoint: .*incomplete"):
        models.load(str(child))


def test_the_mask_of_the_config_goes_before_the_tokenizers(child):
    configure(child, mask_token_id=9)
    assert models.load(str(child)).tokenizer.mask_id == 9
    configure(child, mask_token_id=None)
    assert models.load(str(child)).tokenizer.mask_id == 1
