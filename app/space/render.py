"""Making a Space's files exactly as they are uploaded for a profile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement

from app.errors import InfillError
from app.space.contents import Contents
from app.space.spacefile import Deployment

_FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)


def files(folder: Path, chosen: Contents, deployment: Deployment) -> dict[str, bytes]:
    """Return path -> content of the chosen files. Only README.md and requirements.txt differ from the folder's own."""
    content = {name: (folder / name).read_bytes() for name in chosen.names}
    if "README.md" in content:
        content["README.md"] = with_header(decode(content, "README.md"), deployment.header).encode()
    if "requirements.txt" in content:
        content["requirements.txt"] = pin_versions(decode(content, "requirements.txt"), deployment).encode()
    return content


def decode(content: Mapping[str, bytes], name: str) -> str:
    """Return a file's text, with Unix line ends. Raises InfillError if it is not UTF-8."""
    try:
        return content[name].decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InfillError(f"{name} is not UTF-8 at byte {error.start}") from None


def read_header(readme: str) -> dict[str, Any] | None:
    """Return a README's front matter, or None without one. Raises InfillError if it is not valid YAML."""
    found = _FRONT_MATTER.match(readme)
    if found is None:
        return None
    try:
        data = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise InfillError(f"README.md's front matter is not valid YAML: {' '.join(str(error).split())}") from None
    return data if isinstance(data, dict) else None


def with_header(readme: str, wanted: Mapping[str, Any]) -> str:
    """Return the README with this front matter; unchanged if it already has the same values."""
    if read_header(readme) == dict(wanted):
        return readme
    block = yaml.safe_dump(dict(wanted), sort_keys=False, allow_unicode=True, default_flow_style=None, width=1000)
    return f"---\n{block}---\n" + _FRONT_MATTER.sub("", readme, count=1)


def parse_requirement(line: str) -> Requirement | None:
    """Return the requirement in a line; None for options, comments and empty lines. Raises InfillError if invalid."""
    line = line.partition("#")[0].strip()
    if not line or line.startswith("-"):
        return None
    try:
        return Requirement(line)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise InfillError(f"requirements.txt: '{line}' is not a valid requirement: {reason}") from None


def pin_versions(lines: str, deployment: Deployment) -> str:
    """Return the requirements with the deployment's own versions; packages not yet listed are added at the end."""
    pins, index = dict(deployment.requirements), deployment.extra_index_url
    rendered = [] if index is None else [f"--extra-index-url {index}"]
    for line in lines.splitlines():
        requirement = parse_requirement(line)
        pin = requirement and pins.pop(requirement.name, None)
        rendered.append(f"{requirement.name}{pin}" if requirement and pin else line)
    return "\n".join([*rendered, *(name + pin for name, pin in pins.items())]) + "\n"
