"""The sequence in mid-denoising: token ids, which positions are editable, which are still masked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.errors import InfillError
from app.sampling.request import InfillRequest
from app.sampling.template import Pin
from models.denoiser import Bools, Denoiser, Ids, Reader


@dataclass(frozen=True, eq=False, kw_only=True)
class Canvas:
    """`masked` is a boolean of its own, never `ids == mask_id`: in real checkpoints the mask id is an ordinary word.

    Between gaps stands given text, and in a gap there may be pinned words, which are given as well.
    """

    ids: Ids  # [length]
    editable: Bools  # [length] the span: all gaps without what is pinned in them
    masked: Bools  # [length] the part of the span that is not known yet
    mask_id: int
    gaps: tuple[range, ...] = ()  # where the gaps lie; by default each run of editable positions is one

    def __post_init__(self) -> None:
        if not self.gaps:
            edges = np.flatnonzero(np.diff(self.editable, prepend=False, append=False)).tolist()
            object.__setattr__(self, "gaps", tuple(map(range, edges[::2], edges[1::2])))
        assert not (self.masked & ~self.editable).any(), "a given token was masked"
        assert (self.ids[self.masked] == self.mask_id).all(), "a masked position does not hold the mask token"

    @classmethod
    def of(cls, given: Sequence[Sequence[int] | Ids], gaps: Sequence[Sequence[int | None]], mask_id: int) -> Canvas:
        """A start: given ids [gaps + 1], and for each gap its pinned tokens, None where one is to be filled in."""
        ids, places = [*given[0]], []
        for gap, part in zip(gaps, given[1:], strict=True):
            places.append(range(len(ids), len(ids) + len(gap)))
            ids += [*gap, *part]
        open_ = np.array([token is None for token in ids], dtype=np.bool_)
        whole = np.array([mask_id if token is None else token for token in ids], dtype=np.int64)
        return cls(ids=whole, editable=open_, masked=open_.copy(), mask_id=mask_id, gaps=tuple(places))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def span(self) -> Ids:
        """[n] the editable positions."""
        return np.flatnonzero(self.editable)

    @property
    def given(self) -> list[Ids]:
        """[gaps + 1] the token ids before, between and after the gaps."""
        edges = [0, *(edge for gap in self.gaps for edge in (gap.start, gap.stop)), len(self)]
        return [self.ids[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]

    @property
    def slots(self) -> Ids:
        """[n] the positions of all gaps, pinned ones included: what is shown, recorded and counted from 1 or 0."""
        return np.array([position for gap in self.gaps for position in gap], dtype=np.int64)

    @property
    def pinned(self) -> Bools:
        """[n] which slots are given."""
        return ~self.editable[self.slots]

    def places(self, positions: Ids) -> list[int]:
        """Which slots some positions are, from 0."""
        return np.searchsorted(self.slots, positions).tolist()

    @property
    def masks(self) -> Ids:
        """[m] the masked positions."""
        return np.flatnonzero(self.masked)

    @property
    def from_edges(self) -> tuple[Ids, Ids]:
        """[length] twice: how many positions of its stretch of the span are left and right of each; 0 outside."""
        left, right = np.zeros(len(self), dtype=np.int64), np.zeros(len(self), dtype=np.int64)
        for stretch in np.split(self.span, np.flatnonzero(np.diff(self.span) > 1) + 1):
            left[stretch] = np.arange(len(stretch))
            right[stretch] = np.arange(len(stretch))[::-1]
        return left, right

    def commit(self, positions: Ids, tokens: Ids) -> Canvas:
        """Fix tokens at masked positions."""
        assert self.masked[positions].all(), "a position was committed that is not masked"
        ids, masked = self.ids.copy(), self.masked.copy()
        ids[positions], masked[positions] = tokens, False
        return replace(self, ids=ids, masked=masked)

    def remask(self, positions: Ids) -> Canvas:
        """Take committed tokens back."""
        assert (self.editable & ~self.masked)[positions].all(), "only committed positions can be remasked"
        ids, masked = self.ids.copy(), self.masked.copy()
        ids[positions], masked[positions] = self.mask_id, True
        return replace(self, ids=ids, masked=masked)


def lay_out(request: InfillRequest, denoiser: Denoiser) -> tuple[Canvas, tuple[str, ...]]:
    """The starting canvas, and what the user should know about it (what did not fit and was left out).

    Raises InfillError if the gaps and what stands between them do not fit the model's context, or a pin its gap.
    """
    parts, notices = given_ids(request, denoiser)
    gaps = []
    for number, gap in enumerate(request.gaps):
        assert gap.length is not None, "the lengths were not settled before laying out"
        pinned = _pinned(request, number, denoiser)
        gaps.append([pinned.get(place) for place in range(gap.length)])
    return Canvas.of(parts, gaps, denoiser.tokenizer.mask_id), notices


def given_ids(request: InfillRequest, reader: Reader) -> tuple[list[list[int]], tuple[str, ...]]:
    """[gaps + 1] token ids of the given parts as far as the model's context goes, and notices; see `lay_out`.

    Something always stands before the first gap. Raises InfillError as `lay_out` does.
    """
    encode = reader.tokenizer.encode
    prefix, *middle, suffix = [encode(part, opening=not place) for place, part in enumerate(request.parts)]
    between, masks = sum(map(len, middle)), request.length or 0
    room = reader.context - masks - between
    if room < 1:
        text = f" and {between} tokens between them" if between else ""
        raise InfillError(
            f"{masks} masks{text} do not fit: the model '{reader.name}' reads {reader.context} tokens, and one"
            f" must stand before them; ask for {reader.context - 1 - between} or fewer"
            if reader.context - 1 > between
            else f"the text between the gaps has {between} tokens, and the model '{reader.name}' reads"
            f" {reader.context} in all; shorten it, or fill the gaps one by one"
        )
    before, after = _shares(len(prefix), len(suffix), room)
    names = ("prefix", "suffix") if not request.text else ("text before the gaps", "text after the gaps")
    notices = tuple(
        f"The text is longer than the {reader.context} tokens that '{reader.name}' reads: the {which} {cut} tokens"
        f" of the {side} were left out."
        for which, cut, side in (
            ("first", len(prefix) - before, names[0]),
            ("last", len(suffix) - after, names[1]),
        )
        if cut > 0
    )
    kept = prefix[len(prefix) - before :] or list(reader.tokenizer.begin)
    return [kept, *middle, suffix[:after]], notices


def sides(request: InfillRequest, reader: Reader) -> tuple[list[int], list[int], tuple[str, ...]]:
    """Token ids before and after the only gap, and notices. Raises InfillError for several gaps and pinned words."""
    if len(request.gaps) != 1 or any(gap.pins for gap in request.gaps):
        raise InfillError("this works for a single gap without pinned words: fill one with a prefix and a suffix first")
    (prefix, suffix), notices = given_ids(request, reader)
    return prefix, suffix, notices


def _pinned(request: InfillRequest, number: int, reader: Reader) -> dict[int, int]:
    """The pinned tokens of a gap by their place in it, from 0. Raises InfillError: what cannot be met, and why."""
    gap, found, names = request.gaps[number], {}, {}
    for pin, tokens in _pin_tokens(request, number, reader):
        problem, last = f"'{pin}' in gap {number + 1} cannot be met: it takes", pin.place - 1 + len(tokens)
        if last > (gap.length or 0):
            raise InfillError(
                f"{problem} the positions {pin.place} to {last}, and the gap has {gap.length}; lengthen it"
            )
        for place, token in enumerate(tokens, start=pin.place - 1):
            if place in found:
                raise InfillError(f"{problem} position {place + 1}, where '{names[place]}' stands; move one of them")
            found[place], names[place] = token, pin.words.strip()
    if len(found) == gap.length:
        raise InfillError(f"the words pinned in gap {number + 1} leave nothing to write there; make the gap longer")
    return found


def _pin_tokens(request: InfillRequest, number: int, reader: Reader) -> Iterator[tuple[Pin, list[int]]]:
    """The words pinned in a gap, from the left, and their tokens."""
    for pin in sorted(request.gaps[number].pins, key=lambda pin: pin.place):
        opens = pin.place == 1 and number == 0 and not request.parts[0]
        yield pin, reader.tokenizer.encode(_as_it_stands(request, number, pin), opening=opens)


def fewest_masks(request: InfillRequest, number: int, reader: Reader) -> int:
    """How many tokens a gap must have for its pinned words and one more; 1 where there are none."""
    pinned = {pin.place + at for pin, tokens in _pin_tokens(request, number, reader) for at in range(len(tokens))}
    return max(pinned | {len(pinned) + 1})


def _as_it_stands(request: InfillRequest, number: int, pin: Pin) -> str:
    """Pinned words with the space before them that they have inside a text; as typed where `space` is off."""
    words, before = pin.words.strip(" "), request.parts[number]
    if not request.space:
        return pin.words
    opens = pin.place == 1 and not request.spaces[number]
    joins = opens and (before[-1] not in ".,;:!?" and not before[-1].isalnum() if before else number == 0)
    return words if joins or not words[:1].isalnum() else " " + words


def _shares(prefix: int, suffix: int, room: int) -> tuple[int, int]:
    """How many tokens of each side are kept: all if they fit, else half the room each, the rest to the longer one."""
    least = max(1, prefix)  # an empty prefix still needs the token that begins a text
    if least + suffix <= room:
        return prefix, suffix
    before = min(least, max(room - room // 2, room - suffix))
    return min(before, prefix), room - before
