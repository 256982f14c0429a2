"""The files of a Space, exactly as they are uploaded for a profile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement

from app.errors import InfillError
from app.space.spacefile import Deployment

_FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)


def files(folder: Path, deployment: Deployment) -> dict[str, bytes]:
    """Path in the Space -> content. All but README.md and requirements.txt are the folder's own, byte by byte."""
    content = {name: (folder / name).read_bytes() for name in names(folder, deployment)}
    if "README.md" in content:
        content["README.md"] = with_header(text(content, "README.md"), deployment.header).encode()
    if "requirements.txt" in content:
        content["requirements.txt"] = pinned(text(content, "requirements.txt"), deployment).encode()
    return content


def names(folder: Path, deployment: Deployment) -> list[str]:
    """The paths of the files."""
    included = {name for pattern in deployment.include for name in matching(folder, pattern)}
    return sorted(included - {name for pattern in deployment.exclude for name in matching(folder, pattern)})


def matching(folder: Path, pattern: str) -> set[str]:
    """The files that a pattern of the Spacefile names; a folder stands for all that is in it."""
    found = list(folder.glob(pattern))
    found += [inner for outer in found if outer.is_dir() for inner in outer.rglob("*")]
    return {file.relative_to(folder).as_posix() for file in found if file.is_file()}


def text(content: Mapping[str, bytes], name: str) -> str:
    try:
        return content[name].decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InfillError(f"{name} is not UTF-8 at byte {error.start}") from None


def header(readme: str) -> dict[str, Any] | None:
    """A README's front matter; None where it has none. Raises InfillError if it is no YAML."""
    found = _FRONT_MATTER.match(readme)
    if found is None:
        return None
    try:
        data = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise InfillError(f"README.md's front matter is no YAML: {' '.join(str(error).split())}") from None
    return data if isinstance(data, dict) else None


def with_header(readme: str, wanted: Mapping[str, Any]) -> str:
    """The README with this front matter; as it is where it says the same already."""
    if header(readme) == dict(wanted):
        return readme
    block = yaml.safe_dump(dict(wanted), sort_keys=False, allow_unicode=True, default_flow_style=None, width=1000)
    return f"---\n{block}---\n" + _FRONT_MATTER.sub("", readme, count=1)


def requirement(line: str) -> Requirement | None:
    """What a line of a requirements file asks for; None for options, comments and nothing."""
    line = line.partition("#")[0].strip()
    if not line or line.startswith("-"):
        return None
    try:
        return Requirement(line)
    except InvalidRequirement as error:
        raise InfillError(f"requirements.txt: '{line}' is no requirement: {str(error).splitlines()[0]}") from None


def pinned(lines: str, deployment: Deployment) -> str:
    """The requirements with the deployment's own versions; packages that are not there yet are added at the end."""
    pins, index = dict(deployment.requirements), deployment.extra_index_url
    rendered = [] if index is None else [f"--extra-index-url {index}"]
    for line in lines.splitlines():
        asked = requirement(line)
        pin = asked and pins.pop(asked.name, None)
        rendered.append(f"{asked.name}{pin}" if asked and pin else line)
    return "\n".join([*rendered, *(name + pin for name, pin in pins.items())]) + "\n"
