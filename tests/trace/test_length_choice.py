"""The record of a length choice, and its JSON."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from app.errors import InfillError
from app.trace.length_choice import LengthChoice, Passes, from_json, to_json

CHOICE = LengthChoice(
    lengths=np.arange(1, 5),
    phi=np.array([0.9, 0.5, 0.6, 0.2]),
    bias=np.array([0.9, 0.6, 0.4, 0.3]),
    score=np.array([-2.0, -3.0, -0.5, -4.0]),
    tried=np.array([3, 1]),
    rerank=np.array([-1.25, -2.5]),
    chosen=3,
    rule="parent",
    rows=14,
    calls=7,
    notices=("a notice",),
)


def test_the_round_trip_through_json_is_exact():
    back = from_json(json.loads(json.dumps(to_json(CHOICE))))
    for field in fields(LengthChoice):
        assert np.array_equal(getattr(back, field.name), getattr(CHOICE, field.name)), field.name
    assert back.describe(0).startswith("Gap 1: 3 masks, chosen over 1; the choice took 14 canvases in 7 ")


def test_seconds_are_written_once_they_were_measured_and_older_records_lack_them():
    timed = replace(CHOICE, seconds=2.345)
    assert "seconds" not in to_json(CHOICE)
    assert from_json(to_json(CHOICE)).seconds == 0
    assert from_json(json.loads(json.dumps(to_json(timed)))).passes == Passes(14, 7, 2.345)
    assert timed.describe(0).endswith("the choice took 14 canvases in 7 forward passes and 2.3 s.")
    assert CHOICE.describe(0).endswith("the choice took 14 canvases in 7 forward passes.")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lengths", [1, 2, 2, 4], "must ascend"),
        ("lengths", [0, 1, 2, 3], "must ascend"),
        ("lengths", [1, 2, 3.5, 4], "'lengths'"),
        ("phi", [0.9, 0.5], "'phi'"),
        ("phi", [0.9, 0.5, "0.6", 0.2], "'phi'"),
        ("score", [0, 0, 0, float("inf")], "'score'"),
        ("bias", None, "'bias'"),
        ("tried", [], "at least one that was tried"),
        ("tried", [3, 9], "not a candidate"),
        ("chosen", 2, "not tried"),
        ("chosen", True, "'chosen'"),
        ("rows", 6, "as many rows as calls"),
        ("seconds", -1.0, "seconds of a length choice"),
        ("seconds", float("inf"), "seconds of a length choice"),
        ("seconds", "3", "'seconds'"),
        ("rule", 3, "'rule'"),
        ("notices", [1], "'notices'"),
    ],
)
def test_a_field_that_to_json_cannot_have_written_is_refused(name: str, value: Any, message: str):
    with pytest.raises(InfillError, match=message):
        from_json(to_json(CHOICE) | {name: value})


@pytest.mark.parametrize("data", [None, [], {}, to_json(CHOICE) | {"more": 1}])
def test_data_without_exactly_the_right_fields_is_refused(data: Any):
    with pytest.raises(InfillError, match="must have exactly the fields"):
        from_json(data)
