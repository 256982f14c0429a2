"""Generator of the tree in the README: every folder, with the first sentence of its docstring.

`make docs` writes the tree; tests/test_repository.py checks that it names every folder and nothing else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "models")
PLAIN = {
    "app.py": "Start the page, here and on a Space",
    "assets": "Examples with their recorded runs, problems for the bench, pictures",
    "assets/page": "Script and style of the page: modules of one job each",
    "docs": "Reference: everything that is not in the README",
    "models/bundled": "Weights of the diffusion model that ships here",
    "models/bundled_parent": "Weights of the autoregressive model that it was adapted from",
    "notebooks": "Fill, draw, and write a strategy in a notebook",
    "tests": "Mirror app/ and models/",
    "CHANGELOG.md": "What users notice, by release",
    "CONTRIBUTING.md": "How to add a strategy, a view, a measurement or a model",
    "LICENSE": "Apache 2.0",
    "LOG.md": "Laboratory diary: every measurement, with command and machine",
    "Makefile": "Run, test, check, docs",
    "README.md": "This file",
    "Spacefile": "How the page is deployed",
    "package.json": "TypeScript and axe-core, which check the page's script",
    "package-lock.json": "Their exact versions",
    "pyproject.toml": "Dependencies, tools and import layers",
    "requirements-dev.txt": "Exact versions of the tools",
    "requirements.txt": "What the page needs",
}
"""Paths without a docstring of their own, and what they are."""
_COLUMN = 24


def markdown() -> str:
    """Return the tree as a fenced block, folders before files."""
    found = describe()
    lines = []
    for path in sorted(found, key=lambda path: (path.parts[0] not in PACKAGES, (ROOT / path.parts[0]).is_file(), path)):
        name = "  " * (len(path.parts) - 1) + path.name + "/" * (ROOT / path).is_dir()
        lines.append(f"{name:<{_COLUMN}} {found[path]}")
    return "\n".join(["```", *lines, "```"])


def describe() -> dict[Path, str]:
    """Return a line for every package under app/ and models/, and for every path in PLAIN."""
    return {Path(name): line for name, line in PLAIN.items()} | dict(_packages())


def _packages() -> Iterator[tuple[Path, str]]:
    for package in PACKAGES:
        for file in (ROOT / package).rglob("__init__.py"):
            docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            yield file.parent.relative_to(ROOT), first_sentence(docstring)


def first_sentence(docstring: str) -> str:
    """Return the first sentence of a docstring on one line, without its full stop and without backticks."""
    sentence = re.split(r"\.(?:\s|$)|\n\n", docstring, maxsplit=1)[0]
    return " ".join(sentence.replace("`", "").split())


if __name__ == "__main__":
    print(markdown())
