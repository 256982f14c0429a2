r"""Texts with gaps, such as `Tom went to the [[3]] and saw a [[auto|1:big]] dog.`

`[[3]]` is a gap of three masks, `[[auto]]` one whose length the model chooses, and `[[8|3:dog, 5:so big]]` one of eight
in which "dog" is pinned to the third token and "so big" starts at the fifth. `\[[` stands for the characters `[[`, and
`\\[[` for a backslash before a gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.errors import InfillError, typed
from app.sampling.fields import AUTO

MAX_LENGTH = 128
MAX_GAPS = 16
_OPENING = re.compile(r"(\\+)\[\[|\[\[(?!\[)")  # of [[[2]]] the last two brackets open the gap


@dataclass(frozen=True)
class Pin:
    """Words that must appear in a gap, starting at one of its tokens."""

    place: int  # from 1
    words: str

    def __str__(self) -> str:
        return f"{self.place}:{self.words.strip()}"


@dataclass(frozen=True)
class Gap:
    """A gap: its length and the words pinned in it."""

    length: int | None  # tokens, including pinned ones; None until it is chosen
    pins: tuple[Pin, ...] = ()


@dataclass(frozen=True)
class Template:
    """A text with gaps."""

    given: tuple[str, ...]  # [gaps + 1] the text before, between and after the gaps, as typed
    gaps: tuple[Gap, ...]


def read(text: str) -> Template:
    """Read a template. Raises InfillError, naming place and fix, for a malformed gap and a text without gaps."""
    given, gaps = [], []
    for literal, start, inside in _cut(text):
        given.append(literal)
        if inside is not None:
            gaps.append(_gap(inside, f"gap {len(gaps) + 1}, {typed(f'[[{inside}]]')} at character {start - 1}"))
    if not gaps:
        raise InfillError("the text has no gap: write [[3]] to have 3 tokens filled in")
    if len(gaps) > MAX_GAPS:
        raise InfillError(f"the text has {len(gaps)} gaps; at most {MAX_GAPS} are allowed: fill it in parts")
    return Template(tuple(given), tuple(gaps))


def with_lengths(text: str, lengths: Sequence[int]) -> str:
    """Return the text with other numbers of masks, one for each gap."""
    insides = [(start, inside) for _, start, inside in _cut(text) if inside is not None]
    for (start, inside), length in reversed([*zip(insides, lengths, strict=True)]):
        _, bar, pins = inside.partition("|")
        text = text[:start] + f"{length}{bar}{pins}" + text[start + len(inside) :]
    return text


def _cut(text: str) -> Iterator[tuple[str, int, str | None]]:
    """Yield the text before each gap, where the gap's inside starts, and the inside; None after the last gap."""
    literal, at = "", 0
    while found := _OPENING.search(text, at):
        slashes = len(found[1] or "")
        literal += text[at : found.start()] + "\\" * (slashes // 2)
        at = found.end()
        if slashes % 2:
            literal += "[["
            continue
        end = text.find("]]", at)
        if end < 0:
            raise InfillError(
                f"the gap that opens at character {at - 1} is not closed: write [[3]], or \\[[ for the characters [["
            )
        yield literal, at, text[at:end]
        literal, at = "", end + 2
    yield literal + text[at:], len(text), None


def _gap(inside: str, name: str) -> Gap:
    count, bar, rest = inside.partition("|")
    count = count.strip()
    if count != AUTO and not re.fullmatch("[0-9]{1,6}", count):
        raise InfillError(
            f"{name}: write a number of masks, as in [[3]], or [[auto]]; \\[[ stands for the characters [["
        )
    length = None if count == AUTO else int(count)
    if length is not None and not 1 <= length <= MAX_LENGTH:
        raise InfillError(f"{name}: a gap must have 1 to {MAX_LENGTH} masks, not {length}")
    pins = tuple(_pin(each, name) for each in re.split(r",(?=\s*[0-9]+\s*:)", rest)) if bar else ()
    for place, pin in enumerate(pins):
        if not 1 <= pin.place <= (length or MAX_LENGTH):
            last = f"its positions are 1 to {length or MAX_LENGTH}"
            raise InfillError(
                f"{name}: {typed(str(pin))} does not fit, because {last}; move it, or make the gap longer"
            )
        if pin.place in [other.place for other in pins[:place]]:
            taken = f"another word is pinned to position {pin.place}"
            raise InfillError(f"{name}: {typed(str(pin))} does not fit, because {taken}; move one of them")
    return Gap(length, pins)


def _pin(text: str, name: str) -> Pin:
    found = re.fullmatch(r"\s*([0-9]{1,6})\s*:(.*)", text, re.DOTALL)
    if not found or not found[2].strip():
        raise InfillError(
            f"{name}: write positions with words after the |, as in [[8|3:dog, 5:so big]], not {typed(text.strip())}"
        )
    return Pin(int(found[1]), found[2])
