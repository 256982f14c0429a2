"""The Spacefile, read: the one place that says how this app is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from app.errors import InfillError, unknown
from app.space import schema

ROOT = Path(__file__).parents[2]
NAME = "Spacefile"


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What `deploy` says with one profile laid over it; a profile's variables, secrets and pins add to deploy's."""

    profile: str
    repo: str  # owner/name, or ${VARIABLE}
    visibility: str
    hardware: str
    sleep_time: int | None  # seconds without a visitor; -1: never
    variables: Mapping[str, str]
    secrets: tuple[str, ...]  # names
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    header: Mapping[str, Any]  # the README's front matter
    requirements: Mapping[str, str]  # package -> versions, in place of what requirements.txt says
    extra_index_url: str | None


@dataclass(frozen=True)
class Spacefile:
    """A Spacefile without mistakes of form; `folder` is where it lies, beside what it deploys."""

    folder: Path
    data: Mapping[str, Any]

    @property
    def profiles(self) -> tuple[str, ...]:
        return tuple(self.data["profiles"])

    @property
    def presets(self) -> Mapping[str, Mapping[str, Any]]:
        return self.data["presets"]

    def deployment(self, profile: str | None = None) -> Deployment:
        """With the profile of that name, or the one that `deploy` names. Raises InfillError if there is none."""
        deploy = self.data["deploy"]
        name = deploy["profile"] if profile is None else profile
        if name not in self.profiles:
            raise unknown("profile", name, self.profiles)
        overlay = self.data["profiles"][name]
        python = {"python_version": overlay["python_version"]} if "python_version" in overlay else {}
        return Deployment(
            profile=name,
            repo=deploy["repo"],
            visibility=overlay.get("visibility", deploy["visibility"]),
            hardware=overlay["hardware"],
            sleep_time=overlay.get("sleep_time"),
            variables={**deploy.get("variables", {}), **overlay.get("variables", {})},
            secrets=tuple(dict.fromkeys([*deploy.get("secrets", []), *overlay.get("secrets", [])])),
            include=tuple(deploy["include"]),
            exclude=tuple(deploy.get("exclude", [])),
            header={**self.data["space"], **python},
            requirements=overlay.get("requirements", {}),
            extra_index_url=overlay.get("extra_index_url"),
        )


def load(folder: Path = ROOT) -> tuple[Any, list[str]]:
    """What stands in the folder's Spacefile, and its mistakes of form. Raises InfillError if it cannot be parsed."""
    try:
        data = yaml.load((folder / NAME).read_text(encoding="utf-8"), _NoDuplicates)
    except OSError as error:
        raise InfillError(f"cannot read the Spacefile in '{folder}': {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InfillError(f"the Spacefile is not UTF-8 at byte {error.start}") from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise InfillError(f"the Spacefile is no YAML: {line}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise InfillError(f"the Spacefile is no YAML: {' '.join(str(error).split())}") from None
    return data, schema.mistakes(data)


def read(folder: Path = ROOT) -> Spacefile:
    """Raises InfillError, which names the mistakes, where the folder has no well-formed Spacefile."""
    data, mistakes = load(folder)
    if mistakes:
        raise InfillError(f"the Spacefile is not well formed: {'; '.join(mistakes)}")
    return Spacefile(folder, data)


class _NoDuplicates(yaml.SafeLoader):
    """YAML lets the last of two equal keys win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} stands there twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
