"""The Spacefile is well formed, and says the same as the README, the requirements and the code."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import SpaceHardware
from packaging.requirements import Requirement

from app.request import MAX_CHARACTERS, MAX_LENGTH, MAX_STEPS
from app.ui.page import TIME_LIMIT

ROOT = Path(__file__).parents[1]

SPACE_KEYS = frozenset(
    re.findall(
        r"\w+",
        """title emoji colorFrom colorTo sdk python_version sdk_version app_file app_port app_build_command base_path
        fullWidth header short_description models datasets tags thumbnail pinned license hf_oauth hf_oauth_scopes
        hf_oauth_expiration_minutes hf_oauth_authorized_org disable_embedding startup_duration_timeout custom_headers
        preload_from_hub suggested_hardware suggested_storage""",
    )
)
DEPLOY_KEYS = {"repo", "visibility", "hardware", "sleep_time", "variables", "secrets", "volumes", "include", "exclude"}
PRESET_KEYS = {"repo", "family", "quant", "compute_dtype", "device", "max_len", "max_steps"}
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


@pytest.fixture(scope="module")
def spacefile() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "Spacefile").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def space(spacefile: dict[str, Any]) -> dict[str, Any]:
    return spacefile["space"]


@pytest.fixture(scope="module")
def gradio() -> Requirement:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return next(requirement for requirement in map(Requirement, lines) if requirement.name == "gradio")


def test_every_key_is_known(spacefile, space):
    assert spacefile["v"] == 1
    assert set(spacefile) <= {"v", "space", "deploy", "profiles", "presets", "limits"}
    assert set(space) <= SPACE_KEYS
    assert set(spacefile["deploy"]) <= DEPLOY_KEYS
    for overlay in spacefile.get("profiles", {}).values():
        assert set(overlay) <= DEPLOY_KEYS
    for preset in spacefile["presets"].values():
        assert set(preset) <= PRESET_KEYS


def test_the_space_block_is_the_front_matter_of_the_readme(space):
    start, front_matter, _ = (ROOT / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert start == ""
    assert yaml.safe_load(front_matter) == space


def test_hugging_face_takes_the_values(spacefile, space):
    assert space["sdk"] == "gradio"
    assert {space["colorFrom"], space["colorTo"]} <= COLOURS
    assert space["header"] in ("mini", "default")
    assert len(space["short_description"]) <= 60
    assert isinstance(space["python_version"], str), "quote it: 3.10 as a number is 3.1"
    assert (ROOT / space["app_file"]).is_file()
    deploys = [spacefile["deploy"], *spacefile.get("profiles", {}).values()]
    assert all(SpaceHardware(deploy["hardware"]) for deploy in deploys if "hardware" in deploy)
    assert spacefile["deploy"]["visibility"] in ("public", "protected", "private")


def test_the_space_gets_the_tested_gradio(space, gradio):
    least = [bound.version for bound in gradio.specifier if bound.operator in (">=", "==")]
    assert least == [space["sdk_version"]]
    assert gradio.specifier.contains(version("gradio"))


def test_only_names_of_secrets_stand_in_the_file(spacefile):
    secrets = spacefile["deploy"]["secrets"]
    assert all(isinstance(name, str) and name.isupper() and "=" not in name for name in secrets)


def test_what_is_uploaded_exists(spacefile):
    for pattern in spacefile["deploy"]["include"]:
        assert any(ROOT.glob(pattern)), f"nothing matches {pattern}"


def test_the_limits_are_those_of_the_code(spacefile):
    code = {
        "MAX_LENGTH": MAX_LENGTH,
        "MAX_STEPS": MAX_STEPS,
        "MAX_CHARACTERS": MAX_CHARACTERS,
        "TIME_LIMIT": TIME_LIMIT,
    }
    assert spacefile["limits"] == {name.lower(): value for name, value in code.items()}
