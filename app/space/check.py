"""Finding contradictions between the Spacefile and the README's header, the requirements, the code and the hardware."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from packaging.requirements import Requirement

import models
from app.errors import InfillError
from app.sampling.fields import MAX_CHARACTERS
from app.sampling.request import MAX_STEPS, TIME_LIMIT
from app.sampling.template import MAX_LENGTH
from app.space import render
from app.space.contents import contents, matching_files, tracked_files
from app.space.hardware import CPU, FLAVOURS, ZERO, ZERO_PYTHON, ZERO_TORCH
from app.space.spacefile import Deployment, Spacefile

PYTHONS = ("3.11", "3.12")
_LIMITS = {
    "max_length": MAX_LENGTH,
    "max_steps": MAX_STEPS,
    "max_characters": MAX_CHARACTERS,
    "time_limit": TIME_LIMIT,
}
_REQUIRED = ("README.md", "requirements.txt", "Spacefile")
_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|API_KEY|PRIVATE)")


def contradictions(spacefile: Spacefile) -> list[str]:
    """Return every contradiction, each as one line."""
    limits = spacefile.content.limits.model_dump()
    found = [
        f"limits.{name} is {limits[name]}, but the limit in the code is {value:g}"
        for name, value in _LIMITS.items()
        if limits[name] != value
    ]
    default = spacefile.content.deploy.profile
    if default not in spacefile.profiles:
        found.append(f"deploy.profile is '{default}', but the profiles are {', '.join(spacefile.profiles)}")
    if not any(model.memory == 0 for model in spacefile.models.values()):
        found.append("models: at least one needs memory: 0, or nothing runs without a GPU")
    for name in spacefile.content.deploy.offer:
        try:
            models.check_offer(name)
        except ValueError as error:
            found.append(f"deploy.offer: {error}")
    try:
        found += _uploads(spacefile)
        found += _header(spacefile)
        found += _sdk(spacefile)
        for profile in spacefile.profiles:
            found += _profile(spacefile, spacefile.deployment(profile))
    except InfillError as error:  # a file that cannot be parsed, or a link that cannot be deployed
        found.append(str(error))
    return found


def _uploads(spacefile: Spacefile) -> Iterator[str]:
    tracked = tracked_files(spacefile.folder)
    those = "file" if tracked is None else "file that git tracks"
    for pattern in spacefile.content.deploy.include:
        found = matching_files(spacefile.folder, pattern)
        if not (found if tracked is None else found & tracked):
            yield f"deploy.include: no {those} matches {pattern}"
    chosen = contents(spacefile.folder, spacefile.deployment(spacefile.profiles[0]))
    for name in (*_REQUIRED, spacefile.content.space.app_file):
        if name in chosen.names:
            continue
        if name in chosen.left_out and chosen.in_git:
            yield f"deploy.include: a Space needs {name}, which git does not track: run `git add {name}`"
        else:
            yield f"deploy.include: {name} is not among the files, but a Space needs it"


def _header(spacefile: Spacefile) -> Iterator[str]:
    """Yield the differences between `space` and the README's front matter, which is all that Hugging Face reads."""
    wanted = spacefile.header
    try:
        readme = (spacefile.folder / "README.md").read_text(encoding="utf-8")
    except OSError as error:
        yield f"README.md: cannot be read: {error.strerror}"
        return
    header = render.read_header(readme)
    if header is None:
        yield "README.md: the front matter is missing; add it with `python -m app space render --readme`"
        return
    for name in dict.fromkeys([*wanted, *header]):
        if name not in header:
            yield f"README.md: the header lacks {name}; the Spacefile has {wanted[name]!r}"
        elif name not in wanted:
            yield f"README.md: the header has {name}, but the Spacefile does not"
        elif header[name] != wanted[name]:
            yield f"README.md: the header's {name} is {header[name]!r}, but the Spacefile has {wanted[name]!r}"


def _requirements(spacefile: Spacefile) -> dict[str, Requirement]:
    try:
        lines = (spacefile.folder / "requirements.txt").read_text(encoding="utf-8")
    except OSError as error:
        raise InfillError(f"requirements.txt: cannot be read: {error.strerror}") from None
    requirements = filter(None, map(render.parse_requirement, lines.splitlines()))
    return {requirement.name: requirement for requirement in requirements}


def _sdk(spacefile: Spacefile) -> Iterator[str]:
    """Check `sdk_version`, the version of gradio that Hugging Face installs in addition to the requirements."""
    chosen, gradio = spacefile.content.space.sdk_version, _requirements(spacefile).get("gradio")
    least = [bound.version for bound in gradio.specifier if bound.operator in (">=", "==")] if gradio else []
    if least != [chosen]:
        yield f"space.sdk_version is {chosen}, but requirements.txt starts at gradio {' '.join(least) or '(nothing)'}"


def _profile(spacefile: Spacefile, deployment: Deployment) -> Iterator[str]:
    place, hardware, sleep = f"profiles.{deployment.profile}", deployment.hardware, deployment.sleep_time
    if FLAVOURS[hardware].price and sleep is None:
        yield f"{place}: sleep_time is missing; paid hardware never sleeps by itself (if you want that, set -1)"
    if hardware in (CPU, ZERO) and sleep is not None:
        yield f"{place}: sleep_time has no effect on {hardware}"
    for name in deployment.variables:
        if _SECRET.search(name) or deployment.variables[name].startswith("hf_"):
            yield f"{place}: {name} is a variable, which everybody can read; list its name under secrets instead"
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
    pin = deployment.requirements.get("torch")
    torch = Requirement(f"torch{pin}") if pin else requirements.get("torch", Requirement("torch"))
    if str(torch.specifier) not in [f"=={offered}" for offered in ZERO_TORCH]:
        wanted = torch.specifier or "any version"
        yield f"{place}: ZeroGPU offers torch {', '.join(ZERO_TORCH)}; pin one of them, not {wanted}"
    if "spaces" not in deployment.requirements and "spaces" not in requirements:
        yield f"{place}: ZeroGPU needs the package spaces in the requirements"
    if deployment.variables.get("HF_DEACTIVATE_ASYNC_LOAD") != "1":
        yield f'{place}: ZeroGPU needs the variable HF_DEACTIVATE_ASYNC_LOAD: "1", or weights fail to load'
