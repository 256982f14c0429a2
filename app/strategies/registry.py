"""The strategies by name, with the help, paper and knobs that their files declare."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import app.strategies
from app.errors import InfillError, quoted, unknown
from app.sampling.fields import Field, Knob, OneOf, Switch, Value, declared
from app.sampling.step import Policy, Selection
from models.prediction import TOP

__all__ = [
    "BUDGETS",
    "GROUPS",
    "NOTES",
    "AlgTemp",
    "Knob",
    "OneOf",
    "Raw",
    "Strategy",
    "Switch",
    "Tau",
    "by_group",
    "find",
    "strategies",
    "strategy",
]

Budget = Literal["exact", "schedule", "cap", "orders"]
Ranks = Literal["drafts", "places", "tokens"]

BUDGETS: Mapping[Budget, str] = {
    "exact": "the number of steps, even if it is larger than the number of masks",
    "schedule": "the number of steps, with an equal share of the masks in each; at most one step for each mask",
    "cap": "the most steps that a run may take; it may need fewer, and writes more at once if it runs short",
    "orders": "the number of steps, with one token in each; if it is smaller than the number of masks, several",
}
"""What the step budget is, in words that continue "the step budget is"."""

RANKS: Mapping[Ranks, str] = {
    "drafts": "its places are chosen by the tokens drafted there, so a token may be drawn anew where it is written",
    "places": "its places do not depend on the drafted tokens, so there is nothing to mend",
    "tokens": "it chooses or tests its tokens itself, so they stay",
}
"""How a strategy chooses its places, and hence what the request's `redraw` does: only the first kind draws anew."""

DEVIATES = "Deviates: "
"""Begins the last paragraph of the docstring of a strategy that differs on purpose from its papers or their code."""

GROUPS: Mapping[str, str] = {
    "By sureness": "the places where the model is surest come first, a set number in each step",
    "By place": "the order is fixed or drawn by lot, whatever the model believes",
    "Above a bar": "as many at once as pass a test; easy texts take few steps",
    "Second thoughts": "tokens that were written may be taken back or replaced",
    "Probing": "extra questions to the model about texts other than the present one",
}
"""The groups in which strategies are listed, in this order, and what those of a group have in common."""

NOTES: Mapping[str, str] = {
    "accepted": "steps guessed right",
    "ahead": "written ahead",
    "anchors": "above the high bar",
    "block": "block",
    "bound": "largest risk, nats",
    "changed": "rewritten this round",
    "collisions": "tokens beyond the first",
    "converged": "settled (1 is yes)",
    "counted": "word counts known (1 is yes)",
    "damped": "most that the edge loses",
    "drafted": "steps guessed",
    "early": "finished early (1 is yes)",
    "energy": "text's -log p, nats",
    "gained": "information gained, nats",
    "gap": "lead, logits",
    "instability": "least stable, nats",
    "joint": "sure of all, at least",
    "kept": "left masked",
    "keys": "key words",
    "known": "share written",
    "lead": "lead over other texts",
    "loop": "stopped taking back (1 is yes)",
    "lost": "most sureness lost",
    "moved": "largest change",
    "passed": "above the bar",
    "rate": "chance of being taken back",
    "redrawn": "drawn anew",
    "replaced": "replaced",
    "risk": "risk taken, nats",
    "slot": "time slot",
    "stride": "distance in the grid, tokens",
    "sweep": "round",
    "tau": "time left",
    "tested": "tested",
    "threshold": "the bar",
}
"""Plain words for the numbers that strategies record in `Selection.notes`."""

# Knobs that several strategies have.
Tau = Annotated[
    float,
    Knob(
        0.0,
        1.0,
        "the bar: write a token at this probability or above; small models need less than 0.9",
        calibrated=lambda at: at["confidence"],
    ),
]
AlgTemp = Annotated[float, Knob(0.0, 2.0, "how much is left to chance; 0 takes the surest place")]
Raw = Annotated[
    bool, Switch("judge by the model's own probabilities; off: by those after temperature and top-p, with many ties")
]


