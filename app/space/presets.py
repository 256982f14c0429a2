"""Which model to start with: the one that was asked for, or the best that the hardware holds and that can be loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import models
from app.errors import InfillError
from app.space.hardware import memory, present

VARIABLE = "INFILL_MODEL"


class Choice(NamedTuple):
    """`settings` are the keywords for `models.load`; `notices` say why it is not the first that fits."""

    model: str
    settings: Mapping[str, str]
    notices: tuple[str, ...] = ()


def choose(
    presets: Mapping[str, Mapping[str, Any]],
    environment: Mapping[str, str],
    *,
    asked: str | None = None,
    flavour: str | None = None,
    find: Callable[[str], object] = models.find,
) -> Choice:
    """`asked`, or else $INFILL_MODEL: a preset, or anything that `find` knows. Or else the first preset that fits.

    Presets stand in the Spacefile with the best one first, and fit where the GPU of a Space has the memory that they
    ask for. What they say of how to load it counts only there: a private machine is measured when it loads.
    `flavour` is the hardware, that of this process unless told.
    Raises InfillError if what was asked for cannot be loaded, or nothing can.
    """
    flavour = flavour or present(environment)
    name = asked or environment.get(VARIABLE)
    if name:
        try:
            find(name)
        except ValueError as error:
            raise InfillError(str(error) if asked else f"{VARIABLE}: {error}") from None
        preset = presets.get(name)
        return Choice(name, settings(preset) if preset and preset["memory"] <= memory(flavour) else {})
    return fitting(presets, flavour, find=find)


def fitting(
    presets: Mapping[str, Mapping[str, Any]], flavour: str, *, find: Callable[[str], object] = models.find
) -> Choice:
    """The first preset that a flavour of hardware holds and that can be loaded here. Raises InfillError if none is."""
    notices = []
    for name, preset in presets.items():
        if preset["memory"] > memory(flavour):
            continue
        try:
            find(name)
        except ValueError as error:
            notices.append(f"{flavour} would hold preset '{name}', but it cannot be loaded here: {error}")
            continue
        return Choice(name, settings(preset), tuple(notices))
    raise InfillError("; ".join([f"no preset of the Spacefile can be used on {flavour}", *notices]))


def settings(preset: Mapping[str, Any]) -> dict[str, str]:
    """What a preset of the Spacefile says, as `models.load` calls it; the rest is left to `placement`."""
    return {} if preset["quant"] == "none" else {"quantize": preset["quant"]}
