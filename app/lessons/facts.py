"""The numbers that a lesson quotes, and the answers that follow from them: from recorded runs and tables, never typed.

A fact is `{"run": "cup", "number": "passes"}`, one of NUMBERS of a recorded run; `{"table": "map", "at": ["rows", 3,
"nats"]}`, a value of a table, where `{"label": "random T=N"}` finds the first object of a list with that value; or
`{"minus": ["a", "b"]}` and `{"over": ["a", "b"]}` of facts above it. `form` says how it is written: ".2f", "percent"…

A rule for an answer is the name of a fact (for a number), or for a choice `{"fact": "name", "bins": [5, 10]}` (0 below
5, 1 from 5 on, 2 from 10 on), `{"least": [facts]}` or `{"most": [facts]}` (the place in the list).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.errors import InfillError, quoted
from app.trace import metrics
from app.trace.trace import Trace


class FactError(InfillError):
    """A fact that cannot be computed."""


def _first_written(trace: Trace) -> str:
    found = np.flatnonzero(trace.order == 1)
    return (trace.pieces(len(trace.steps))[int(found[0])] or "").strip() if len(found) else ""


def _taken_back(trace: Trace) -> int:
    return sum(len(step.selection.remask) for step in trace.steps)


NUMBERS: Mapping[str, Callable[[Trace], Any]] = {
    "passes": lambda trace: trace.nfe,
    "calls": lambda trace: trace.calls,
    "steps": lambda trace: len(trace.steps),
    "masks": lambda trace: int(trace.start.masked.sum()),
    "seconds": lambda trace: trace.seconds,
    "taken back": _taken_back,
    "risk": metrics.independence_risk,
    "left to right": metrics.left_to_right,
    "confidence": lambda trace: float(trace.commits().confidence[trace.start.slots][trace.order > 0].mean()),
    "least confidence": lambda trace: float(trace.commits().confidence[trace.start.slots][trace.order > 0].min()),
    "in the first step": lambda trace: int((trace.order == 1).sum()),
    "first word": _first_written,
    "fill": lambda trace: trace.fill.strip(),
}
"""What can be asked of a recorded run."""


def places_of(trace: Trace, rule: str) -> list[int]:
    """Return the places of a run, from 0, that a rule of a question means; the page does the same with its own copy."""
    order = trace.order
    if rule == "taken back":
        return sorted({place for step in trace.steps for place in trace.start.places(step.selection.remask)})
    if rule == "least sure":
        confidence = np.where(order > 0, trace.commits().confidence[trace.start.slots].round(4), np.inf)
        return np.flatnonzero(confidence == confidence.min()).tolist()
    return np.flatnonzero(order == (1 if rule == "written first" else len(trace.steps))).tolist()


def run_numbers(trace: Trace) -> dict[str, Any]:
    """Return all NUMBERS of a run."""
    return {name: compute(trace) for name, compute in NUMBERS.items()}


@dataclass(frozen=True)
class Facts:
    """Computed facts by name: their values, and how they are written."""

    values: Mapping[str, Any]
    texts: Mapping[str, str]

    @classmethod
    def of(cls, asked: Mapping[str, Mapping[str, Any]], runs: Mapping[str, Any], tables: Mapping[str, Any]) -> Facts:
        """Compute facts from the numbers of runs and from tables. Raises FactError that names the fact."""
        values: dict[str, Any] = {}
        for name, fact in asked.items():
            try:
                values[name] = value_of(fact, values, runs, tables)
            except (KeyError, IndexError, TypeError, ValueError, StopIteration) as error:
                raise FactError(f"the fact {quoted(name)} cannot be found: {type(error).__name__} {error}") from None
        return cls(values, {name: _written(value, asked[name].get("form", "")) for name, value in values.items()})

    def resolve(self, rule: Any) -> Any:
        """Return the answer that a rule gives. Raises FactError for a fact that does not exist."""
        try:
            if isinstance(rule, str):
                return self.values[rule]
            if "fact" in rule:
                return int(np.searchsorted(rule["bins"], self.values[rule["fact"]], side="right"))
            pick, names = ("least", rule["least"]) if "least" in rule else ("most", rule["most"])
            found = [self.values[name] for name in names]
            best = min(found) if pick == "least" else max(found)
            if found.count(best) > 1:
                raise FactError(f"{' and '.join(names)} are equal, so none of them is the {pick}")
            return found.index(best)
        except KeyError as error:
            raise FactError(f"there is no fact {error}; there are {', '.join(self.values)}") from None


def value_of(
    fact: Mapping[str, Any], known: Mapping[str, Any], runs: Mapping[str, Any], tables: Mapping[str, Any]
) -> Any:
    """Return the value of a fact. Raises the errors of looking up what does not exist."""
    if "run" in fact:
        return runs[fact["run"]][fact["number"]]
    if "table" in fact:
        return _looked_up(tables[fact["table"]], fact["at"])
    if "minus" in fact:
        first, second = (known[name] for name in fact["minus"])
        return first - second
    first, second = (known[name] for name in fact["over"])
    return first / second


def _looked_up(table: Any, path: Sequence[Any]) -> Any:
    for key in path:
        if isinstance(key, dict):
            table = next(row for row in table if all(str(row[name]) == str(value) for name, value in key.items()))
        else:
            table = table[key]
    try:
        return float(table) if isinstance(table, str) else table  # a CSV has only texts
    except ValueError:
        return table


def _written(value: Any, form: str) -> str:
    if form == "percent":
        return f"{100 * value:.0f} %"
    if isinstance(value, str):
        return str(value)
    return format(value, form or ("d" if isinstance(value, int) else ".2f"))
