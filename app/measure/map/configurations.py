"""What the map is made of: strategies with their knobs, at step budgets relative to the number of masks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction

from app.errors import InfillError
from app.strategies.registry import Value, find

Presets = Mapping[str, Mapping[str, Mapping[str, Value]]]
"""{strategy: {preset: {knob: value}}}"""

YARDSTICK = "low_confidence"
CURVE = ("N", "3N/4", "N/2", "N/3", "N/4", "1")
"""The yardstick's budgets, most steps first: a curve that has a point at every NFE."""

_PARTS = {name: Fraction(part) for name, part in zip(CURVE[:-1], ("1", "3/4", "1/2", "1/3", "1/4"), strict=True)}


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A strategy at one budget; `preset` is only how its knobs are called."""

    strategy: str
    budget: str = "N"  # a name of CURVE, or a whole number of steps
    preset: str = ""
    knobs: Mapping[str, Value] = field(default_factory=dict)  # those that are not as the paper has them

    @property
    def label(self) -> str:
        """As tables and figures call it."""
        return f"{self.strategy} {self.setting}"

    @property
    def setting(self) -> str:
        """The preset, the budget, or both; a preset is at T = N where nothing else is said."""
        steps = f"T={self.budget}"
        return steps if not self.preset else self.preset if self.budget == "N" else f"{self.preset} {steps}"

    @property
    def key(self) -> str:
        """What it computes: two with the same key need only one run."""
        knobs = "".join(f" {name}={value}" for name, value in sorted(self.knobs.items()))
        return f"{self.strategy} T={self.budget}{knobs}"

    def steps(self, masks: int) -> int:
        """The step budget T for a gap of so many masks, rounded up."""
        part = _PARTS.get(self.budget)
        return int(self.budget) if part is None else math.ceil(masks * part)


def yardstick() -> list[Configuration]:
    """What everything is compared with; always run."""
    return [Configuration(strategy=YARDSTICK, budget=budget) for budget in CURVE]


def configurations(
    names: Iterable[str],
    presets: Presets,
    *,
    budgets: Sequence[int] | None = None,
    only: Sequence[str] = (),
) -> list[Configuration]:
    """The yardstick's curve, then each strategy as its paper has it at all its budgets, then its presets at T = N.

    `budgets` are numbers of steps to take instead, for presets too; `only` keeps labels that match one of so many
    patterns (`*` is anything), the yardstick aside. Raises InfillError where a pattern matches nothing, and for a
    preset that its strategy cannot take.
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
    kept = [one for one in found if not only or any(fnmatchcase(one.label, pattern) for pattern in only)]
    curve = yardstick()
    return curve + [one for one in kept if one not in curve]
