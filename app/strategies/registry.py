"""The strategies by name, with the help, paper and knobs that their files declare."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import app.strategies
from app.errors import InfillError, unknown
from app.sampling.fields import Field, Knob, OneOf, Switch, Value, declared
from app.sampling.step import Policy, Selection
from models.prediction import TOP

__all__ = ["BUDGETS", "AlgTemp", "Knob", "OneOf", "Raw", "Strategy", "Switch", "Tau", "find", "strategies", "strategy"]

Budget = Literal["exact", "schedule", "cap", "orders"]

BUDGETS: Mapping[Budget, str] = {
    "exact": "exactly the number of schedule steps",
    "schedule": "schedule steps; never more than there are masks",
    "cap": "an upper limit: the strategy may finish sooner, and speeds up if it must",
    "orders": "one token a step; with fewer steps than masks, equal groups",
}

# Knobs that several strategies have.
Tau = Annotated[
    float,
    Knob(
        0.0,
        1.0,
        "commit at this probability or above; small models need less than 0.9",
        calibrated=lambda at: at["confidence"],
    ),
]
AlgTemp = Annotated[float, Knob(0.0, 2.0, "0 commits the surest; larger values draw from softmax(score / alg_temp)")]
Raw = Annotated[bool, Switch("score before temperature and top-p; off is as in Dream, with many ties")]


@dataclass(frozen=True)
class Strategy:
    """A decoding strategy as its file declares it; see `strategy`."""

    name: str
    choose: Callable[..., Selection]
    budget: Budget
    reads_committed: bool
    lookback: int
    tops: int
    least: int | Callable[[Mapping[str, Value]], int]
    judged: Callable[[Mapping[str, Value]], bool]
    knobs: tuple[Field, ...]

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.choose) or "").partition("\n")[0]

    @property
    def papers(self) -> tuple[str, ...]:
        """The arXiv ids in the docstring."""
        return tuple(dict.fromkeys(re.findall(r"\d{4}\.\d{5}", inspect.getdoc(self.choose) or "")))

    @property
    def defaults(self) -> dict[str, Value]:
        """The knobs' defaults: the paper's values."""
        return {knob.name: knob.default for knob in self.knobs}

    def least_steps(self, knobs: Mapping[str, Value]) -> int:
        """Return the smallest step budget that leaves room for a probe; knobs not given keep their defaults."""
        return self.least(self._values(knobs)) if callable(self.least) else self.least

    def check_budget(self, steps: int, knobs: Mapping[str, Value]) -> None:
        """Raise InfillError, naming the number of steps needed, if the budget is too small for the probes."""
        least = self.least_steps(knobs)
        if steps < least:
            raise InfillError(
                f"a step budget of {steps} is too small for '{self.name}' with these knobs, because its probes are "
                f"forward passes as well: it needs {least} steps or more"
            )

    def bind(self, knobs: Mapping[str, Value]) -> Policy:
        """Return the strategy with its knobs set; knobs not given keep their defaults.

        Raises InfillError for an unknown knob or a value out of range.
        """
        known = self.defaults
        for name in knobs:
            if name not in known:
                if not known:
                    raise InfillError(f"strategy '{self.name}' has no knobs, but '{name}' was given; leave it out")
                raise unknown(f"knob of strategy '{self.name}'", name, known)
        values = self._values(knobs)
        return Policy(
            name=self.name,
            choose=functools.partial(self.choose, **values),
            reads_committed=self.reads_committed,
            lookback=self.lookback,
            tops=self.tops,
            judged=self.judged(values),
        )

    def _values(self, knobs: Mapping[str, Value]) -> dict[str, Value]:
        return {knob.name: _checked(knob, knobs.get(knob.name, knob.default)) for knob in self.knobs}


def _checked(knob: Field, value: Value) -> Value:
    """Return a knob's value in its own type; sliders and JSON may write a whole number as 2.0."""
    whole = knob.kind is int and isinstance(value, float) and value.is_integer()
    return knob.check(int(value) if whole else value, f"knob '{knob.name}'")


_strategies: dict[str, Strategy] = {}


def strategy(
    *,
    budget: Budget,
    reads_committed: bool = False,
    lookback: int = 0,
    tops: int = TOP,
    least: int | Callable[[Mapping[str, Value]], int] = 1,
    judged: Callable[[Mapping[str, Value]], bool] = lambda knobs: False,
) -> Callable[[Callable[..., Selection]], Strategy]:
    """Register a function `(now: Snapshot, *, knobs) -> Selection` under its own name.

    `budget` says what the step budget means. `lookback` and `tops` are the numbers of columns of the prediction's drift
    and top tokens that it reads; `reads_committed` asks about committed positions as well. `least` is the smallest step
    budget with which it differs from another strategy (one that probes needs passes for it), `judged` whether it asks
    an autoregressive parent; both may depend on the knobs. Raises TypeError for a knob without a domain.
    """

    def register(choose: Callable[..., Selection]) -> Strategy:
        hints = typing.get_type_hints(choose, include_extras=True)
        parameters = inspect.signature(choose).parameters.values()
        defaults = {each.name: each.default for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}
        knobs = declared(hints, defaults)
        made = Strategy(choose.__name__, choose, budget, reads_committed, lookback, tops, least, judged, knobs)
        assert made.name not in _strategies, f"two strategies are called {made.name}"
        _strategies[made.name] = made
        return made

    return register


@functools.cache
def strategies() -> Mapping[str, Strategy]:
    """Return all strategies by name, in alphabetical order."""
    for module in pkgutil.iter_modules(app.strategies.__path__):
        importlib.import_module(f"app.strategies.{module.name}")
    return dict(sorted(_strategies.items()))


def find(name: str) -> Strategy:
    """Return the strategy of that name. Raises InfillError, with the closest name, if there is none."""
    known = strategies()
    if name not in known:
        raise unknown("strategy", name, known)
    return known[name]
