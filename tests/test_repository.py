"""The repository keeps its own rules: style, types, import directions, and documents that tell the truth."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest

from app.space import spacefile
from app.space.contents import contents
from docs.tree import PACKAGES, first_sentence

ROOT = Path(__file__).parents[1]
_FOLDERS = (".", "docs", "assets/map", "models/*", "tests/golden")
DOCUMENTS = sorted(file.relative_to(ROOT) for folder in _FOLDERS for file in ROOT.glob(f"{folder}/*.md"))
"""Every Markdown file."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def check(*command: str) -> None:
    done = run(*command)
    if done.returncode:
        pytest.fail(f"python {' '.join(command)}\n{done.stdout}", pytrace=False)


def links(document: Path) -> list[str]:
    """Return the targets of links and pictures within the repository, without those in code."""
    text = re.sub(r"`(?:[^`\n]|\n(?!\n))*`", "", without_fences((ROOT / document).read_text(encoding="utf-8")))
    targets = re.findall(r"\]\(([^)\s]+)\)|<(?:a|img) [^>]*(?:href|src)=\"([^\"]+)\"", text)
    return [target for pair in targets for target in pair if target and "://" not in target]


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a Markdown file."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#{1,6} (.+)$", without_fences(file.read_text(encoding="utf-8")), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def without_fences(text: str) -> str:
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.DOTALL | re.MULTILINE)


def paths_in_the_tree() -> list[Path]:
    """Return the paths that the README's tree lists, in order."""
    tree = re.search(r"```\n(app/ .*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert tree
    paths: list[Path] = []
    folders: list[str] = []
    for line in tree[1].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        folders[depth:] = [line.split()[0]]
        paths.append(Path(*folders))
    return paths


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """The files that git knows or would take."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("this is not a git checkout")
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
    generated = [name for name in map(str, DOCUMENTS) if "[[[cog" in (ROOT / name).read_text(encoding="utf-8")]
    assert {"README.md", "CONTRIBUTING.md", "docs/strategies.md"} <= set(generated)
    check("-m", "cogapp", "--check", "--check-fail-msg=run `make docs`", "-I", ".", *generated)


def test_every_markdown_file_is_among_the_documents(tracked):
    assert {file.relative_to(ROOT) for file in tracked if file.suffix == ".md"} == set(DOCUMENTS)


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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.as_posix())
def test_links_pictures_and_anchors_of_the_documents_lead_somewhere(document):
    missing = []
    for target in links(document):
        place, _, anchor = target.partition("#")
        file = (ROOT / document).parent / place if place else ROOT / document
        if not file.resolve().is_relative_to(ROOT) or not file.exists() or (anchor and anchor not in anchors(file)):
            missing.append(target)
    assert not missing


def test_anchors_are_made_as_github_makes_them(tmp_path):
    file = tmp_path / "a.md"
    file.write_text("# One `two`, three!\n## [Where](it.md) it runs\n## Twice\n### Twice\n```\n# no heading\n```\n")
    assert anchors(file) == {"one-two-three", "where-it-runs", "twice", "twice-1"}


def test_the_tree_in_the_readme_names_every_folder_and_nothing_else(tracked):
    listed = paths_in_the_tree()
    missing = [path.as_posix() for path in listed if not (ROOT / path).exists()]
    assert not missing
    known = [file.relative_to(ROOT) for file in tracked]
    packages = {file.parent for file in known if file.name == "__init__.py" and file.parts[0] in PACKAGES}
    at_the_top = {Path(file.parts[0]) for file in known if not file.parts[0].startswith(".")}
    unlisted = (packages | at_the_top) - set(listed)
    assert not unlisted


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("The page.", "The page"),
        ("A trace (`recording`), arXiv:2410.17891.\n\nMore.", "A trace (recording), arXiv:2410.17891"),
        ("Two lines\nof one sentence. Another one.", "Two lines of one sentence"),
    ],
)
def test_the_tree_has_the_first_sentence_of_a_docstring(docstring, sentence):
    assert first_sentence(docstring) == sentence


def test_the_readme_has_at_most_a_thousand_words():
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    words = re.sub(r"<!-- \[\[\[cog.*?\[\[\[end\]\]\] -->", "", text, flags=re.DOTALL).split()
    assert len(words) <= 1000


@pytest.mark.parametrize("document", ["README.md", "docs/python.md"])
def test_the_python_examples_of_the_documents_run(document):
    examples = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    ours = [example for example in examples if "gradio_client" not in example]  # tests/ui/test_endpoint.py runs those
    assert len(ours) == 1
    check("-c", ours[0])


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


def test_every_package_that_is_imported_is_declared():
    declared = {
        re.split(r"[><=]", line)[0].lower().replace("-", "_")
        for line in (ROOT / "requirements.txt").read_text().splitlines()
    }
    distributions = {module: {name.lower().replace("-", "_") for name in names} for module, names in _modules().items()}
    optional = {
        "peft",
        "playwright",
        "spaces",
        "textblob",
    }  # imported where they are needed, with a message if they are missing
    imported = set()
    for file in (*ROOT.glob("app/**/*.py"), *ROOT.glob("models/**/*.py"), ROOT / "app.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            imported |= {name.partition(".")[0] for name in names}
    foreign = imported - set(sys.stdlib_module_names) - {"app", "models"} - optional
    assert foreign >= {"torch", "yaml", "gradio"}
    undeclared = {name for name in foreign if not distributions.get(name, {name}) & declared}
    assert undeclared <= {"pydantic_core"}, "declare them in requirements.txt"  # pydantic brings its own version


def _modules() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def test_the_package_depends_on_what_make_run_installs_and_has_a_console_script():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = settings["project"]
    assert project["dynamic"] == ["dependencies"]
    assert settings["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}
    module, _, function = project["scripts"]["infilling"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert f"## {project['version']} " in (ROOT / "CHANGELOG.md").read_text()


def test_the_readme_links_only_to_files_of_the_space():
    uploaded = contents(ROOT, spacefile.read(ROOT).deployment()).names
    places = [target.partition("#")[0].rstrip("/") for target in links(Path("README.md"))]
    assert not [place for place in places if not any(f"{name}/".startswith(f"{place}/") for name in uploaded)]


def test_functions_have_at_most_60_lines_and_test_names_fewer_than_80_characters():
    long = []
    for file in (*ROOT.glob("app/**/*.py"), *ROOT.glob("models/**/*.py"), *ROOT.glob("tests/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if (lines > 60 and "tests" not in file.parts) or (
                    node.name.startswith("test") and len(node.name) >= 80
                ):
                    long.append(f"{file.relative_to(ROOT)}:{node.lineno} {node.name}, {lines} lines")
    assert not long
