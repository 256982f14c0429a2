"""Choosing the model to start with: the one asked for, or the best that fits the hardware and can be loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import models
from app.errors import InfillError
from app.space.hardware import current_flavour, gpu_memory
from app.space.schema import Candidate

VARIABLE = "INFILL_MODEL"


class ModelChoice(NamedTuple):
    """The chosen model, the keywords for `models.load`, and why better models were skipped."""

    model: str
    settings: Mapping[str, str]
    notices: tuple[str, ...] = ()


def choose(
    candidates: Mapping[str, Candidate],
    environment: Mapping[str, str],
    *,
    asked: str | None = None,
    flavour: str | None = None,
    find: Callable[[str], object] = models.find,
) -> ModelChoice:
    """Return `asked`, else $INFILL_MODEL (any name that `find` knows), else the first candidate that fits.

    `candidates` are the Spacefile's `models`, the best one first. One fits if the Space's GPU has the memory that it
    needs. Its `quant` applies only then: elsewhere, `models.load` measures the machine and decides.
    `flavour` is the hardware (default: that of this process).
    Raises InfillError if the model asked for, or every candidate, cannot be loaded.
    """
    flavour = flavour or current_flavour(environment)
    name = asked or environment.get(VARIABLE)
    if not name:
        return first_fitting(candidates, flavour, find=find)
    try:
        find(name)
    except ValueError as error:
        raise InfillError(str(error) if asked else f"{VARIABLE}: {error}") from None
    candidate = candidates.get(name)
    return ModelChoice(name, _settings(candidate) if candidate and candidate.memory <= gpu_memory(flavour) else {})


def first_fitting(
    candidates: Mapping[str, Candidate], flavour: str, *, find: Callable[[str], object] = models.find
) -> ModelChoice:
    """Return the first candidate that fits the hardware and can be loaded. Raises InfillError if there is none."""
    notices = []
    for name, candidate in candidates.items():
        if candidate.memory > gpu_memory(flavour):
            continue
        try:
            find(name)
        except ValueError as error:
            notices.append(f"model '{name}' fits {flavour} but cannot be loaded here: {error}")
            continue
        return ModelChoice(name, _settings(candidate), tuple(notices))
    raise InfillError("; ".join([f"none of the Spacefile's models can be used on {flavour}", *notices]))


def _settings(candidate: Candidate) -> dict[str, str]:
    """Return the keywords for `models.load`, which decides everything else by itself."""
    return {} if candidate.quant == "none" else {"quantize": candidate.quant}
