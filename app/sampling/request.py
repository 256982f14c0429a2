"""What was asked for, checked once."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from app.errors import InfillError
from app.sampling import template
from app.sampling.template import AUTO, MAX_LENGTH, Gap, Template

MAX_STEPS = 256
MAX_BANNED = 64
MAX_CHARACTERS = 20_000
GUIDES = ("suffix", "prefix")
_LINE_BREAK = "[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]"  # as str.splitlines has it
TIME_LIMIT = 90.0
"""Seconds after which a run on the page ends; what is there stays."""


@dataclass(frozen=True, kw_only=True)
class InfillRequest:
    """Prefix and suffix may be empty: infilling, continuing, leading up to, and unconditional generation are one thing.

    `text`, a template (see `template`), takes the place of prefix, suffix and length and may have several gaps. Either
    way `parts` and `gaps` say what stands where, and `length` is the number of tokens in all gaps.

    Raises InfillError for whatever a user can put right; the strategy and its knobs are checked where they are known.
    """

    prefix: str = ""
    suffix: str = ""
    text: str = ""  # instead of these and of length: 'Tom went to the [[3]] and saw a [[2]] dog.'
    length: int | None = 16  # tokens to fill in, pinned ones included; None ("auto") until they are chosen
    steps: int = 16  # the step budget T; each strategy says what it means
    strategy: str = "low_confidence"
    knobs: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    guidance: float = 0.0  # w of classifier-free guidance (arXiv:2207.12598): how much more one side counts; 0 is off
    guided_by: str = "suffix"  # which side that is
    space: bool = True  # put a space before a part after a gap that starts with a letter or digit; off: inside a word
    banned: Sequence[str] = ()  # words never to write, in whatever case; also as one text, 'dog, cat'
    one_line: bool = False  # never write a line break

    def __post_init__(self) -> None:
        for name in ("prefix", "suffix", "text"):
            object.__setattr__(self, name, _checked_text(name, getattr(self, name)))
        object.__setattr__(self, "length", self._counted())
        object.__setattr__(self, "banned", _checked_words(self.banned))
        _whole("steps (the step budget)", self.steps, 1, MAX_STEPS)
        _whole("seed", self.seed, 0, 2**32 - 1)
        _real("temperature", self.temperature, 0.0, 5.0)
        _real("top_p", self.top_p, 0.0, 1.0)
        if self.top_p == 0:
            raise InfillError("top_p must be above 0 and at most 1 (1 switches it off)")
        _real("guidance", self.guidance, 0.0, 5.0)
        if self.guided_by not in GUIDES:
            raise InfillError(f"guided_by must be one of {', '.join(GUIDES)}, not {self.guided_by!r}")
        if self.guidance and not self.template.given[-1 if self.guided_by == "suffix" else 0]:
            raise InfillError(f"there is no {self.guided_by} to be guided by; write one, or set guidance to 0")
        if not isinstance(self.strategy, str):
            raise InfillError(f"strategy must be a name, not {self.strategy!r}")
        for name in ("space", "one_line"):
            if not isinstance(getattr(self, name), bool):
                raise InfillError(f"{name} must be true or false, not {getattr(self, name)!r}")
        self._check_pins()
        object.__setattr__(self, "knobs", MappingProxyType(_checked_knobs(self.knobs)))

    def __getstate__(self) -> dict[str, object]:
        """For another process, as ZeroGPU's: a read-only mapping cannot be pickled."""
        return {**vars(self), "knobs": dict(self.knobs)}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, knobs=MappingProxyType(state["knobs"]))  # pyright: ignore[reportArgumentType]

    def _counted(self) -> int | None:
        """The tokens of all gaps; None while the length of one is to be chosen."""
        if self.text:
            if self.prefix or self.suffix:
                raise InfillError("give a text with gaps, or a prefix and a suffix, not both: empty one of them")
            lengths = [gap.length for gap in self.gaps]
            total = None if None in lengths else sum(filter(None, lengths))
            if sum(length or 1 for length in lengths) > MAX_LENGTH:
                raise InfillError(f"the gaps have {total or 'too many'} masks in all, and {MAX_LENGTH} are the most")
            return total
        if self.length is None or self.length == AUTO:
            return None
        _whole("length (number of masks)", self.length, 1, MAX_LENGTH)
        return self.length

    def _check_pins(self) -> None:
        for gap in self.gaps:
            for pin in gap.pins:
                if self.ban and (found := self.ban.search(pin.words)):
                    word = f"'{found[0]}' is banned"
                    why = word if found[0].strip() else "it has a line break, and one line is asked for"
                    raise InfillError(f"'{pin}' cannot be met, because {why}; give up one of them")

    @functools.cached_property
    def template(self) -> Template:
        """What is given and what is to be filled, as it was typed."""
        return template.read(self.text) if self.text else Template((self.prefix, self.suffix), (Gap(self.length),))

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return self.template.gaps

    @property
    def parts(self) -> tuple[str, ...]:
        """[gaps + 1] the given text as it stands before, between and after the gaps.

        Without last spaces before a gap, whose first token carries its own, as in training; with one before a letter
        or digit after a gap.
        """
        first, *others = self.template.given
        joined = [" " + part if self.space and part[:1].isalnum() else part for part in others]
        return *(part.rstrip(" ") for part in (first, *joined)[:-1]), joined[-1]

    @property
    def spaces(self) -> tuple[str, ...]:
        """[gaps] what `parts` leave out before each gap; put back before a fill that starts without white space."""
        return tuple(part[len(part.rstrip(" ")) :] for part in self.template.given[:-1])

    def with_lengths(self, lengths: Sequence[int]) -> InfillRequest:
        """The same with other numbers of tokens, one for each gap: how lengths that are `auto` are settled."""
        if self.text:
            return replace(self, text=template.with_lengths(self.text, lengths))
        (length,) = lengths
        return replace(self, length=length)

    @functools.cached_property
    def ban(self) -> re.Pattern[str] | None:
        """Finds what must not be written: banned words, whole ones, and line breaks; None where nothing is banned."""
        patterns = [_LINE_BREAK] if self.one_line else []
        if self.banned:
            patterns.append(rf"(?<!\w)(?:{'|'.join(map(re.escape, self.banned))})(?!\w)")
        return re.compile("|".join(patterns), re.IGNORECASE) if patterns else None


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


def _checked_words(words: object) -> tuple[str, ...]:
    if isinstance(words, str):
        words = words.replace(",", " ").split()
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise InfillError(f"banned must be words, as in 'dog, cat', not {words!r}")
    for word in words:
        if not word or any(character.isspace() for character in word):
            raise InfillError(f"banned must be single words, not {word!r}; ban one word of it")
        _checked_text("list of banned words", word)
    if len(words) > MAX_BANNED or sum(map(len, words)) > MAX_CHARACTERS:
        raise InfillError(f"{len(words)} words are banned; {MAX_BANNED} are the most")
    return tuple(dict.fromkeys(words))


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
