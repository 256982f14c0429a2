"""From a request to a canvas: the text is encoded once, and laid out for any gap lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import InfillError, quoted
from app.sampling.canvas import Canvas
from app.sampling.request import InfillRequest
from app.sampling.scripts import takes_space
from app.sampling.start import Start
from app.sampling.template import Pin
from models.denoiser import Denoiser, Reader


@dataclass(frozen=True, eq=False, kw_only=True)
class Layout:
    """The token ids of a request's text, and the model that is to read them."""

    reader: Reader
    parts: tuple[list[int], ...]  # [gaps + 1] token ids before, between and after the gaps, whole
    pins: tuple[Mapping[Pin, list[int]], ...]  # [gaps] the pinned words of each gap, left to right, and their tokens
    names: tuple[str, str]  # of the text before and after the gaps, for notices
    start: Start | None = None  # what is written in the gaps already

    @classmethod
    def of(cls, request: InfillRequest, reader: Reader) -> Layout:
        """Encode a request's text."""
        encode = reader.tokenizer.encode
        parts = tuple(encode(part, opening=not place) for place, part in enumerate(request.parts))
        pins: list[dict[Pin, list[int]]] = []
        for number, gap in enumerate(request.gaps):
            pins.append({})
            for pin in sorted(gap.pins, key=lambda pin: pin.place):
                opens = pin.place == 1 and number == 0 and not request.parts[0] and request.space
                pins[-1][pin] = _spelled(pin, _with_space(request, number, pin), reader, gap=number + 1, opens=opens)
        names = ("text before the gaps", "text after the gaps") if request.text else ("prefix", "suffix")
        return cls(reader=reader, parts=parts, pins=tuple(pins), names=names, start=request.start)

    @property
    def between(self) -> int:
        """The number of tokens between the gaps."""
        return sum(map(len, self.parts[1:-1]))

    def trim(self, masks: int) -> tuple[list[list[int]], tuple[str, ...]]:
        """Return the token ids [gaps + 1] of the text that fits the model's context beside `masks`, and notices.

        At least one token precedes the first gap. Raises InfillError if the masks and the text between the gaps do not
        fit.
        """
        prefix, *middle, suffix = self.parts
        reader, between = self.reader, self.between
        room = reader.context - masks - between
        if room < 1:
            text = f" and {between} tokens between them" if between else ""
            raise InfillError(
                f"{masks} masks{text} do not fit: the model '{reader.name}' reads {reader.context} tokens, and one"
                f" must precede them; ask for {reader.context - 1 - between} or fewer"
                if reader.context - 1 > between
                else f"the text between the gaps has {between} tokens, and the model '{reader.name}' reads"
                f" {reader.context} in all; shorten it, or fill the gaps one by one"
            )
        before, after = _shares(len(prefix), len(suffix), room)
        notices = tuple(
            f"The text is longer than the {reader.context} tokens that '{reader.name}' reads: the {which} {cut} tokens"
            f" of the {side} were left out."
            for which, cut, side in (
                ("first", len(prefix) - before, self.names[0]),
                ("last", len(suffix) - after, self.names[1]),
            )
            if cut > 0
        )
        kept = prefix[len(prefix) - before :] or list(reader.tokenizer.begin)
        return [kept, *middle, suffix[:after]], notices

    def canvas(self, lengths: Sequence[int], mask_id: int) -> tuple[Canvas, tuple[str, ...]]:
        """Return the starting canvas with gaps of these lengths, and notices about text that was left out.

        Words pinned by the text are in force whatever a start has at their places, unless it locks other tokens there.
        Raises InfillError if the gaps and the text between them do not fit the model's context, a pin not its gap or a
        locked token, or a start not the vocabulary.
        """
        parts, notices = self.trim(sum(lengths))
        gaps: list[list[int | None]] = []
        for number, length in enumerate(lengths):
            pinned = self._pinned(number, length)
            gaps.append([pinned.get(place) for place in range(length)])
        if self.start is None:
            return Canvas.of(parts, gaps, mask_id), notices
        return self._started(self.start, parts, gaps, mask_id), notices

    def _started(
        self, start: Start, parts: Sequence[Sequence[int]], gaps: list[list[int | None]], mask_id: int
    ) -> Canvas:
        """Return a canvas with what a start has written; `gaps` holds the pinned tokens."""
        kept: list[tuple[int, int, float]] = []  # slot, token and confidence of what may be taken back
        slots = [(number, place) for number, gap in enumerate(gaps) for place in range(len(gap))]
        for slot, (number, place) in enumerate(slots):
            pinned, token = gaps[number][place], start.gaps[number][place]
            if pinned is not None and slot in start.locked and token != pinned:
                raise InfillError(
                    f"the text pins position {place + 1} of gap {number + 1}, and the start locks another token there:"
                    " drop the pin, or mask the token again"
                )
            if pinned is not None or token is None:
                continue
            self._check_token(token, f"position {place + 1} of gap {number + 1}", mask_id)
            if slot in start.locked:
                gaps[number][place] = token
            else:
                kept.append((slot, token, start.confidence[number][place]))
        canvas = Canvas.of(parts, gaps, mask_id)
        if kept:
            written, tokens, confidence = map(np.array, zip(*kept, strict=True))
            canvas = canvas.inherit(canvas.slots[written], tokens, confidence)
        if not canvas.masked.any():
            raise InfillError("the start and the pinned words leave nothing masked: mask a place again, or drop a pin")
        return canvas

    def _check_token(self, token: int, where: str, mask_id: int) -> None:
        """Raise InfillError if a start may not have a token written."""
        vocabulary = self.reader.tokenizer
        if token >= vocabulary.size:
            raise InfillError(
                f"the start has token {token} at {where}, and '{self.reader.name}' has only the tokens 0 to"
                f" {vocabulary.size - 1}: use the model that the start is from"
            )
        if token == mask_id or token in vocabulary.special_ids:
            kind = "the mask" if token == mask_id else "a special token"
            raise InfillError(f"the start has {kind}, token {token}, written at {where}: write null for a mask")

    def fewest_masks(self, number: int) -> int:
        """Return the least length of a gap that holds its pinned words and one more token; 1 without pins."""
        taken = {pin.place + at for pin, tokens in self.pins[number].items() for at in range(len(tokens))}
        return max(taken | {len(taken) + 1})

    def _pinned(self, number: int, length: int) -> dict[int, int]:
        """Return the pinned tokens of a gap by their place in it, from 0."""
        found: dict[int, int] = {}
        names: dict[int, str] = {}
        for pin, tokens in self.pins[number].items():
            problem = f"{quoted(str(pin))} in gap {number + 1} does not fit: it takes"
            last = pin.place - 1 + len(tokens)
            if last > length:
                raise InfillError(
                    f"{problem} the positions {pin.place} to {last}, and the gap has {length}; make the gap longer"
                )
            for place, token in enumerate(tokens, start=pin.place - 1):
                if place in found:
                    raise InfillError(
                        f"{problem} position {place + 1}, which {quoted(names[place])} takes as well; move one of them"
                    )
                found[place], names[place] = token, pin.words.strip()
        if len(found) == length:
            raise InfillError(f"the words pinned in gap {number + 1} leave nothing to write there; make the gap longer")
        return found


