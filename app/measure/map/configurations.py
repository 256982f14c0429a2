"""The configurations of the map: strategies with knobs, at step budgets relative to the number of masks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction

from app.errors import InfillError
from app.presets import Presets
from app.strategies.registry import Value, find

YARDSTICK = "low_confidence"
CURVE = ("N", "3N/4", "N/2", "N/3", "N/4", "1")
"""The yardstick's budgets, most steps first; interpolated, they give a ROUGE-L for every NFE."""

_PARTS = {name: Fraction(part) for name, part in zip(CURVE[:-1], ("1", "3/4", "1/2", "1/3", "1/4"), strict=True)}


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A strategy with its knobs at one budget; `preset` is only the name of the knob values."""

    strategy: str
    budget: str = "N"  # one of CURVE, or a whole number of steps
    preset: str = ""
    knobs: Mapping[str, Value] = field(default_factory=dict)  # only values that differ from the paper's

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return f"{self.strategy} {self.setting}"

    @property
    def setting(self) -> str:
        """The preset, the budget, or both; a preset without a budget is at T = N."""
        steps = f"T={self.budget}"
        return steps if not self.preset else self.preset if self.budget == "N" else f"{self.preset} {steps}"

    @property
    def key(self) -> str:
        """Identifies the computation: configurations with the same key share a run."""
        knobs = "".join(f" {name}={value}" for name, value in sorted(self.knobs.items()))
        return f"{self.strategy} T={self.budget}{knobs}"

    def steps(self, masks: int) -> int:
        """Return the step budget T for a gap of `masks` masks, rounded up."""
        part = _PARTS.get(self.budget)
        return int(self.budget) if part is None else math.ceil(masks * part)


def yardstick() -> list[Configuration]:
    """Return the configurations that all others are compared with; they are always run."""
    return [Configuration(strategy=YARDSTICK, budget=budget) for budget in CURVE]


def configurations(
    names: Iterable[str],
    presets: Presets,
    *,
    budgets: Sequence[int] | None = None,
    only: Sequence[str] = (),
) -> list[Configuration]:
    """Return the yardstick's curve, then each strategy: its paper's knobs at all its budgets, its presets at T = N.

    `budgets` (numbers of steps) replaces these budgets, also for presets. `only` keeps the labels that match one of its
    patterns (`*` is anything); the yardstick always stays. Raises InfillError if a pattern matches nothing, or a preset
    does not fit its strategy.
    """
    found = []
    for name in names:
        strategy = find(name)
        own = ("N", "N/2") if strategy.budget == "cap" else ("N", "N/2", "N/4")
        chosen = own if budgets is None else tuple(map(str, budgets))
        found += [Configuration(strategy=name, budget=budget) for budget in chosen]
        plain = strategy.defaults
        for preset, knobs in presets.get(name, {}).items():
            strategy.bind(knobs)
            turned = {knob: value for knob, value in knobs.items() if value != plain[knob]}
            found += [
                Configuration(strategy=name, preset=preset, budget=budget, knobs=turned)
                for budget in (("N",) if budgets is None else chosen)
            ]
    for pattern in only:
        if not any(fnmatchcase(one.label, pattern) for one in found):
            raise InfillError(f"no configuration matches '{pattern}'; --list prints them all")
    matching = [one for one in found if not only or any(fnmatchcase(one.label, pattern) for pattern in only)]
    curve = yardstick()
    return curve + [one for one in matching if one not in curve]
