"""What was calibrated for a checkpoint: the presets in the file beside its weights, and how thresholds make them.

Which knob follows from which score stands in the strategy's own file, at the knob.
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
from app.errors import InfillError, unknown
from app.sampling.fields import Knob, Value
from app.strategies.registry import find, strategies

LEVELS = {"safe": 0.95, "balanced": 0.9, "fast": 0.8}
"""How likely a masked position's first choice must be to stay the first choice until it is committed."""
STRICTEST = {"confidence": 1.0, "margin": 1.0, "entropy": 0.0, "gap": math.inf, "drift": 0.0}
"""The scores of a `Prediction` that are calibrated, each with the threshold of a level that it never reaches."""
FILE = "calibration.json"

Presets = Mapping[str, Mapping[str, Mapping[str, Value]]]
"""Strategy to level to knob to value."""


def presets(model: str) -> Presets:
    """Of a model by name, as `models.find` knows it; empty where nothing was calibrated.

    Raises InfillError if there is no such model, or if its file is broken.
    """
    try:
        folder = models.folder_of(model)
    except ValueError as error:
        raise InfillError(str(error)) from None
    return read(folder / FILE) if folder and (folder / FILE).exists() else {}


def read(path: Path) -> Presets:
    """The presets of a file. Raises InfillError, saying what is wrong with it."""
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
        raise _broken(path, "'presets' must lead from strategies over levels to knobs") from None
    except ValueError as error:  # not JSON, not UTF-8, no such strategy or knob, a value out of range
        raise _broken(path, str(error)) from None
    return found


def _broken(path: Path, why: str) -> InfillError:
    return InfillError(
        f"'{path}' is no calibration: {why}. Delete it, or write it anew: python -m app calibrate --help"
    )


def preset(model: str, strategy: str, level: str) -> Mapping[str, Value]:
    """The knobs of one preset. Raises InfillError, saying which there are and how to make some."""
    if level not in LEVELS:
        raise unknown("preset", level, LEVELS)
    known = presets(model)
    if not known:
        raise InfillError(
            f"nothing was calibrated for model '{model}', so it has no presets; measure them with "
            f"python -m app calibrate --model {model} --text FILE, or give the knobs yourself"
        )
    if strategy not in known:
        raise InfillError(
            f"strategy '{strategy}' has no presets for model '{model}', but these have: {', '.join(sorted(known))}; "
            "leave --preset out, or calibrate again if the strategy is newer than the calibration"
        )
    return known[strategy][level]


def knobs_at(thresholds: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, dict[str, Value]]]:
    """Presets from the thresholds of each score (those in STRICTEST) at each level; None: never reached."""
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
    """As JSON, the points of a curve and the knobs of a preset on one line each. Raises InfillError where it cannot."""
    text = re.sub(r"([\[{])\n\s+([^\[\]{}]*?)\n\s+([\]}])", _joined, json.dumps(found, indent=1, ensure_ascii=False))
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InfillError(f"cannot write '{path}': {error.strerror}") from None


def _joined(match: re.Match[str]) -> str:
    return match[1] + re.sub(r",\n\s+", ", ", match[2]) + match[3]


def fingerprint(folder: Path) -> str:
    """SHA-256 of a checkpoint's weights: another one's calibration is not theirs."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def markdown(model: str = "bundled") -> str:
    """The README's table of a model's presets."""
    rows = [f"| strategy | knob | paper | {' | '.join(LEVELS)} |", "| --- " * (3 + len(LEVELS)) + "|"]
    for name, levels in presets(model).items():
        paper = find(name).defaults
        for knob in next(iter(levels.values())):
            values = " | ".join(f"{levels[level][knob]}" for level in LEVELS)
            rows.append(f"| `{name}` | `{knob}` | {paper[knob]} | {values} |")
    return "\n".join(rows)
