"""A state to start a run from: gaps that are partly written already, such as those of another run at some step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InfillError, quoted
from models.quoting import MOST

_KEYS = ("gaps", "locked", "confidence")
_LOOK = 'write it as in {"gaps": [[17, null, null]], "locked": [0]}'


@dataclass(frozen=True, kw_only=True)
class Start:
    """What is written in each gap before the first step. Slots are the tokens of all gaps, numbered from 0.

    `confidence` is how probable each written token was when it was committed, with four digits: strategies that take
    tokens back judge them by it. It is 1 for tokens for which nothing else is known, and 0 for masks.

    Raises InfillError if the fields contradict each other or nothing is masked. `Layout.canvas` checks the ids.
    """

    gaps: tuple[tuple[int | None, ...], ...]  # [gaps][length] token ids; None for a mask
    locked: tuple[int, ...] = ()  # written slots that never change, ascending
    confidence: tuple[tuple[float, ...], ...] = ()  # [gaps][length]; by default 1 where a token is written

    def __post_init__(self) -> None:
        tokens = [token for gap in self.gaps for token in gap]
        if None not in tokens:
            raise InfillError(
                "nothing is masked in this start, so there is nothing to write: mask one of its places again"
            )
        if list(self.locked) != sorted(set(self.locked)):
            object.__setattr__(self, "locked", tuple(sorted(set(self.locked))))
        for slot in self.locked:
            if slot >= len(tokens):
                raise InfillError(f"the start locks slot {slot}, but its slots are 0 to {len(tokens) - 1}")
            if tokens[slot] is None:
                raise InfillError(f"the start locks slot {slot}, which is masked: write a token there, or unlock it")
        self._set_confidence()

    def _set_confidence(self) -> None:
        """Fill in the default, and round to four digits. Raises InfillError if the numbers do not fit the gaps."""
        given = self.confidence or [[float(token is not None) for token in gap] for gap in self.gaps]
        if [len(numbers) for numbers in given] != self.lengths:
            raise InfillError("the start must have one confidence for each token of each gap, 0 for a mask")
        for gap, numbers in zip(self.gaps, given, strict=True):
            for token, number in zip(gap, numbers, strict=True):
                if token is None and number:
                    raise InfillError(f"the start has a confidence of {quoted(number)} for a mask: it must be 0")
        rounded = tuple(tuple(round(float(number), 4) + 0.0 for number in numbers) for numbers in given)
        object.__setattr__(self, "confidence", rounded)

    @property
    def lengths(self) -> list[int]:
        """[gaps] the number of tokens of each gap."""
        return [len(gap) for gap in self.gaps]

    def check_lengths(self, lengths: Sequence[int | None]) -> None:
        """Raise InfillError if a text's gaps are not as long as these; None is a length that is still `auto`."""
        if None in lengths:
            raise InfillError("a run from a given start cannot have an [[auto]] gap: write a number of masks instead")
        if self.lengths != list(lengths):
            raise InfillError(
                f"the start has gaps of {_named(self.lengths)} tokens, and the text has gaps of {_named(lengths)}: give"
                " them the same lengths"
            )

    @classmethod
    def from_json(cls, data: object) -> Start:
        """Return the start that `to_json` wrote. Raises InfillError that names the fault."""
        if not isinstance(data, Mapping):
            raise InfillError(f"a start must have named parts, not {quoted(data)}; {_LOOK}")
        for key in data:
            if key not in _KEYS:
                raise InfillError(f"a start has no part {quoted(key)}, only {', '.join(_KEYS)}; {_LOOK}")
        gaps = _lists("gaps", data.get("gaps"), "token ids, whole numbers from 0, or null for a mask", _is_token)
        if not gaps or not all(gaps):
            raise InfillError(f"the start needs at least one gap, and at least one token in each; {_LOOK}")
        locked = data.get("locked", ())
        if not isinstance(locked, list | tuple) or not all(_is_id(slot) for slot in locked):
            raise InfillError(f"'locked' of a start must be a list of slots, whole numbers from 0; {_LOOK}")
        confidence = ()
        if data.get("confidence") is not None:
            confidence = _lists("confidence", data["confidence"], "numbers from 0 to 1", _is_probability)
        return cls(gaps=gaps, locked=tuple(locked), confidence=confidence)

    def to_json(self) -> dict[str, Any]:
        """Return the start as plain lists and numbers."""
        return {
            "gaps": [list(gap) for gap in self.gaps],
            "locked": list(self.locked),
            "confidence": [list(numbers) for numbers in self.confidence],
        }


def _named(lengths: Sequence[int | None]) -> str:
    """Return lengths as words; of very many only how many they are."""
    return " and ".join(map(str, lengths)) if len(lengths) <= MOST // 4 else f"{len(lengths)} lengths"


def _lists(name: str, value: object, what: str, good: Any) -> tuple[tuple[Any, ...], ...]:
    """Return a list of lists as tuples. Raises InfillError if it is not one, or if an item is not good."""
    rows: Sequence[Any] = value if isinstance(value, list | tuple) else [None]
    if not all(isinstance(row, list | tuple) and all(map(good, row)) for row in rows):
        raise InfillError(f"'{name}' of a start must be a list for each gap, of {what}; {_LOOK}")
    return tuple(map(tuple, rows))


def _is_id(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _is_token(value: object) -> bool:
    return value is None or _is_id(value)


def _is_probability(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
