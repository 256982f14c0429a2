"""The repository keeps its own rules: style, types, import directions, and documents that tell the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def check(*command: str) -> None:
    done = run(*command)
    if done.returncode:
        pytest.fail(f"python {' '.join(command)}\n{done.stdout}", pytrace=False)


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """The files that git knows or would take."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def test_ruff_finds_nothing():
    check("-m", "ruff", "check", ".")


def test_everything_is_formatted():
    check("-m", "ruff", "format", "--check", ".")


def test_the_types_agree(monkeypatch):
    monkeypatch.setenv("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1")  # else it asks the network for a newer version
    check("-m", "pyright", "--pythonpath", sys.executable)


def test_imports_keep_their_directions():
    check("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache")


def test_the_generated_parts_of_the_documents_are_current():
    check("-m", "cogapp", "--check", "--check-fail-msg=run `make readme`", "-I", ".", "README.md", "CONTRIBUTING.md")


def test_importing_the_application_loads_neither_torch_nor_gradio():
    code = """
import importlib, pkgutil, sys
import app
names = [module.name for module in pkgutil.walk_packages(app.__path__, "app.") if not module.name.startswith("app.ui")]
assert "app.infill" in names, names
for name in names:
    importlib.import_module(name)
heavy = {"torch", "transformers", "gradio"} & set(sys.modules)
assert not heavy, heavy
"""
    check("-c", code)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_pictures_of_the_documents_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    missing = [target for target in targets if "://" not in target and not (ROOT / target.partition("#")[0]).exists()]
    assert not missing


def test_the_tree_in_the_readme_names_what_is_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = re.search(r"```\n(app\.py .*?)```", text, re.DOTALL)
    assert tree
    folder = Path()
    missing = []
    for line in tree[1].splitlines():
        name = line.split()[0]
        place = folder / name if line.startswith("  ") else Path(name)
        if not line.startswith("  "):
            folder = place
        if not (ROOT / place).exists():
            missing.append(str(place))
    assert not missing


def test_the_readme_sets_up_with_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    set_up = text.split("## Set-up")[1].split("<details>")[0]
    assert re.findall(r"^    (.+)$", set_up, re.MULTILINE) == ["make run", "make test"]


def test_no_path_of_a_developers_machine_is_in_the_files(tracked):
    machine = re.compile(r"(?<![\w.~-])/(?:home|Users|root)/\w|" + re.escape(f"{ROOT}/"))
    leaks = []
    for file in tracked:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # weights and pictures
        leaks += [f"{file.relative_to(ROOT)}:{n}" for n, line in enumerate(lines, start=1) if machine.search(line)]
    assert not leaks


def test_torch_is_pinned_exactly_and_everything_else_to_a_range():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert lines[0] == "torch==2.13.0"
    assert all(re.fullmatch(r"[\w-]+>=[\d.]+,<[\d.]+", line) for line in lines[1:])


def test_the_development_tools_are_pinned_exactly():
    lines = (ROOT / "requirements-dev.txt").read_text().splitlines()
    tools = [line for line in lines if line and not line.startswith("#")]
    assert tools[0] == "-r requirements.txt"
    assert all(re.fullmatch(r"[\w-]+(\[\w+\])?==[\d.]+", tool) for tool in tools[1:])
