"""Declared fields: a request's settings and a strategy's knobs, each declared once as an annotation.

Range checks, page widgets, command-line flags, the endpoint's signature and the tables in the docs all follow from it.
"""

from __future__ import annotations

import json
import typing
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InfillError, quoted
from app.sampling.start import Start

Value = float | int | str | bool

MAX_CHARACTERS = 20_000
MAX_WORDS = 64
MAX_SETTINGS = 64
AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class _Domain:
    """What every domain has besides its `help`."""

    label: str = ""  # on the page; by default from the field's name
    flag: str = ""  # on the command line; by default from the field's name

    def range(self, kind: type) -> str:
        """Return the allowed values of this type in words."""
        raise NotImplementedError

    def check(self, title: str, value: Any, kind: type) -> Any:
        """Return the value in the field's own form. Raises InfillError, naming the field by `title`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Knob(_Domain):
    """A number from `low` to `high`, whole if the annotated type is int.

    `calibrated` returns its value for a checkpoint from the scores (those in `app.presets.STRICTEST`) at which a first
    choice stays with a certain probability; the value is clipped to the range.
    """

    low: float
    high: float
    help: str
    calibrated: Callable[[Mapping[str, float]], float] | None = None
    above_low: bool = False  # `low` itself is not allowed
    auto: bool = False  # "auto" and None are allowed, and become None
    slider: tuple[float, float] | None = None  # ends of the page's slider if not the whole range

    def range(self, kind: type) -> str:
        low, high = _plain(self.low), _plain(self.high)
        numbers = f"above {low} and at most {high}" if self.above_low else f"{low} to {high}"
        return f"{numbers}, or {AUTO}" if self.auto else numbers

    def check(self, title: str, value: Any, kind: type) -> Value | None:
        """Return the value as `kind`. Raises InfillError, naming the field by `title`, with the allowed values."""
        if self.auto and (value is None or value == AUTO):
            return None
        number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high or (self.above_low and value == self.low):
            allowed = self.range(kind) if self.above_low else f"from {self.range(kind)}"
            if kind is int:
                raise InfillError(f"{title} must be a whole number {allowed}, not {quoted(value)}")
            raise InfillError(f"{title} must be a number {allowed}, not {quoted(value)}")
        return kind(value)


@dataclass(frozen=True)
class Switch(_Domain):
    """True or false."""

    help: str

    def range(self, kind: type) -> str:
        return "true or false"

    def check(self, title: str, value: Any, kind: type) -> bool:
        """Return the value. Raises InfillError, naming the field by `title`."""
        if not isinstance(value, bool):
            raise InfillError(f"{title} must be true or false, not {quoted(value)}")
        return value


@dataclass(frozen=True)
class OneOf(_Domain):
    """One of a few words."""

    options: tuple[str, ...]
    help: str

    def range(self, kind: type) -> str:
        return ", ".join(self.options)

    def check(self, title: str, value: Any, kind: type) -> str:
        """Return the value. Raises InfillError, naming the field by `title`, with the allowed values."""
        if value not in self.options:
            raise InfillError(f"{title} must be one of {self.range(kind)}, not {quoted(value)}")
        return value


@dataclass(frozen=True)
class Text(_Domain):
    """Text as it was typed; line breaks of all systems become newlines."""

    help: str
    placeholder: str = ""

    def range(self, kind: type) -> str:
        return f"up to {MAX_CHARACTERS} characters"

    def check(self, title: str, value: Any, kind: type) -> str:
        """Return the text. Raises InfillError for other types, long texts, control characters and lone surrogates."""
        if not isinstance(value, str):
            raise InfillError(f"the {title} must be text, not {type(value).__name__}")
        text = value.replace("\r\n", "\n").replace("\r", "\n")
        if len(text) > MAX_CHARACTERS:
            raise InfillError(f"the {title} has {len(text)} characters; shorten it to {MAX_CHARACTERS} or fewer")
        for place, character in enumerate(text):
            category = unicodedata.category(character)
            if category == "Cs" or (category == "Cc" and character not in "\n\t"):
                raise InfillError(
                    f"the {title} contains the control character U+{ord(character):04X} at position {place + 1}; "
                    "remove it"
                )
        return text


@dataclass(frozen=True)
class Words(_Domain):
    """A list of single words, or one text with commas or spaces between them."""

    help: str
    placeholder: str = ""

    def range(self, kind: type) -> str:
        return f"up to {MAX_WORDS} words"

    def check(self, title: str, value: Any, kind: type) -> tuple[str, ...]:
        """Return the words, each once. Raises InfillError for other types, phrases, and too many of them."""
        words = value.replace(",", " ").split() if isinstance(value, str) else value
        if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
            raise InfillError(f"{title} must be words, as in 'dog, cat', not {quoted(words)}")
        for word in words:
            if not word or any(character.isspace() for character in word):
                raise InfillError(f"{title} must be single words, not {quoted(word)}; give one word of it")
            Text("").check(f"list of {title}", word, str)
        if len(words) > MAX_WORDS or sum(map(len, words)) > MAX_CHARACTERS:
            raise InfillError(f"{title} has {len(words)} words; give {MAX_WORDS} or fewer")
        return tuple(dict.fromkeys(words))


@dataclass(frozen=True)
class Name(_Domain):
    """The name of something that is looked up elsewhere."""

    help: str

    def range(self, kind: type) -> str:
        return "a name"

    def check(self, title: str, value: Any, kind: type) -> str:
        """Return the name. Raises InfillError if it is not a text."""
        if not isinstance(value, str):
            raise InfillError(f"{title} must be a name, not {quoted(value)}")
        return value


@dataclass(frozen=True)
class Settings(_Domain):
    """Names with values; the names and ranges that are allowed are checked elsewhere."""

    help: str

    def range(self, kind: type) -> str:
        return "names with values"

    def check(self, title: str, value: Any, kind: type) -> dict[str, Value]:
        """Return a copy. Raises InfillError if it is not a mapping of names to numbers, texts, true or false."""
        if not isinstance(value, Mapping):
            raise InfillError(f"{title} must be names with values, not {quoted(value)}")
        if len(value) > MAX_SETTINGS:
            raise InfillError(f"{title} has {len(value)} names; give {MAX_SETTINGS} or fewer")
        for name, setting in value.items():
            if not isinstance(name, str) or not isinstance(setting, float | int | str | bool):
                raise InfillError(f"{title}: {quoted(name)} must be a number or a word, not {quoted(setting)}")
        return dict(value)


@dataclass(frozen=True)
class State(_Domain):
    """A state to start from, or None; also as JSON, read or still as text."""

    help: str

    def range(self, kind: type) -> str:
        return "JSON, or nothing"

    def check(self, title: str, value: Any, kind: type) -> Start | None:
        """Return the start. Raises InfillError, naming the field by `title`, if it is not one."""
        if value is None or isinstance(value, Start):
            return value
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                raise InfillError(f"{title} is not JSON: {quoted(value)}") from None
        try:
            return Start.from_json(value)
        except InfillError as error:
            raise InfillError(f"{title}: {error}") from None


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


Domain = Knob | Switch | OneOf | Text | Words | Name | Settings | State
"""The values that a field may have, and how it is presented."""


@dataclass(frozen=True)
class Field:
    """A declared field: its name, the type of its values, its default and its domain."""

    name: str
    kind: type
    default: Any
    domain: Domain

    @property
    def label(self) -> str:
        """The name on the page."""
        return self.domain.label or self.name.replace("_", " ").capitalize()

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return self.domain.flag or "--" + self.name.replace("_", "-")

    @property
    def title(self) -> str:
        """The name in messages; for a number also the label, if it differs."""
        plain = self.label.lower().replace("-", "_").replace(" ", "_")
        same = plain == self.name or not isinstance(self.domain, Knob)
        return self.name if same else f"{self.name} ({self.label.lower()})"

    @property
    def range(self) -> str:
        """The allowed values in words."""
        return self.domain.range(self.kind)

    def check(self, value: Any, title: str = "") -> Any:
        """Return the value in the field's own form. Raises InfillError, naming the field, with the allowed values."""
        return self.domain.check(title or self.title, value, self.kind)


def declared(hints: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return a field for each default, from hints of the form `Annotated[type, domain]`.

    Raises TypeError for a name whose hint declares no domain.
    """
    found = []
    for name, default in defaults.items():
        kind, *domain = typing.get_args(hints.get(name)) or (None,)
        if not domain or not isinstance(domain[0], Domain):
            raise TypeError(f"'{name}' must be annotated as Annotated[type, Knob(…)], or another domain")
        kinds = typing.get_args(kind) or (kind,)  # int | None: int
        found.append(Field(name, kinds[0] if isinstance(kinds[0], type) else str, default, domain[0]))
    return tuple(found)