@dataclass(frozen=True)
class Strategy:
    """A decoding strategy as its file declares it; see `strategy`."""

    name: str
    title: str
    group: str
    choose: Callable[..., Selection]
    budget: Budget
    reads_committed: bool
    lookback: int
    tops: int
    least: int | Callable[[Mapping[str, Value]], int]
    judged: Callable[[Mapping[str, Value]], bool]
    ranks: Ranks
    may_loop: bool
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
    def deviation(self) -> str:
        """What differs on purpose from the papers or their code: the docstring's last paragraph, or nothing."""
        last = (inspect.getdoc(self.choose) or "").rpartition("\n\n")[2]
        return " ".join(last.removeprefix(DEVIATES).split()) if last.startswith(DEVIATES) else ""

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
                    raise InfillError(
                        f"strategy '{self.name}' has no knobs, but {quoted(name)} was given; leave it out"
                    )
                raise unknown(f"knob of strategy '{self.name}'", name, known)
        values = self._values(knobs)
        return Policy(
            name=self.name,
            choose=functools.partial(self.choose, **values),
            reads_committed=self.reads_committed,
            lookback=self.lookback,
            tops=self.tops,
            judged=self.judged(values),
            ranks_drafts=self.ranks == "drafts",
            may_loop=self.may_loop,
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
    title: str,
    group: str,
    budget: Budget,
    reads_committed: bool = False,
    lookback: int = 0,
    tops: int = TOP,
    least: int | Callable[[Mapping[str, Value]], int] = 1,
    judged: Callable[[Mapping[str, Value]], bool] = lambda knobs: False,
    ranks: Ranks = "places",
    may_loop: bool = False,
) -> Callable[[Callable[..., Selection]], Strategy]:
    """Register a function `(now: Snapshot, *, knobs) -> Selection` under its own name.

    `title` says in plain words what a newcomer sees it do, `group` is one of GROUPS, and `budget` says what the step
    budget means. `lookback` and `tops` are the numbers of columns of the prediction's drift and top tokens that it
    reads; `reads_committed` asks about committed positions as well. `least` is the smallest step budget with which it
    differs from another strategy (one that probes needs passes for it), `judged` whether it asks an autoregressive
    parent; both may depend on the knobs. `ranks` is one of RANKS, and `may_loop` says that it takes tokens back by a
    rule and not by lot, so that a state which returns is a loop. A notebook's strategy replaces its own earlier version
    when its cell runs again. Raises TypeError for a knob without a domain.
    """

    def register(choose: Callable[..., Selection]) -> Strategy:
        hints = typing.get_type_hints(choose, include_extras=True)
        parameters = inspect.signature(choose).parameters.values()
        defaults = {each.name: each.default for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}
        knobs = declared(hints, defaults)
        made = Strategy(
            name=choose.__name__,
            title=title,
            group=group,
            choose=choose,
            budget=budget,
            reads_committed=reads_committed,
            lookback=lookback,
            tops=tops,
            least=least,
            judged=judged,
            ranks=ranks,
            may_loop=may_loop,
            knobs=knobs,
        )
        earlier = _strategies.get(made.name)
        again = earlier is not None and earlier.choose.__module__ == choose.__module__ == "__main__"
        assert earlier is None or again, f"two strategies are called {made.name}"
        assert group in GROUPS, f"{made.name} is in an unknown group, {group}"
        _strategies[made.name] = made
        return made

    return register


def strategies() -> Mapping[str, Strategy]:
    """Return all strategies by name, in alphabetical order: those with a file, and those registered since."""
    _read_files()
    return dict(sorted(_strategies.items()))


@functools.cache
def _read_files() -> None:
    for module in pkgutil.iter_modules(app.strategies.__path__):
        importlib.import_module(f"app.strategies.{module.name}")


def by_group() -> Mapping[str, Sequence[Strategy]]:
    """Return the strategies of each group, groups in the order of GROUPS, each one's by title."""
    everything = sorted(strategies().values(), key=lambda each: each.title)
    return {group: [each for each in everything if each.group == group] for group in GROUPS}


def find(name: str) -> Strategy:
    """Return the strategy of that name. Raises InfillError, with the closest name, if there is none."""
    known = strategies()
    if name not in known:
        raise unknown("strategy", name, known)
    return known[name]
