"""This repository's own Spacefile, and the old name of a key."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from huggingface_hub import SpaceHardware
from packaging.requirements import Requirement

from app.sampling.request import TIME_LIMIT
from app.space import spacefile
from app.space.check import contradictions
from app.space.contents import contents
from app.space.hardware import CPU, FLAVOURS, ZERO
from app.ui import page

ROOT = Path(__file__).parents[2]


def test_it_has_no_mistakes_and_no_contradictions():
    assert not contradictions(spacefile.read(ROOT))


def test_the_old_key_presets_is_read_as_models_with_a_notice(space, edit, folder, capsys):
    candidates = spacefile.read(folder).models
    text = (folder / "Spacefile").read_text(encoding="utf-8")
    (folder / "Spacefile").write_text(text.replace("\nmodels:", "\npresets:"), encoding="utf-8")
    assert spacefile.read(folder).models == candidates
    assert capsys.readouterr().err == "the Spacefile's key `presets` is now called `models`; please rename it\n"
    edit("models", {name: model.model_dump() for name, model in candidates.items()})
    assert "Spacefile: unknown key 'presets'" in space("check")[1]


def test_it_has_profiles_for_the_free_cpu_for_zero_gpu_and_for_a_dedicated_gpu():
    file = spacefile.read()
    hardware = {file.deployment(name).hardware for name in file.profiles}
    assert {CPU, ZERO} < hardware
    assert any(FLAVOURS[flavour].price and FLAVOURS[flavour].memory for flavour in hardware)
    assert file.deployment().hardware == CPU, "a push without --profile must cost nothing"


def test_hugging_face_knows_all_our_hardware_names():
    assert set(FLAVOURS) <= {flavour.value for flavour in SpaceHardware}


def test_the_requirements_allow_the_installed_gradio():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    gradio = next(Requirement(line) for line in lines if line.startswith("gradio"))
    assert gradio.specifier.contains(version("gradio"))


def test_the_page_uses_the_time_limit_that_is_checked():
    assert page.TIME_LIMIT == TIME_LIMIT


def test_every_module_of_the_app_is_uploaded():
    file = spacefile.read()
    chosen = contents(ROOT, file.deployment())
    uploaded = {*chosen.names, *chosen.left_out}  # a new module that is not yet in git is left out
    code = [path.relative_to(ROOT).as_posix() for part in ("app", "models") for path in (ROOT / part).rglob("*.py")]
    assert {*code, "app.py", "models/bundled/model.safetensors"} <= uploaded
    assert not [name for name in uploaded if "__pycache__" in name or name.startswith("tests")]
