"""The configurations of the map: strategies with knobs, at step budgets relative to the number of masks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from fractions import Fraction

from app.errors import InfillError, quoted
from app.measure.map.references import BEST, ORACLE
from app.presets import Presets
from app.strategies.registry import Value, find

YARDSTICK = "low_confidence"
CURVE = ("N", "3N/4", "N/2", "N/3", "N/4", "1")
"""The yardstick's budgets, most steps first; interpolated, they give a quality for every NFE."""
TRUTH = "the truth"
"""Name of the row about the true middle, which no configuration wrote."""

_PART = re.compile(r"(\d*)N(?:/(\d+))?")


def part_of(budget: str) -> Fraction | None:
    """Return the share of the masks that a budget such as N, N/2 or 3N/4 stands for; None for a number of steps.

    Raises InfillError for anything else, and for a share that is 0 or above 1.
    """
    if found := _PART.fullmatch(budget):
        below = int(found[2] or 1)
        part = Fraction(int(found[1] or 1), below) if below else Fraction(0)
        if 0 < part <= 1:
            return part
    elif budget.isdecimal() and int(budget):
        return None
    raise InfillError(f"the budget '{budget}' must be a number of steps, or a part of the masks such as N, N/2 or 3N/4")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A strategy with its knobs at one budget; `preset` is only the name of the knob values."""

    strategy: str
    budget: str = "N"  # a part of the masks, such as N/2, or a whole number of steps
    preset: str = ""
    knobs: Mapping[str, Value] = field(default_factory=dict)  # only values that differ from the paper's
    redraw: bool = False

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return f"{self.strategy} {self.setting}".strip()

    @property
    def setting(self) -> str:
        """The preset, the budget, or both, and `redraw`; a preset without a budget is at T = N."""
        if self.strategy == TRUTH:
            return ""
        steps = f"T={self.budget}"
        return (steps if not self.preset else self.preset if self.budget == "N" else f"{self.preset} {steps}") + (
            " redraw" * self.redraw
        )

    @property
    def key(self) -> str:
        """Identifies the computation: configurations with the same key share a run."""
        knobs = "".join(f" {name}={value}" for name, value in sorted(self.knobs.items()))
        return (
            self.strategy
            if self.strategy == TRUTH
            else f"{self.strategy} T={self.budget}{knobs}" + " redraw" * (self.redraw)
        )

    def steps(self, masks: int) -> int:
        """Return the step budget T for a gap of `masks` masks, rounded up."""
        part = part_of(self.budget)
        return int(self.budget) if part is None else math.ceil(masks * part)


def yardstick(budgets: Iterable[str] = ()) -> list[Configuration]:
    """Return the configurations that all others are compared with, most steps first; they are always run.

    Of the `budgets`, those that are parts of the masks are added to CURVE, so that no configuration is compared with a
    point far from its own.
    """
    parts = {part: budget for budget in (*budgets, *CURVE[:-1]) if (part := part_of(budget))}
    falling = [parts[part] for part in sorted(parts, reverse=True)]
    return [Configuration(strategy=YARDSTICK, budget=budget) for budget in (*falling, CURVE[-1])]


def references(budgets: Sequence[str], *, judged: bool) -> list[Configuration]:
    """Return the rows that no user can have, see `references`; those that need a parent only if `judged`.

    Best-of-R is at equal NFE: R runs of N/R steps.
    """
    best = [Configuration(strategy=name, budget=f"N/{runs}") for name, runs in BEST.items()]
    return [Configuration(strategy=ORACLE, budget=budget) for budget in budgets] + best * judged


def configurations(
    names: Iterable[str],
    presets: Presets,
    *,
    budgets: Sequence[str] | None = None,
    only: Sequence[str] = (),
    redraw: bool = False,
    more: Sequence[Configuration] = (),
) -> list[Configuration]:
    """Return the yardstick's curve, then each strategy: its paper's knobs at all its budgets, its presets at T = N.

    `budgets` replaces these budgets, also for presets. `redraw` adds a second configuration of everything that ranks
    by the drafted token, and `more`, such as the `references`, follow. `only` keeps the labels that match one of its
    patterns (`*` is anything); the yardstick always stays. Raises InfillError if a pattern matches nothing, a budget
    cannot be read, or a preset does not fit its strategy.
    """
    found = yardstick(budgets or ())
    curve = list(found)
    for name in names:
        strategy = find(name)
        own = ("N", "N/2") if strategy.budget == "cap" else ("N", "N/2", "N/4")
        chosen = own if budgets is None else tuple(budgets)
        found += [Configuration(strategy=name, budget=budget) for budget in chosen]
        plain = strategy.defaults
        for preset, knobs in presets.get(name, {}).items():
            strategy.bind(knobs)
            turned = {knob: value for knob, value in knobs.items() if value != plain[knob]}
            found += [
                Configuration(strategy=name, preset=preset, budget=budget, knobs=turned)
                for budget in (("N",) if budgets is None else chosen)
            ]
    if redraw:
        found += [replace(one, redraw=True) for one in found if find(one.strategy).ranks == "drafts"]
    found += more
    for pattern in only:
        if not any(fnmatchcase(one.label, pattern) for one in found):
            raise InfillError(f"no configuration matches {quoted(pattern)}; --list prints them all")
    matching = [one for one in found if not only or any(fnmatchcase(one.label, pattern) for pattern in only)]
    unique = {(one.label, one.key): one for one in [*curve, *matching]}
    return list(unique.values())
