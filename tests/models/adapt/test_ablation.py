"""Four trainings with and without parts of the recipe."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

import models
from models.adapt.__main__ import main
from models.adapt.ablation import VARIANTS
from tests.models.adapt.runs import STEPS, beside, command, curve, failing_at, weights

NAMES = ("full recipe", "without the shift", "without annealing", "from scratch")


@pytest.fixture(scope="module")
def ablated(trained, tmp_path_factory) -> Any:
    out = tmp_path_factory.mktemp("ablation")
    assert main(command("ablate", trained, out)) == 0
    return out


def test_every_variant_leaves_a_folder_a_log_and_a_curve(ablated):
    assert tuple(VARIANTS) == NAMES
    figures = json.loads((ablated / "ablation.json").read_text())
    assert tuple(figures) == NAMES
    for name, found in figures.items():
        folder = ablated / name.replace(" ", "_")
        assert (folder / "model.safetensors").exists()
        state = sorted(each.name for each in beside(folder, "state").iterdir())
        assert state == ["model.safetensors", "optimizer.bin", "random_states_0.pkl", "step.json"], "of others, too"
        assert list(found.items()) == [
            (str(tokens), loss) for tokens, loss in zip(curve(folder).tokens, curve(folder).validation, strict=True)
        ]
        assert curve(folder).validated[-1] == STEPS
    page = (ablated / "ablation.html").read_text()
    assert all(name in page for name in NAMES)


def test_every_variant_trains_something_else_on_the_same_text(ablated):
    curves = [curve(ablated / name.replace(" ", "_")) for name in NAMES]
    assert len({tuple(found.validation) for found in curves}) == 4
    assert len({tuple(found.tokens) for found in curves}) == 1


def test_the_full_recipe_is_adapt(ablated, trained):
    assert curve(ablated / "full_recipe") == curve(trained / "child")
    for name, tensor in weights(trained / "child").items():
        assert torch.equal(weights(ablated / "full_recipe")[name], tensor)


def test_the_playground_takes_all_but_the_variant_without_the_shift(ablated):
    for name in NAMES:
        folder = ablated / name.replace(" ", "_")
        if name == "without the shift":
            with pytest.raises(ValueError, match="trained without the shift"):
                models.load(str(folder))
        else:
            assert models.load(str(folder)).tokenizer.mask_id == 1


def test_it_goes_on_where_it_was_stopped(ablated, trained, tmp_path, capsys):
    """In the middle of the third variant."""
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        clip = torch.nn.utils.clip_grad_norm_
        patch.setattr(torch.nn.utils, "clip_grad_norm_", failing_at(2 * STEPS + 5, clip, KeyboardInterrupt()))
        assert main(command("ablate", trained, out)) == 130
    assert not (out / "ablation.json").exists()
    done = beside(out / "full_recipe", "state").stat().st_mtime_ns
    assert main(command("ablate", trained, out)) == 0
    assert beside(out / "full_recipe", "state").stat().st_mtime_ns == done, "what was done was done again"
    assert (out / "ablation.json").read_text() == (ablated / "ablation.json").read_text()
    assert capsys.readouterr().out.count("nats per token after") == 2 + 4
