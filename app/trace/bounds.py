"""How large a trace may be: what no run can have produced is refused before anything is built from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import InfillError
from app.sampling.request import MAX_STEPS
from app.sampling.template import MAX_GAPS, MAX_LENGTH
from app.trace.trace import Trace
from models.prediction import TOP

MAX_FILE = 8_000_000
"""Most characters of a recorded trace."""
MAX_TOKENS = 8192  # in a canvas
MAX_CELLS = 600_000  # steps times canvas length: bounds the memory of a trace

_ASKED = MAX_STEPS * MAX_LENGTH  # most positions that a run can ask about, over all steps
# For each of them a run records 3 lists, 26 values and about 150 characters.
_LISTS, _VALUES = 8 * _ASKED, 40 * _ASKED
_DEPTH = 6  # lists and objects within each other
_NOTES, _NOTICES = 32, 64  # in a step; in a trace
_NAME, _TEXT = 100, 8192  # characters of the name of a note or a class; of a notice, and of a model's name
_CLASSES = 16  # of words
_KNOWN = 256  # tokens known besides those of the recorded steps, where the last steps of a run were cut off
_TOKEN = 1024  # bytes of a token's text; the longest in common vocabularies have 128
_SHOWN = 128 * _ASKED  # bytes of the texts of all candidates and all tokens written, where they are shown

_PER_SLOT = ("commit", "tokens", "remask", "asked", "candidates", "confidence", "entropy", "top_tokens", "top_probs")
# Bytes in memory: of a position in a step, a step, a token's text besides itself, the probability of a word class.
_CELL, _STEP, _ENTRY, _CHANCE = 150, 4000, 170, 8


def check_text(content: str) -> None:
    """Raise InfillError if a file has more characters, lists or values than a trace can have; nothing is read yet."""
    if len(content) > MAX_FILE:
        raise InfillError(f"this file has more than {MAX_FILE:,} characters, which is too many for a trace")
    for what, marks, most in (("lists", "[{", _LISTS), ("values", ",", _VALUES)):
        if sum(map(content.count, marks)) > most:
            raise InfillError(f"this file has more than {most:,} {what}, which is too many for a trace")


def check_data(data: Mapping[str, Any]) -> None:
    """Raise InfillError if a count or size in a trace's JSON, or a product of them, is beyond what a run records.

    Raises LookupError or TypeError, as reading it does, if it is of another form.
    """
    _check_depth(data)
    steps = _counted("steps", data["steps"], MAX_STEPS)
    gaps = _counted("gaps", data["gaps"], MAX_GAPS)
    slots = sum(len(_counted("tokens of a gap", gap, MAX_LENGTH)) for gap in gaps)
    given = _counted("parts of given text", data["given_ids"], MAX_GAPS + 1)
    canvas = slots + sum(len(_counted("tokens of given text", part, MAX_TOKENS)) for part in given)
    if slots > MAX_LENGTH or canvas > MAX_TOKENS:
        raise InfillError(f"it has {slots} slots in {canvas} tokens; at most {MAX_LENGTH} in {MAX_TOKENS} are allowed")
    if len(steps) * canvas > MAX_CELLS:
        raise InfillError(f"steps times canvas length must be at most {MAX_CELLS:,}")
    for step in steps:
        for name in _PER_SLOT:
            _counted(f"'{name}' in a step", step[name], slots)
        _check_names("notes in a step", step["notes"], _NOTES)
        for each in _counted("'class_probs' in a step", step.get("class_probs", ()), slots):
            _counted("word classes", each, _CLASSES)
    lexicon = _counted("texts of tokens", data["lexicon"], _KNOWN + canvas + (TOP + 1) * slots * len(steps))
    _check_sizes("a token's text", list(lexicon.values()), _TOKEN)
    if (classes := data.get("classes")) is not None:
        _check_sizes(
            "the name of a word class",
            [each[0] for each in _counted("word classes", classes["names"], _CLASSES)],
            _NAME,
        )
        _counted("tokens with a word class", classes["of"], len(lexicon))
    _check_sizes("a notice", _counted("notices", data["notices"], _NOTICES), _TEXT)
    for choice in _counted("choices of a length", data["choices"], len(gaps)).values():
        _check_sizes("a notice", _counted("notices of a choice", choice["notices"], _NOTICES), _TEXT)
        _check_sizes("the rule of a choice", [choice["rule"]], _TEXT)
    _check_sizes("the model's name", [data["model"]], _TEXT)
    if data["origin"] is not None:
        _check_sizes("the origin's name", [data["origin"]["run"]], _TEXT)


def _check_depth(data: Any) -> None:
    level = [data]
    for _ in range(_DEPTH):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
    if level:
        raise InfillError(f"lists are nested more than {_DEPTH} deep")


def _counted(what: str, values: Any, most: int) -> Any:
    """Return a list or an object as it is. Raises InfillError if it has more than `most` values."""
    if len(values) > most:
        raise InfillError(f"it has {len(values):,} {what}; at most {most:,} are possible")
    return values


def _check_names(what: str, values: Mapping[str, Any], most: int) -> None:
    _check_sizes(f"a name of {what}", list(_counted(what, values, most)), _NAME)


def _check_sizes(what: str, texts: Sequence[Any], most: int) -> None:
    """Raise InfillError if one of the texts is longer than `most`; what is not a text is left to the reader."""
    longest = max((len(text) for text in texts if isinstance(text, str | list)), default=0)
    if longest > most:
        raise InfillError(f"{what} has {longest:,} characters; at most {most:,} are possible")


def check_shown(trace: Trace) -> None:
    """Raise InfillError if the texts of a trace are too long to be shown.

    A token's text is stored once and shown at every step that writes it or had it among its candidates.
    """
    size = {token: len(text) for token, text in trace.lexicon.items()}
    shown = sum(size.get(token, 0) for token in trace.start.ids[trace.start.slots].tolist())
    for step in trace.steps:
        written = step.canvas.ids[step.selection.commit]
        candidates = step.prediction.top_tokens[trace.start.slots].ravel()
        shown += sum(size.get(token, 0) for tokens in (written, candidates) for token in tokens.tolist())
    if shown > _SHOWN:
        raise InfillError(f"the texts of its candidates have {shown:,} bytes in all; at most {_SHOWN:,} can be shown")


def weight(trace: Trace) -> int:
    """Return about how many bytes a trace takes in memory."""
    texts = sum(map(len, trace.lexicon.values())) + sum(map(len, (*trace.given, *trace.notices)))
    cells = len(trace.steps) * len(trace.start)
    return (
        (_CELL + _CHANCE * len(trace.classes)) * cells + _STEP * len(trace.steps) + _ENTRY * len(trace.lexicon) + texts
    )
