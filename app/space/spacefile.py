"""Reading the Spacefile, which says how this app is deployed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from app.errors import InfillError, unknown
from app.space import schema

ROOT = Path(__file__).parents[2]
NAME = "Spacefile"


class MalformedError(InfillError):
    """The Spacefile breaks the schema; `mistakes` has one line for each problem."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__(f"the Spacefile has mistakes: {'; '.join(mistakes)}")
        self.mistakes = mistakes


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The `deploy` block combined with one profile, whose variables and secrets are added to those of `deploy`."""

    profile: str
    repo: str  # owner/name, or ${VARIABLE}
    visibility: str
    hardware: str
    sleep_time: int | None  # seconds without a visitor; -1: never
    variables: Mapping[str, str]
    secrets: tuple[str, ...]  # names
    offer: tuple[str, ...]  # models that visitors may choose, as for `models.offers`
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    header: Mapping[str, Any]  # the README's front matter
    requirements: Mapping[str, str]  # package -> versions, which replace those in requirements.txt
    extra_index_url: str | None


@dataclass(frozen=True)
class Spacefile:
    """A Spacefile that fits the schema, and the folder that it is in and deploys."""

    folder: Path
    content: schema.Content

    @property
    def profiles(self) -> tuple[str, ...]:
        """Names of the profiles."""
        return tuple(self.content.profiles)

    @property
    def models(self) -> Mapping[str, schema.Candidate]:
        """Models that the page may start with, the best one first."""
        return self.content.models

    @property
    def header(self) -> dict[str, Any]:
        """The README's front matter, before a profile changes it."""
        return self.content.space.model_dump(exclude_unset=True)

    def deployment(self, profile: str | None = None) -> Deployment:
        """Return the deployment for a profile (default: `deploy.profile`). Raises InfillError if it does not exist."""
        deploy = self.content.deploy
        name = deploy.profile if profile is None else profile
        if name not in self.profiles:
            raise unknown("profile", name, self.profiles)
        chosen = self.content.profiles[name]
        python = {"python_version": chosen.python_version} if chosen.python_version else {}
        return Deployment(
            profile=name,
            repo=deploy.repo,
            visibility=chosen.visibility or deploy.visibility,
            hardware=chosen.hardware,
            sleep_time=chosen.sleep_time,
            variables={**deploy.variables, **chosen.variables},
            secrets=tuple(dict.fromkeys([*deploy.secrets, *chosen.secrets])),
            offer=tuple(deploy.offer),
            include=tuple(deploy.include),
            exclude=tuple(deploy.exclude),
            header={**self.header, **python},
            requirements=chosen.requirements,
            extra_index_url=chosen.extra_index_url,
        )


def read(folder: Path = ROOT) -> Spacefile:
    """Read the folder's Spacefile. Raises MalformedError if it breaks the schema, InfillError if unreadable."""
    data = _parse(folder)
    if isinstance(data, dict) and "presets" in data and "models" not in data:
        print("the Spacefile's key `presets` is now called `models`; please rename it", file=sys.stderr)
        data["models"] = data.pop("presets")
    try:
        return Spacefile(folder, schema.Content.model_validate(data))
    except ValidationError as error:
        raise MalformedError([schema.explain(mistake) for mistake in error.errors()]) from None


def _parse(folder: Path) -> Any:
    try:
        return yaml.load((folder / NAME).read_text(encoding="utf-8"), _NoDuplicates)
    except OSError as error:
        raise InfillError(
            f"cannot read the Spacefile in '{folder}': {error.strerror}; run this in a checkout of the repository"
        ) from None
    except UnicodeDecodeError as error:
        raise InfillError(f"the Spacefile is not UTF-8 at byte {error.start}") from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise InfillError(f"the Spacefile is not valid YAML: {line}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise InfillError(f"the Spacefile is not valid YAML: {' '.join(str(error).split())}") from None


class _NoDuplicates(yaml.SafeLoader):
    """A YAML loader that rejects duplicate keys; PyYAML itself silently keeps the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping. Raises MarkedYAMLError if it has a key twice."""
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"duplicate key {key.value}", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
