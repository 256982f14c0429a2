"""What the page is built with: everything that the browser needs to know and that never changes, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.presets import Presets
from app.sampling.fields import Field, Knob, OneOf, Switch, Text, Value, Words
from app.sampling.request import MAX_LENGTH, MAX_STEPS, InfillRequest, fields_of
from app.sampling.template import MAX_GAPS
from app.strategies.registry import BUDGETS, GROUPS, Strategy, by_group
from app.trace.examples import Example

PAPER = "paper's values"
"""The first of a strategy's settings."""
START = {"temperature": 0.7, "top_p": 0.95}
"""Values with which the page starts instead of the request's defaults."""
TEXT = "Tom lost his blue ball in the park. [[12]] Tom patted the dog and said thank you."
"""What the page starts with if there is no example."""
_PLACED = ("text", "prefix", "suffix", "length", "strategy", "knobs", "steps", "start")
"""Fields that the page shows in places of their own."""


def build_setup(
    request: type[InfillRequest] = InfillRequest,
    *,
    presets: Presets | None = None,
    examples: Sequence[Example] = (),
    landing: Mapping[str, Any] | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """Return `Setup` of assets/page/types.d.ts.

    `request` is the class whose fields are shown, `presets` are those calibrated for the first model, and `landing` is
    the replay of the first example; `facts` are the other entries.
    """
    fields = {field.name: field for field in fields_of(request)}
    shown = {name: field for name, field in fields.items() if name not in _PLACED}
    start = {name: START.get(name, _plain(field.default)) for name, field in shown.items()}
    own = {"text": examples[0].request.text if examples else TEXT, "strategy": fields["strategy"].default, "knobs": {}}
    return {
        "fields": [describe_field(field) for field in shown.values()],
        "strategies": [describe_strategy(each, presets or {}) for group in by_group().values() for each in group],
        "groups": list(GROUPS),
        "limits": {"length": MAX_LENGTH, "gaps": MAX_GAPS, "steps": MAX_STEPS},
        "draft": {**start, **own, "steps": None, "model": "", "start": None},
        "examples": [describe_example(each) for each in examples],
        "landing": landing,
        **facts,
    }


def describe_example(example: Example) -> dict[str, str]:
    """Return what the page shows of an example before it is opened."""
    request = example.request
    return {
        "id": example.id,
        "title": example.title,
        "note": example.note,
        "text": request.text,
        "strategy": request.strategy,
    }


def describe_field(field: Field) -> dict[str, Any]:
    """Return a field or a knob with its domain, from which the browser draws a control and checks values."""
    domain = field.domain
    described: dict[str, Any] = {
        "name": field.name,
        "label": field.label,
        "help": domain.help,
        "default": _plain(field.default),
    }
    if isinstance(domain, Knob):
        low, high = domain.slider or (domain.low, domain.high)
        whole = field.kind is int
        described |= {"kind": "int" if whole else "float", "low": domain.low, "high": domain.high}
        described |= {"above_low": True} if domain.above_low else {}
        described |= {"slider": [low, high]} if domain.slider else {}
        return described | {"step": 1 if whole else 0.01 if high - low <= 2 else 0.05}
    if isinstance(domain, Switch):
        return described | {"kind": "bool"}
    if isinstance(domain, OneOf):
        return described | {"kind": "choice", "options": list(domain.options)}
    assert isinstance(domain, Words | Text), f"the page has no control for '{field.name}'"
    return described | {"kind": "words", "placeholder": domain.placeholder}


def describe_strategy(strategy: Strategy, presets: Presets) -> dict[str, Any]:
    """Return a strategy with its knobs, and the settings that are calibrated for the first model."""
    return {
        "name": strategy.name,
        "title": strategy.title,
        "group": strategy.group,
        "summary": strategy.summary,
        "budget": BUDGETS[strategy.budget],
        "papers": list(strategy.papers),
        "knobs": [describe_field(knob) for knob in strategy.knobs],
        "settings": settings_of(strategy, presets.get(strategy.name, {})),
    }


def settings_of(strategy: Strategy, levels: Mapping[str, Mapping[str, Value]]) -> Mapping[str, Mapping[str, Value]]:
    """Return the values of the calibrated knobs by setting, the paper's first; empty without levels."""
    calibrated = {knob for values in levels.values() for knob in values}
    paper = {knob: value for knob, value in strategy.defaults.items() if knob in calibrated}
    return {PAPER: paper, **levels} if levels else {}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
