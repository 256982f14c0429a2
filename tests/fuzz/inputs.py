"""What the fuzzers send: JSON of every kind, and files that are right but for a few places."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from models.quoting import MOST

ALL = int(os.environ.get("FUZZ", "0"))
"""Number of inputs in the long form, over all fuzzers; 0 is the short form, which is the same in every run."""
_FUZZERS, _SHORT = 8, 40

fuzz = settings(
    max_examples=max(1, ALL // _FUZZERS) if ALL else _SHORT,
    derandomize=not ALL,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
LONG = "Q" * 5000
"""Marks what was sent; a message may quote no more than MOST characters of it."""

_SIMPLE = st.sampled_from(
    [None, True, False, -1, 0, 1, 2, 3.5, -0.0, 1e308, 10**20, "", "x", "0", "[[3]]", "\ud800", "\0", LONG]
)
JUNK = st.one_of(
    _SIMPLE,
    st.sampled_from([[], [0], [[1]], [LONG], {}, {"a": 1}, {"0": "b"}, {LONG: LONG}, [None] * 3, {"": [{}]}]),
    st.recursive(
        _SIMPLE,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "run", "0", LONG]), inner),
        max_leaves=5,
    ),
)
"""A value of any kind that JSON has."""


@st.composite
def mutated(draw: st.DrawFn, content: str) -> Any:
    """Return the content of a JSON text with one to three items replaced, removed, repeated or added, at any depth."""
    data = json.loads(content)
    for _ in range(draw(st.integers(1, 3))):
        _mutate(draw, data)
    return data


def _mutate(draw: st.DrawFn, node: Any) -> None:
    while True:
        if not node:
            return
        key = draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        inner = node[key]
        if not (isinstance(inner, dict | list) and inner) or draw(st.integers(0, 3)) == 0:
            break
        node = inner
    what = draw(st.sampled_from(["replace", "replace", "remove", "repeat", "add"]))
    if what == "remove":
        del node[key]
    elif what == "repeat" and isinstance(node, list):
        node[key:key] = [json.loads(json.dumps(inner))] * draw(st.sampled_from([1, 2, 300]))
    elif what == "add" and isinstance(node, dict):
        node[draw(st.sampled_from(["", "a", "0", "text", LONG]))] = deepcopy(draw(JUNK))
    else:
        node[key] = deepcopy(draw(JUNK))  # which the next mutation may change


def check_message(message: object) -> None:
    """Fail unless this is a message for a person: some words, in a line, that quote little of what was sent."""
    assert isinstance(message, str)
    assert message.strip()
    assert "\n" not in message
    assert "Traceback" not in message
    assert "fault in the program" not in message
    assert "Q" * MOST not in message
    assert len(message) < 2000
