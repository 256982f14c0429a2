"""What was asked for, checked once."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from app.errors import InfillError

MAX_LENGTH = 128
MAX_STEPS = 256
MAX_CHARACTERS = 20_000
GUIDES = ("suffix", "prefix")
TIME_LIMIT = 90.0
"""Seconds after which a run on the page ends; what is there stays."""


@dataclass(frozen=True, kw_only=True)
class InfillRequest:
    """Prefix and suffix may be empty: infilling, continuing, leading up to, and unconditional generation are one thing.

    Raises InfillError for whatever a user can put right; the strategy and its knobs are checked where they are known.
    """

    prefix: str = ""
    suffix: str = ""
    length: int = 16  # masked tokens
    steps: int = 16  # the step budget T; each strategy says what it means
    strategy: str = "low_confidence"
    knobs: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    guidance: float = 0.0  # w of classifier-free guidance (arXiv:2207.12598): how much more one side counts; 0 is off
    guided_by: str = "suffix"  # which side that is
    space: bool = True  # put a space before a suffix that starts with a letter or digit; off to fill inside a word

    def __post_init__(self) -> None:
        for name in ("prefix", "suffix"):
            object.__setattr__(self, name, _checked_text(name, getattr(self, name)))
        _whole("length (number of masks)", self.length, 1, MAX_LENGTH)
        _whole("steps (the step budget)", self.steps, 1, MAX_STEPS)
        _whole("seed", self.seed, 0, 2**32 - 1)
        _real("temperature", self.temperature, 0.0, 5.0)
        _real("top_p", self.top_p, 0.0, 1.0)
        if self.top_p == 0:
            raise InfillError("top_p must be above 0 and at most 1 (1 switches it off)")
        _real("guidance", self.guidance, 0.0, 5.0)
        if self.guided_by not in GUIDES:
            raise InfillError(f"guided_by must be one of {', '.join(GUIDES)}, not {self.guided_by!r}")
        if self.guidance and not getattr(self, self.guided_by):
            raise InfillError(f"there is no {self.guided_by} to be guided by; write one, or set guidance to 0")
        if not isinstance(self.strategy, str):
            raise InfillError(f"strategy must be a name, not {self.strategy!r}")
        if not isinstance(self.space, bool):
            raise InfillError(f"space must be true or false, not {self.space!r}")
        object.__setattr__(self, "knobs", MappingProxyType(_checked_knobs(self.knobs)))

    def __getstate__(self) -> dict[str, object]:
        """For another process, as ZeroGPU's: a read-only mapping cannot be pickled."""
        return {**vars(self), "knobs": dict(self.knobs)}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, knobs=MappingProxyType(state["knobs"]))  # pyright: ignore[reportArgumentType]

    @property
    def stripped_prefix(self) -> str:
        """The prefix without its last spaces: the span's first token carries its own, as in training."""
        return self.prefix.rstrip(" ")

    @property
    def last_spaces(self) -> str:
        """What `stripped_prefix` leaves out; it is put back before a fill that does not start with white space."""
        return self.prefix[len(self.stripped_prefix) :]

    @property
    def joined_suffix(self) -> str:
        """The suffix as it stands after the span."""
        needs_space = self.space and self.suffix[:1].isalnum()
        return " " + self.suffix if needs_space else self.suffix


def _checked_text(name: str, text: object) -> str:
    if not isinstance(text, str):
        raise InfillError(f"the {name} must be text, not {type(text).__name__}")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MAX_CHARACTERS:
        raise InfillError(f"the {name} has {len(text)} characters; shorten it to {MAX_CHARACTERS} or fewer")
    for place, character in enumerate(text):
        kind = unicodedata.category(character)
        if kind == "Cs" or (kind == "Cc" and character not in "\n\t"):
            raise InfillError(
                f"the {name} contains the control character U+{ord(character):04X} at position {place + 1}; remove it"
            )
    return text


def _checked_knobs(knobs: object) -> dict[str, float | int | str | bool]:
    """Only the form; names and ranges are checked by the strategy."""
    if not isinstance(knobs, Mapping):
        raise InfillError(f"knobs must be names with values, not {knobs!r}")
    for name, value in knobs.items():
        if not isinstance(name, str) or not isinstance(value, float | int | str | bool):
            raise InfillError(f"knob {name!r} must be a number or a word, not {value!r}")
    return dict(knobs)


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InfillError(f"{name} must be a whole number from {low} to {high}, not {value!r}")


def _real(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InfillError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
