"""What contradicts a Spacefile: the README's header, the requirements, the code, and what the hardware demands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.requirements import Requirement

from app.errors import InfillError
from app.sampling.request import MAX_CHARACTERS, MAX_LENGTH, MAX_STEPS, TIME_LIMIT
from app.space import render
from app.space.hardware import CPU, FLAVOURS, ZERO, ZERO_PYTHON, ZERO_TORCH
from app.space.spacefile import Deployment, Spacefile

PYTHONS = ("3.11", "3.12")
_LIMITS = {
    "max_length": MAX_LENGTH,
    "max_steps": MAX_STEPS,
    "max_characters": MAX_CHARACTERS,
    "time_limit": TIME_LIMIT,
}
_NEEDED = ("README.md", "requirements.txt", "Spacefile")
_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|API_KEY|PRIVATE)")


def contradictions(spacefile: Spacefile) -> list[str]:
    """All of them, each in a line."""
    data = spacefile.data
    found = [
        f"limits.{name} is {data['limits'][name]}, the code says {value:g}"
        for name, value in _LIMITS.items()
        if data["limits"][name] != value
    ]
    if data["deploy"]["profile"] not in spacefile.profiles:
        known = ", ".join(spacefile.profiles)
        found.append(f"deploy.profile is '{data['deploy']['profile']}', but the profiles are {known}")
    if not any(preset["memory"] == 0 for preset in spacefile.presets.values()):
        found.append("presets: none has memory: 0, so nothing runs without a GPU")
    found += _uploads(spacefile)
    try:
        found += _header(spacefile)
        found += _sdk(spacefile)
        for profile in spacefile.profiles:
            found += _profile(spacefile, spacefile.deployment(profile))
    except InfillError as error:  # a file that cannot be parsed
        found.append(str(error))
    return found


def _uploads(spacefile: Spacefile) -> Iterator[str]:
    deploy = spacefile.data["deploy"]
    for pattern in deploy["include"]:
        if not render.matching(spacefile.folder, pattern):
            yield f"deploy.include: nothing matches {pattern}"
    uploaded = render.names(spacefile.folder, spacefile.deployment(spacefile.profiles[0]))
    for name in (*_NEEDED, spacefile.data["space"]["app_file"]):
        if name not in uploaded:
            yield f"deploy.include: {name} is not among the files, and a Space needs it"


def _header(spacefile: Spacefile) -> Iterator[str]:
    """Where the README's front matter, which is all that Hugging Face reads, says something else."""
    wanted: Mapping[str, Any] = spacefile.data["space"]
    try:
        readme = (spacefile.folder / "README.md").read_text(encoding="utf-8")
    except OSError as error:
        yield f"README.md: cannot be read: {error.strerror}"
        return
    header = render.header(readme)
    if header is None:
        yield "README.md: has no front matter; run `python -m app space render --readme`"
        return
    for name in dict.fromkeys([*wanted, *header]):
        if name not in header:
            yield f"README.md: the header has no {name}; the Spacefile says {wanted[name]!r}"
        elif name not in wanted:
            yield f"README.md: the header has {name}, which the Spacefile does not know"
        elif header[name] != wanted[name]:
            yield f"README.md: the header's {name} is {header[name]!r}, the Spacefile says {wanted[name]!r}"


def _requirements(spacefile: Spacefile) -> dict[str, Requirement]:
    try:
        lines = (spacefile.folder / "requirements.txt").read_text(encoding="utf-8")
    except OSError as error:
        raise InfillError(f"requirements.txt: cannot be read: {error.strerror}") from None
    asked = filter(None, map(render.requirement, lines.splitlines()))
    return {requirement.name: requirement for requirement in asked}


def _sdk(spacefile: Spacefile) -> Iterator[str]:
    """Hugging Face installs `sdk_version` of gradio beside the requirements."""
    chosen, gradio = spacefile.data["space"]["sdk_version"], _requirements(spacefile).get("gradio")
    least = [bound.version for bound in gradio.specifier if bound.operator in (">=", "==")] if gradio else []
    if least != [chosen]:
        yield f"space.sdk_version is {chosen}, but requirements.txt starts at gradio {' '.join(least) or '(nothing)'}"


def _profile(spacefile: Spacefile, deployment: Deployment) -> Iterator[str]:
    place, hardware, sleep = f"profiles.{deployment.profile}", deployment.hardware, deployment.sleep_time
    if FLAVOURS[hardware].price and sleep is None:
        yield f"{place}: sleep_time is missing; paid hardware never sleeps by itself (-1 if that is meant)"
    if hardware in (CPU, ZERO) and sleep is not None:
        yield f"{place}: sleep_time has no effect on {hardware}"
    for name in deployment.variables:
        if _SECRET.search(name) or deployment.variables[name].startswith("hf_"):
            yield f"{place}: {name} is a variable, which everybody can read; put its name into secrets"
    for name in set(deployment.secrets) & set(deployment.variables):
        yield f"{place}: {name} is both a variable and a secret"
    python = deployment.header["python_version"]
    if ".".join(python.split(".")[:2]) not in PYTHONS:
        yield f"{place}: the code needs Python {' or '.join(PYTHONS)}, not {python}"
    if hardware == ZERO:
        yield from _zero(place, deployment, _requirements(spacefile))


def _zero(place: str, deployment: Deployment, requirements: Mapping[str, Requirement]) -> Iterator[str]:
    python = deployment.header["python_version"]
    if python not in ZERO_PYTHON:
        yield f"{place}: ZeroGPU offers Python {', '.join(ZERO_PYTHON)}, not {python}"
    own = deployment.requirements.get("torch")
    torch = Requirement(f"torch{own}") if own else requirements.get("torch", Requirement("torch"))
    if str(torch.specifier) not in [f"=={offered}" for offered in ZERO_TORCH]:
        yield f"{place}: ZeroGPU offers torch {', '.join(ZERO_TORCH)}; pin one of them, not {torch.specifier or 'none'}"
    if "spaces" not in deployment.requirements and "spaces" not in requirements:
        yield f"{place}: ZeroGPU needs the package spaces among the requirements"
    if deployment.variables.get("HF_DEACTIVATE_ASYNC_LOAD") != "1":
        yield f'{place}: ZeroGPU needs the variable HF_DEACTIVATE_ASYNC_LOAD: "1", or weights fail to load'
