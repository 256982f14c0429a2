"""Which model a Space starts with."""

from __future__ import annotations

import pytest

import models
from app.errors import InfillError
from app.space import spacefile
from app.space.hardware import FLAVOURS, memory, on_zero_gpu, present
from app.space.presets import choose

PRESETS = {
    "large": {"quant": "nf4", "memory": 20},
    "middle": {"quant": "int8", "memory": 8},
    "small": {"quant": "none", "memory": 0},
    "other": {"quant": "none", "memory": 0},
}
HERE: dict[str, str] = {}
CPU, T4, L4, ZERO = ({"ACCELERATOR": name} for name in ("none", "t4-small", "l4x1", "none"))
ZERO["SPACES_ZERO_GPU"] = "true"


def anything(name: str) -> None:
    """Every model can be loaded."""


def only(*names: str):
    def find(name: str) -> None:
        if name not in names:
            raise ValueError(f"no model '{name}'")

    return find


@pytest.mark.parametrize(
    ("environment", "flavour"),
    [(HERE, "cpu-basic"), (CPU, "cpu-basic"), (T4, "t4-small"), (L4, "l4x1"), (ZERO, "zero-a10g")],
)
def test_the_hardware_is_told_by_what_hugging_face_sets(environment, flavour):
    assert present(environment) == flavour
    assert flavour in FLAVOURS
    assert on_zero_gpu(environment) == (flavour == "zero-a10g")


def test_hardware_that_is_newer_than_this_code_counts_as_the_smallest_gpu():
    assert memory(present({"ACCELERATOR": "b300"})) == 16


@pytest.mark.parametrize(
    ("environment", "model", "quant"),
    [
        (HERE, "small", "none"),
        (CPU, "small", "none"),
        (T4, "middle", "int8"),
        (L4, "large", "nf4"),
        (ZERO, "large", "nf4"),
    ],
)
def test_the_first_preset_that_the_hardware_holds_is_taken(environment, model, quant):
    assert choose(PRESETS, environment, find=anything) == (model, {"quantize": quant} if quant != "none" else {}, ())


def test_a_preset_that_cannot_be_loaded_here_is_passed_over_with_a_word():
    choice = choose(PRESETS, L4, find=only("small"))
    assert choice.model == "small"
    large, middle = choice.notices
    assert large == "l4x1 would hold preset 'large', but it cannot be loaded here: no model 'large'"
    assert "'middle'" in middle


def test_nothing_that_can_be_loaded_is_told_with_every_reason():
    with pytest.raises(InfillError, match=r"no preset .* cpu-basic; .*'small'.*; .*'other'"):
        choose(PRESETS, CPU, find=only())


def test_the_variable_overrides_the_hardware_and_the_flag_overrides_the_variable():
    asked = {**L4, "INFILL_MODEL": "middle"}
    assert choose(PRESETS, asked, find=anything) == ("middle", {"quantize": "int8"}, ())
    assert choose(PRESETS, asked, asked="some/folder", find=anything) == ("some/folder", {}, ())
    assert choose(PRESETS, {"INFILL_MODEL": ""}, find=anything).model == "small"


def test_what_was_asked_for_and_cannot_be_loaded_is_a_mistake_not_replaced():
    with pytest.raises(InfillError, match=r"^INFILL_MODEL: no model 'large'"):
        choose(PRESETS, {"INFILL_MODEL": "large"}, find=only("small"))
    with pytest.raises(InfillError, match=r"^no model 'large'"):
        choose(PRESETS, HERE, asked="large", find=only("small"))


@pytest.mark.parametrize("environment", [HERE, CPU, L4, ZERO])
def test_the_real_presets_take_the_published_model_where_there_is_a_gpu_and_the_bundled_one_elsewhere(environment):
    choice = choose(spacefile.read().presets, environment)
    expected = ("diffullama", {"quantize": "nf4"}, ()) if environment in (L4, ZERO) else ("bundled", {}, ())
    assert choice == expected


def test_how_a_preset_is_loaded_is_left_to_the_machine_but_on_a_space_whose_gpu_holds_it():
    presets = spacefile.read().presets
    for environment in (HERE, CPU):
        assert choose(presets, environment, asked="diffullama") == ("diffullama", {}, ())
        assert choose(presets, {**environment, "INFILL_MODEL": "diffullama"}) == ("diffullama", {}, ())
    for environment in (T4, L4, ZERO):
        assert choose(presets, environment, asked="diffullama") == ("diffullama", {"quantize": "nf4"}, ())
        assert choose(presets, {**environment, "INFILL_MODEL": "diffugpt-s"}) == ("diffugpt-s", {}, ())


def test_without_a_gpu_the_readmes_own_command_needs_no_device(monkeypatch):
    from models.checkpoints import placement  # it imports torch
    from models.checkpoints.weights import Weights

    monkeypatch.setattr(placement, "_device", lambda asked: asked or "cpu")
    monkeypatch.setattr(placement, "free_memory", lambda _: 16_000_000_000)
    settings = {**choose(spacefile.read().presets, HERE, asked="diffullama").settings, "quantize": "nf4"}
    weights = Weights(shapes={"model.layers.0.mlp.up_proj.weight": (4096, 11008)}, bytes=90_000_000)
    assert placement.place("diffullama", weights, **settings) == placement.Placement(
        device="cpu", dtype="float32", quantize="nf4"
    )


def test_the_spacefiles_presets_are_those_that_models_knows():
    presets = spacefile.read().presets
    assert set(presets) == set(models.CATALOGUE)
    for name, preset in presets.items():
        assert preset["repo"] == models.CATALOGUE[name].repo
