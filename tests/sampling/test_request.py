"""What can be asked for, and what is refused with which words."""

from __future__ import annotations

import pickle

import pytest

from app.errors import InfillError
from app.sampling.fields import MAX_CHARACTERS
from app.sampling.request import MAX_STEPS, InfillRequest
from app.sampling.template import MAX_LENGTH

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("length", [0, -1, MAX_LENGTH + 1, 1.0, True, "5", "many", NAN]),
        ("steps", [0, -1, MAX_STEPS + 1, 2.5, True, "5", None, NAN]),
        ("seed", [-1, 2**32, 1.0, True, "5", NAN]),
        ("temperature", [-0.1, 5.1, NAN, INF, True, "hot", None, 10**400]),
        ("top_p", [0, 0.0, -0.1, 1.1, NAN, INF, True, "most"]),
        ("strategy", [None, 3, ["random"], {"a": 1}]),
        ("space", [None, 1, "yes"]),
        ("knob", [None, ["tau"], {"tau": [1]}, {"tau": None}, {3: 1}]),
        ("prefix", [None, 3, b"bytes", ["text"]]),
        ("suffix", [None, 3, b"bytes", ["text"]]),
    ],
)
def test_a_value_out_of_range_or_of_another_type_is_refused_by_name(field, values):
    for value in values:
        with pytest.raises(InfillError, match=field):
            InfillRequest(**{"knobs" if field == "knob" else field: value})


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("length", [1, MAX_LENGTH]),
        ("steps", [1, MAX_STEPS]),
        ("seed", [0, 2**32 - 1]),
        ("temperature", [0, 0.0, 1, 5.0]),
        ("top_p", [1e-9, 0.5, 1, 1.0]),
        ("prefix", ["", "x" * MAX_CHARACTERS, "two\nlines\tand a tab", "שלום 👩‍👩‍👧 <b>&amp;</b>", "\ufeff\u202e"]),
    ],
)
def test_the_ends_of_every_range_are_accepted_as_they_stand(field, values):
    for value in values:
        assert getattr(InfillRequest(**{field: value}), field) == value


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x85", "\ud83d"])
@pytest.mark.parametrize("side", ["prefix", "suffix"])
def test_control_characters_and_lone_surrogates_are_refused_with_code_and_position(side, character):
    with pytest.raises(InfillError, match=rf"{side}.*U\+{ord(character):04X} at position 4"):
        InfillRequest(**{side: "abc" + character + "def"})


def test_line_breaks_of_all_systems_become_newlines():
    request = InfillRequest(prefix="a\r\nb\rc\n", suffix="\r\n\r")
    assert (request.prefix, request.suffix) == ("a\nb\nc\n", "\n\n")


def test_a_text_too_long_is_refused_with_its_length_and_the_limit():
    with pytest.raises(InfillError, match=rf"{MAX_CHARACTERS + 1} characters.*{MAX_CHARACTERS}"):
        InfillRequest(suffix="x" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize(
    ("suffix", "joined"),
    [
        ("word", " word"),
        ("7 up", " 7 up"),
        ("שלום", " שלום"),
        (", and", ", and"),
        (" word", " word"),
        ("", ""),
        ("👍", "👍"),
    ],
)
def test_a_space_joins_a_suffix_that_starts_with_a_letter_or_digit(suffix, joined):
    assert InfillRequest(suffix=suffix).parts[1] == joined
    assert InfillRequest(suffix=suffix, space=False).parts[1] == suffix


def test_the_knobs_are_a_copy_that_cannot_be_changed():
    knobs = {"tau": 0.5}
    request = InfillRequest(knobs=knobs)
    knobs["tau"] = 0.9
    assert request.knobs["tau"] == 0.5
    with pytest.raises(TypeError):
        request.knobs["tau"] = 0.9  # pyright: ignore[reportIndexIssue]


def test_a_request_travels_to_another_process_and_its_knobs_stay_unchangeable():
    request = InfillRequest(prefix="a", strategy="threshold", knobs={"tau": 0.5}, seed=7)
    there = pickle.loads(pickle.dumps(request))
    assert there == request
    with pytest.raises(TypeError):
        there.knobs["tau"] = 0.9