def lay_out(request: InfillRequest, denoiser: Denoiser) -> tuple[Canvas, tuple[str, ...]]:
    """Return the starting canvas of a request whose lengths are known, and notices; see `Layout.canvas`."""
    lengths = [gap.length for gap in request.gaps]
    assert None not in lengths, "a length is still 'auto'"
    return Layout.of(request, denoiser).canvas([length or 0 for length in lengths], denoiser.tokenizer.mask_id)


def encode_sides(request: InfillRequest, reader: Reader) -> tuple[list[int], list[int]]:
    """Return the token ids before and after the only gap.

    Raises InfillError for several gaps, for pinned words and for a start.
    """
    if request.start is not None:
        raise InfillError("this works only for a run in which everything is masked at first, and this one is a branch")
    if len(request.gaps) != 1 or any(gap.pins for gap in request.gaps):
        raise InfillError("this works for a single gap without pinned words: fill one with a prefix and a suffix first")
    (prefix, suffix), _ = Layout.of(request, reader).trim(request.length or 0)
    return prefix, suffix


def _with_space(request: InfillRequest, number: int, pin: Pin) -> str:
    """Return pinned words with the space before them that they have inside a text; as typed if `space` is off."""
    words, before = pin.words.strip(" "), request.parts[number]
    if not request.space:
        return pin.words
    opens = pin.place == 1 and not request.spaces[number]
    joins = opens and (before[-1] not in ".,;:!?" and not takes_space(before[-1]) if before else number == 0)
    return words if joins or not takes_space(words) else " " + words


def _spelled(pin: Pin, text: str, reader: Reader, *, gap: int, opens: bool) -> list[int]:
    """Return the tokens of a pin's text; `opens` means that nothing precedes it, so a space may be put before it.

    Raises InfillError if the tokens read otherwise: signs that the tokenizer does not know, or changes.
    """
    tokens = reader.tokenizer.encode(text, opening=opens)
    special = reader.tokenizer.special_ids
    names = ["\ufffd".encode() if token in special else reader.tokenizer.token_bytes(token) for token in tokens]
    read = b"".join(names)
    if special.isdisjoint(tokens) and read in (text.encode(), b" " + text.encode() if opens else b""):
        return tokens
    typed, other = text, read.decode("utf-8", "replace")
    if typed.strip() != other.strip():
        typed, other = typed.strip(), other.strip()
    raise InfillError(
        f"{quoted(str(pin))} in gap {gap} cannot be written as typed: '{reader.name}' reads {quoted(typed)} as "
        f"{quoted(other)}; pin other words"
    )


def _shares(prefix: int, suffix: int, room: int) -> tuple[int, int]:
    """Return the numbers of tokens kept of each side: all if they fit, else half the room each, the rest to the longer.

    An empty prefix still needs the token that begins a text.
    """
    least = max(1, prefix)
    if least + suffix <= room:
        return prefix, suffix
    before = min(least, max(room - room // 2, room - suffix))
    return min(before, prefix), room - before
