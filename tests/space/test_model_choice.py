"""The model that a Space starts with."""

from __future__ import annotations

import pytest

import models
from app.errors import InfillError
from app.space import spacefile
from app.space.hardware import FLAVOURS, current_flavour, gpu_memory, on_zero_gpu
from app.space.model_choice import choose
from app.space.schema import Candidate

CANDIDATES = {
    "large": Candidate(repo=None, family="llama", quant="nf4", memory=20),
    "middle": Candidate(repo=None, family="llama", quant="int8", memory=8),
    "small": Candidate(repo=None, family="llama", quant="none", memory=0),
    "other": Candidate(repo=None, family="llama", quant="none", memory=0),
}
HERE: dict[str, str] = {}
CPU, T4, L4, ZERO = ({"ACCELERATOR": name} for name in ("none", "t4-small", "l4x1", "none"))
ZERO["SPACES_ZERO_GPU"] = "true"


def anything(name: str) -> None:
    """Accept every model, like `models.find`."""


def only(*names: str):
    def find(name: str) -> None:
        if name not in names:
            raise ValueError(f"no model '{name}'")

    return find


@pytest.mark.parametrize(
    ("environment", "flavour"),
    [(HERE, "cpu-basic"), (CPU, "cpu-basic"), (T4, "t4-small"), (L4, "l4x1"), (ZERO, "zero-a10g")],
)
def test_the_hardware_follows_from_hugging_faces_variables(environment, flavour):
    assert current_flavour(environment) == flavour
    assert flavour in FLAVOURS
    assert on_zero_gpu(environment) == (flavour == "zero-a10g")


def test_unknown_hardware_counts_as_the_smallest_gpu():
    assert gpu_memory(current_flavour({"ACCELERATOR": "b300"})) == 16


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
def test_the_first_model_that_fits_the_hardware_is_chosen(environment, model, quant):
    assert choose(CANDIDATES, environment, find=anything) == (model, {"quantize": quant} if quant != "none" else {}, ())


def test_a_model_that_cannot_be_loaded_is_skipped_with_a_notice():
    choice = choose(CANDIDATES, L4, find=only("small"))
    assert choice.model == "small"
    large, middle = choice.notices
    assert large == "model 'large' fits l4x1 but cannot be loaded here: no model 'large'"
    assert "'middle'" in middle


def test_an_error_gives_every_reason_if_no_model_can_be_loaded():
    with pytest.raises(InfillError, match=r"none of the Spacefile's models .* cpu-basic; .*'small'.*; .*'other'"):
        choose(CANDIDATES, CPU, find=only())


def test_the_variable_overrides_the_hardware_and_the_flag_overrides_the_variable():
    asked = {**L4, "INFILL_MODEL": "middle"}
    assert choose(CANDIDATES, asked, find=anything) == ("middle", {"quantize": "int8"}, ())
    assert choose(CANDIDATES, asked, asked="some/folder", find=anything) == ("some/folder", {}, ())
    assert choose(CANDIDATES, {"INFILL_MODEL": ""}, find=anything).model == "small"


def test_a_model_asked_for_that_cannot_be_loaded_is_an_error():
    with pytest.raises(InfillError, match=r"^INFILL_MODEL: no model 'large'"):
        choose(CANDIDATES, {"INFILL_MODEL": "large"}, find=only("small"))
    with pytest.raises(InfillError, match=r"^no model 'large'"):
        choose(CANDIDATES, HERE, asked="large", find=only("small"))


@pytest.mark.parametrize("environment", [HERE, CPU, L4, ZERO])
def test_the_real_spacefile_chooses_diffullama_on_a_gpu_and_bundled_elsewhere(environment):
    choice = choose(spacefile.read().models, environment)
    expected = ("diffullama", {"quantize": "nf4"}, ()) if environment in (L4, ZERO) else ("bundled", {}, ())
    assert choice == expected


def test_settings_apply_only_on_a_space_whose_gpu_fits_the_model():
    candidates = spacefile.read().models
    for environment in (HERE, CPU):
        assert choose(candidates, environment, asked="diffullama") == ("diffullama", {}, ())
        assert choose(candidates, {**environment, "INFILL_MODEL": "diffullama"}) == ("diffullama", {}, ())
    for environment in (T4, L4, ZERO):
        assert choose(candidates, environment, asked="diffullama") == ("diffullama", {"quantize": "nf4"}, ())
        assert choose(candidates, {**environment, "INFILL_MODEL": "diffugpt-s"}) == ("diffugpt-s", {}, ())


def test_without_a_gpu_the_readmes_own_command_needs_no_device(monkeypatch):
    from models.checkpoints import placement  # it imports torch
    from models.checkpoints.weights import Weights

    monkeypatch.setattr(placement, "_device", lambda asked: asked or "cpu")
    monkeypatch.setattr(placement, "free_memory", lambda _: 16_000_000_000)
    settings = {**choose(spacefile.read().models, HERE, asked="diffullama").settings, "quantize": "nf4"}
    weights = Weights(shapes={"model.layers.0.mlp.up_proj.weight": (4096, 11008)}, bytes=90_000_000)
    assert placement.place("diffullama", weights, **settings) == placement.Placement(
        device="cpu", dtype="float32", quantize="nf4"
    )


def test_the_spacefile_lists_exactly_the_models_of_the_catalogue():
    candidates = spacefile.read().models
    assert set(candidates) == set(models.CATALOGUE)
    for name, candidate in candidates.items():
        assert candidate.repo == models.CATALOGUE[name].repo
