"""Presets of a checkpoint: read from calibration.json beside its weights, or made from calibrated thresholds.

Each strategy's file declares at the knob which score sets it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import models
from app.errors import InfillError, quoted, unknown
from app.sampling.fields import Knob, Value
from app.strategies.registry import find, strategies

LEVELS = {"safe": 0.95, "balanced": 0.9, "fast": 0.8}
"""Level to the required probability that a masked position's first choice is what is committed in the end."""
STRICTEST = {"confidence": 1.0, "margin": 1.0, "entropy": 0.0, "logit_margin": math.inf, "drift": 0.0}
"""The calibrated scores of a `Prediction`, each with its threshold for a level that is never reached."""
FILE = "calibration.json"

Presets = Mapping[str, Mapping[str, Mapping[str, Value]]]
"""Strategy to level to knob to value."""


def presets(model: str) -> Presets:
    """Return the presets of a model, named as for `models.find`; empty if it has no calibration.json.

    Raises InfillError if there is no such model, or its file is broken.
    """
    try:
        folder = models.folder_of(model)
    except ValueError as error:
        raise InfillError(str(error)) from None
    return read(folder / FILE) if folder and (folder / FILE).exists() else {}


def read(path: Path) -> Presets:
    """Read the presets in a calibration.json. Raises InfillError, naming what is wrong with it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["presets"]
        for name, levels in found.items():
            if set(levels) != set(LEVELS):
                raise ValueError(f"'{name}' has {', '.join(levels) or 'nothing'} instead of {', '.join(LEVELS)}")
            for knobs in levels.values():
                find(name).bind(knobs)
    except OSError as error:
        raise InfillError(f"cannot read '{path}': {error.strerror}") from None
    except KeyError:
        raise _broken(path, "it has no 'presets'") from None
    except (TypeError, AttributeError, RecursionError):
        raise _broken(path, "'presets' must map strategies to levels, and levels to knobs") from None
    except ValueError as error:  # not JSON, not UTF-8, no such strategy or knob, a value out of range
        raise _broken(path, str(error)) from None
    return found


def _broken(path: Path, why: str) -> InfillError:
    return InfillError(
        f"'{path}' is not a valid calibration.json: {why}; delete it, or recreate it with python -m app calibrate"
    )


def preset(model: str, strategy: str, level: str) -> Mapping[str, Value]:
    """Return the knob values of a preset. Raises InfillError, naming the available presets and how to make them."""
    if level not in LEVELS:
        raise unknown("preset", level, LEVELS)
    known = presets(model)
    if not known:
        raise InfillError(
            f"model {quoted(model)} has no presets; make them with python -m app calibrate --model {model} --text "
            "FILE, or set the knobs yourself"
        )
    if strategy not in known:
        raise InfillError(
            f"strategy {quoted(strategy)} has no presets for model {quoted(model)}; these have: "
            f"{', '.join(sorted(known))}. Leave out --preset, or run calibrate again if the strategy is newer than "
            "calibration.json"
        )
    return known[strategy][level]


def knobs_at(thresholds: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, dict[str, Value]]]:
    """Make presets from the thresholds of each score in STRICTEST at each level; None is a level never reached."""
    made: dict[str, dict[str, dict[str, Value]]] = {}
    for name, strategy in strategies().items():
        for parameter in strategy.knobs:
            if not isinstance(parameter.domain, Knob) or parameter.domain.calibrated is None:
                continue
            for level in LEVELS:
                reached = {score: thresholds[score][level] for score in STRICTEST}
                at = {score: STRICTEST[score] if value is None else value for score, value in reached.items()}
                value = min(max(parameter.domain.calibrated(at), parameter.domain.low), parameter.domain.high)
                made.setdefault(name, {}).setdefault(level, {})[parameter.name] = parameter.check(float(f"{value:.3g}"))
    return made


def write(path: Path, found: Mapping[str, Any]) -> None:
    """Write a calibration.json, each curve point and each preset on one line. Raises InfillError if it cannot."""
    text = re.sub(r"([\[{])\n\s+([^\[\]{}]*?)\n\s+([\]}])", _joined, json.dumps(found, indent=1, ensure_ascii=False))
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InfillError(f"cannot write '{path}': {error.strerror}") from None


def _joined(match: re.Match[str]) -> str:
    return match[1] + re.sub(r",\n\s+", ", ", match[2]) + match[3]


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 of a checkpoint's weights, which says what a calibration.json is valid for."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("model*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def markdown(model: str = "bundled") -> str:
    """Return a model's presets as the table in docs/strategies.md."""
    rows = [f"| strategy | knob | paper | {' | '.join(LEVELS)} |", "| --- " * (3 + len(LEVELS)) + "|"]
    for name, levels in presets(model).items():
        paper = find(name).defaults
        for knob in next(iter(levels.values())):
            values = " | ".join(f"{levels[level][knob]}" for level in LEVELS)
            rows.append(f"| `{name}` | `{knob}` | {paper[knob]} | {values} |")
    return "\n".join(rows)
