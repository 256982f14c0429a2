"""What a user asks for, each field declared and checked once."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated

from app.errors import InfillError, quoted, typed, unknown
from app.sampling import template
from app.sampling.fields import Field, Knob, Name, OneOf, Settings, State, Switch, Text, Value, Words, declared
from app.sampling.scripts import takes_space, whole_word
from app.sampling.start import Start
from app.sampling.template import MAX_LENGTH, Gap, Template

MAX_STEPS = 256
_LINE_BREAK = "[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]"  # the line breaks of str.splitlines
TIME_LIMIT = 90.0
"""Seconds after which a run on the page ends; the text written so far stays."""


@dataclass(frozen=True, kw_only=True)
class InfillRequest:
    """A text with gaps and how to fill them.

    Prefix and suffix may be empty: then the text is continued, led up to, or written without any context. `text`, a
    template (see `template`), replaces prefix, suffix and length and may have several gaps. Either way `parts` and
    `gaps` hold the given text and the gaps, and `length` is the number of tokens in all gaps.

    Raises InfillError for mistakes that a user can fix; the strategy and its knobs are checked by `sampler.policy_of`.
    """

    prefix: Annotated[str, Text("the text before the gap; may be empty", placeholder="Text before the gap")] = ""
    suffix: Annotated[str, Text("the text after the gap; may be empty", placeholder="Text after the gap")] = ""
    length: Annotated[
        int | None, Knob(1, MAX_LENGTH, "tokens to fill in, pinned ones included", label="Number of masks", auto=True)
    ] = 16
    steps: Annotated[
        int, Knob(1, MAX_STEPS, "the budget T; with fewer steps, more tokens are written at once", label="Step budget")
    ] = 16
    strategy: Annotated[str, Name("the decoding strategy: decides which tokens are written first")] = "low_confidence"
    knobs: Annotated[Mapping[str, Value], Settings("settings of the strategy")] = field(default_factory=dict)
    temperature: Annotated[
        float,
        Knob(
            0.0,
            5.0,
            "0 takes the likeliest token; above 0, strategies that rank by the drafted token sample colder than this, "
            "unless redraw is on",
            slider=(0.0, 2.0),
        ),
    ] = 0.0
    top_p: Annotated[
        float,
        Knob(0.0, 1.0, "nucleus mass; 1 switches it off", label="Top-p", above_low=True, slider=(0.05, 1.0)),
    ] = 1.0
    redraw: Annotated[
        bool,
        Switch(
            "draw a token anew at the place where it is written, so that a place is not chosen because a likely token "
            "was drawn there; only for strategies that rank by the drafted token, above temperature 0"
        ),
    ] = False
    seed: Annotated[int, Knob(0, 2**32 - 1, "the same seed repeats the run")] = 0
    guidance: Annotated[
        float,
        Knob(0.0, 5.0, "extra weight of one side of the text (classifier-free guidance); 0 is off, else two passes"),
    ] = 0.0
    guided_by: Annotated[str, OneOf(("suffix", "prefix"), "the side that gets the extra weight")] = "suffix"
    space: Annotated[
        bool,
        Switch(
            "put a space after a gap if the text there starts with a letter or digit, in scripts with spaces between "
            "words; off: a gap may end inside a word",
            label="Space between words",
        ),
    ] = True
    text: Annotated[
        str,
        Text(
            "a text with gaps, instead of prefix, suffix and length; [[3]] is a gap of 3 tokens, [[auto]] one whose "
            "length the model chooses, [[8|3:dog]] one of 8 tokens, the third of them 'dog'",
            label="Or a text with several gaps",
            placeholder="Tom went to the [[3]] and saw a [[auto]] dog.",
        ),
    ] = ""
    banned: Annotated[
        Sequence[str],
        Words(
            "words that are never written, in upper or lower case",
            label="Banned words",
            flag="--ban",
            placeholder="dog, cat",
        ),
    ] = ()
    one_line: Annotated[bool, Switch("never write a line break", label="One line only")] = False
    start: Annotated[
        Start | None,
        State("what is written in the gaps already, such as the state of another run; nothing: all is masked"),
    ] = None

    def __post_init__(self) -> None:
        for declared_field in fields_of(type(self)):
            value = declared_field.check(getattr(self, declared_field.name))
            object.__setattr__(self, declared_field.name, value)
        object.__setattr__(self, "length", self._tokens())
        if self.start is not None:
            self.start.check_lengths([gap.length for gap in self.gaps])
        self._check_guidance()
        self._check_pins()
        object.__setattr__(self, "knobs", MappingProxyType(self.knobs))  # a copy, which the check made

    def __getstate__(self) -> dict[str, object]:
        """Return the state for another process, such as ZeroGPU's; a read-only mapping cannot be pickled."""
        return {**vars(self), "knobs": dict(self.knobs)}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, knobs=MappingProxyType(state["knobs"]))  # pyright: ignore[reportArgumentType]

    def _tokens(self) -> int | None:
        """Return the number of tokens in all gaps; None until every length is chosen."""
        if not self.text:
            return self.length
        if self.prefix or self.suffix:
            raise InfillError("give either a text with gaps or a prefix and a suffix, and leave the other empty")
        lengths = [gap.length for gap in self.gaps]
        total = None if None in lengths else sum(filter(None, lengths))
        if sum(length or 1 for length in lengths) > MAX_LENGTH:
            raise InfillError(f"the gaps have {total or 'too many'} masks in all; at most {MAX_LENGTH} are allowed")
        return total

    def _check_guidance(self) -> None:
        if self.guidance and not self.template.given[-1 if self.guided_by == "suffix" else 0]:
            raise InfillError(f"there is no {self.guided_by} to be guided by; write one, or set guidance to 0")

    def _check_pins(self) -> None:
        for gap in self.gaps:
            for pin in gap.pins:
                if self.ban and (found := self.ban.search(pin.words)):
                    word = f"{typed(found[0])} is banned"
                    why = word if found[0].strip() else "it has a line break, which one_line forbids"
                    raise InfillError(f"{typed(str(pin))} cannot be written, because {why}; drop one of them")

    @functools.cached_property
    def template(self) -> Template:
        """The given text, as typed, and the gaps."""
        return template.read(self.text) if self.text else Template((self.prefix, self.suffix), (Gap(self.length),))

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The gaps, from left to right."""
        return self.template.gaps

    @property
    def parts(self) -> tuple[str, ...]:
        """[gaps + 1] the text before, between and after the gaps, as the model reads it.

        Spaces at the end of a part before a gap are removed, because the first token of a fill carries its own, as in
        training. A space is added before a letter or digit after a gap, unless `space` is off or the script, such as
        Chinese, has no spaces.
        """
        first, *others = self.template.given
        joined = [" " + part if self.space and takes_space(part) else part for part in others]
        return *(part.rstrip(" ") for part in (first, *joined)[:-1]), joined[-1]

    @property
    def spaces(self) -> tuple[str, ...]:
        """[gaps] the spaces that `parts` removes before each gap; a trace puts them back."""
        return tuple(part[len(part.rstrip(" ")) :] for part in self.template.given[:-1])

    def with_lengths(self, lengths: Sequence[int]) -> InfillRequest:
        """Return the request with these numbers of tokens, one for each gap; this replaces `auto`."""
        if self.text:
            return replace(self, text=template.with_lengths(self.text, lengths))
        (length,) = lengths
        return replace(self, length=length)

    @functools.cached_property
    def ban(self) -> re.Pattern[str] | None:
        """A pattern for banned whole words and line breaks; None if nothing is banned."""
        patterns = [_LINE_BREAK] if self.one_line else []
        patterns += map(whole_word, self.banned)
        return re.compile("|".join(patterns), re.IGNORECASE) if patterns else None


@functools.cache
def fields_of(request: type[InfillRequest] = InfillRequest) -> tuple[Field, ...]:
    """Return the fields of a request in the order of their declaration."""
    defaults = {
        each.name: each.default_factory() if each.default is dataclasses.MISSING else each.default  # pyright: ignore
        for each in dataclasses.fields(request)
    }
    return declared(typing.get_type_hints(request, include_extras=True), defaults)


def from_fields(fields: object, request: type[InfillRequest] = InfillRequest) -> InfillRequest:
    """Return the request with these fields, as JSON has them.

    Raises InfillError, also if it is not an object at all, for a field that is unknown, and for a value out of range.
    """
    if not isinstance(fields, Mapping):
        raise InfillError(f"a request must be fields with values, not {quoted(fields)}")
    known = [each.name for each in fields_of(request)]
    for name in fields:
        if name not in known:
            raise unknown("field of a request", name, known)
    return request(**fields)


def markdown() -> str:
    """Return the docs' table of the request's fields."""
    rows = ["| field | default | values | meaning |", "| --- | --- | --- | --- |"]
    for each in fields_of():
        default = "" if each.default in ("", (), {}, None) else f"`{each.default}`"
        rows.append(f"| `{each.name}` | {default} | {each.range} | {each.domain.help} |".replace("|3:", "\\|3:"))
    return "\n".join(rows)
