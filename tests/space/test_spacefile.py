"""This repository's own Spacefile; how any Spacefile is read and checked is in tests/space."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from huggingface_hub import SpaceHardware
from packaging.requirements import Requirement

from app.sampling.request import TIME_LIMIT
from app.space import render, spacefile
from app.space.check import contradictions
from app.space.hardware import CPU, FLAVOURS, ZERO
from app.ui import page

ROOT = Path(__file__).parents[2]


def test_nothing_contradicts_it():
    data, mistakes = spacefile.load(ROOT)
    assert not mistakes
    assert not contradictions(spacefile.Spacefile(ROOT, data))


def test_it_has_a_profile_for_the_free_tier_for_zero_gpu_and_for_a_gpu_of_its_own():
    file = spacefile.read()
    hardware = {file.deployment(name).hardware for name in file.profiles}
    assert {CPU, ZERO} < hardware
    assert any(FLAVOURS[flavour].price and FLAVOURS[flavour].memory for flavour in hardware)
    assert file.deployment().hardware == CPU, "a push without --profile must cost nothing"


def test_hugging_face_knows_all_hardware_that_is_offered():
    assert set(FLAVOURS) <= {flavour.value for flavour in SpaceHardware}


def test_the_installed_gradio_is_one_that_a_space_can_get():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    gradio = next(Requirement(line) for line in lines if line.startswith("gradio"))
    assert gradio.specifier.contains(version("gradio"))


def test_the_pages_time_limit_is_the_one_that_is_checked():
    assert page.TIME_LIMIT == TIME_LIMIT


def test_every_module_of_the_app_is_uploaded():
    file = spacefile.read()
    uploaded = render.names(ROOT, file.deployment())
    code = [path.relative_to(ROOT).as_posix() for part in ("app", "models") for path in (ROOT / part).rglob("*.py")]
    assert {*code, "app.py", "models/bundled/model.safetensors"} <= set(uploaded)
    assert not [name for name in uploaded if "__pycache__" in name or name.startswith("tests")]
