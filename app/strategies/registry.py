"""What a strategy's file says about it: name, help, paper, knobs; everything that lists strategies reads this."""

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
from app.sampling.step import Selection, Snapshot
from models.prediction import TOP

Value = float | int | str | bool
Budget = Literal["exact", "schedule", "cap", "orders"]

BUDGETS: Mapping[Budget, str] = {
    "exact": "exactly the number of schedule steps",
    "schedule": "schedule steps; never more than there are masks",
    "cap": "an upper limit: the strategy may finish sooner, and hurries if it must",
    "orders": "one token a step; with fewer steps than masks, equal groups",
}


@dataclass(frozen=True)
class Knob:
    """A number that the user may turn, from `low` to `high`.

    `calibrated` gives its value for a checkpoint from the scores (`confidence`, `margin`, `entropy`, `gap`, `drift`) at
    which a first choice stays with a certain chance; what it gives is cut to the range. See `app.presets`.
    """

    low: float
    high: float
    help: str
    calibrated: Callable[[Mapping[str, float]], float] | None = None


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]
    help: str


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
AlgTemp = Annotated[float, Knob(0.0, 2.0, "0 takes the surest; more draws from softmax(score / alg_temp)")]
Raw = Annotated[bool, Knob(0, 1, "score before temperature and top-p; off is Dream's own way, with many ties")]


@dataclass(frozen=True)
class Parameter:
    """A knob of one strategy: `kind` is float, int, bool or str."""

    name: str
    kind: type
    default: Value
    domain: Knob | Choice

    def check(self, value: Value) -> Value:
        """The value in the parameter's own type. Raises InfillError with the allowed range."""
        if isinstance(self.domain, Choice):
            if value not in self.domain.options:
                raise InfillError(f"knob '{self.name}' must be one of {', '.join(self.domain.options)}, not {value!r}")
            return value
        if self.kind is bool:
            if not isinstance(value, bool):
                raise InfillError(f"knob '{self.name}' must be true or false, not {value!r}")
            return value
        low, high = self.domain.low, self.domain.high
        wrong = not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high
        if wrong or (self.kind is int and value != int(value)):
            kind = "a whole number" if self.kind is int else "a number"
            raise InfillError(f"knob '{self.name}' must be {kind} from {low:g} to {high:g}, not {value!r}")
        return self.kind(value)


@dataclass(frozen=True)
class Strategy:
    name: str
    choose: Callable[..., Selection]
    budget: Budget
    reads_committed: bool
    lookback: int
    tops: int
    least: int | Callable[[Mapping[str, Value]], int]
    judged: Callable[[Mapping[str, Value]], bool]
    parameters: tuple[Parameter, ...]

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.choose) or "").partition("\n")[0]

    @property
    def papers(self) -> tuple[str, ...]:
        """arXiv ids in the docstring."""
        return tuple(dict.fromkeys(re.findall(r"\d{4}\.\d{5}", inspect.getdoc(self.choose) or "")))

    def least_steps(self, knobs: Mapping[str, Value]) -> int:
        """The smallest step budget that leaves room for a probe; knobs not given keep their defaults."""
        return self.least(self._values(knobs)) if callable(self.least) else self.least

    def needs_judge(self, knobs: Mapping[str, Value]) -> bool:
        """Whether it asks an autoregressive parent; knobs not given keep their defaults."""
        return self.judged(self._values(knobs))

    def check_budget(self, steps: int, knobs: Mapping[str, Value]) -> None:
        """Raises InfillError, saying how many steps are needed, where the budget is too small for the probes."""
        least = self.least_steps(knobs)
        if steps < least:
            raise InfillError(
                f"a step budget of {steps} is too small for '{self.name}' with these knobs, whose probes are passes "
                f"like any other: it needs {least} steps or more"
            )

    def bind(self, knobs: Mapping[str, Value]) -> Callable[[Snapshot], Selection]:
        """The strategy with its knobs set; those not given keep their defaults. Raises InfillError for a bad knob."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in knobs:
            if name not in known:
                if not known:
                    raise InfillError(f"strategy '{self.name}' has no knobs, but '{name}' was given; leave it out")
                raise unknown(f"knob of strategy '{self.name}'", name, known)
        return functools.partial(self.choose, **self._values(knobs))

    def _values(self, knobs: Mapping[str, Value]) -> dict[str, Value]:
        return {p.name: p.check(knobs.get(p.name, p.default)) for p in self.parameters}


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

    `lookback` and `tops` are how many columns of the prediction's drift and top tokens it reads, `least` the smallest
    step budget with which it is more than another strategy (one that probes needs passes for it), `judged` whether it
    asks an autoregressive parent; both may depend on the knobs.
    """

    def register(choose: Callable[..., Selection]) -> Strategy:
        hints = typing.get_type_hints(choose, include_extras=True)
        parameters = []
        for name, parameter in inspect.signature(choose).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY:
                kind, domain = typing.get_args(hints[name])
                parameters.append(Parameter(name, kind, parameter.default, domain))
        made = Strategy(
            choose.__name__, choose, budget, reads_committed, lookback, tops, least, judged, tuple(parameters)
        )
        assert made.name not in _strategies, f"two strategies are called {made.name}"
        _strategies[made.name] = made
        return made

    return register


@functools.cache
def strategies() -> Mapping[str, Strategy]:
    """All strategies by name, in alphabetical order."""
    for module in pkgutil.iter_modules(app.strategies.__path__):
        importlib.import_module(f"app.strategies.{module.name}")
    return dict(sorted(_strategies.items()))


def find(name: str) -> Strategy:
    """The strategy of that name. Raises InfillError, with the closest name."""
    known = strategies()
    if name not in known:
        raise unknown("strategy", name, known)
    return known[name]
