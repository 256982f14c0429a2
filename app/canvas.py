"""The sequence in mid-denoising: token ids, which positions are editable, which are still masked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from app.errors import InfillError
from app.request import InfillRequest
from models.denoiser import Bools, Denoiser, Ids, Reader


@dataclass(frozen=True, eq=False, kw_only=True)
class Canvas:
    """`masked` is a boolean of its own, never `ids == mask_id`: in real checkpoints the mask id is an ordinary word."""

    ids: Ids  # [length]
    editable: Bools  # [length] the span
    masked: Bools  # [length] the part of the span that is not known yet
    mask_id: int

    def __post_init__(self) -> None:
        assert not (self.masked & ~self.editable).any(), "a given token was masked"
        assert (self.ids[self.masked] == self.mask_id).all(), "a masked position does not hold the mask token"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def span(self) -> Ids:
        """[n] the editable positions."""
        return np.flatnonzero(self.editable)

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

    Raises InfillError if the span alone does not fit the model's context.
    """
    prefix, suffix, notices = sides(request, denoiser)
    mask_id = denoiser.tokenizer.mask_id
    ids = np.array([*prefix, *[mask_id] * request.length, *suffix], dtype=np.int64)
    span = np.zeros(len(ids), dtype=np.bool_)
    span[len(prefix) : len(prefix) + request.length] = True
    return Canvas(ids=ids, editable=span, masked=span.copy(), mask_id=mask_id), notices


def sides(request: InfillRequest, reader: Reader) -> tuple[list[int], list[int], tuple[str, ...]]:
    """Token ids before and after the span as far as the model's context goes, and notices; see `lay_out`.

    Something always stands before the span. Raises InfillError as `lay_out` does.
    """
    prefix = reader.tokenizer.encode(request.stripped_prefix, opening=True)
    suffix = reader.tokenizer.encode(request.joined_suffix)
    room = reader.context - request.length
    if room < 1:
        raise InfillError(
            f"{request.length} masks do not fit: the model '{reader.name}' reads {reader.context} tokens, and one"
            f" must stand before them; ask for {reader.context - 1} or fewer"
        )
    before, after = _shares(len(prefix), len(suffix), room)
    notices = tuple(
        f"The text is longer than the {reader.context} tokens that '{reader.name}' reads: the {which} {cut} tokens"
        f" of the {side} were left out."
        for which, cut, side in (
            ("first", len(prefix) - before, "prefix"),
            ("last", len(suffix) - after, "suffix"),
        )
        if cut > 0
    )
    return prefix[len(prefix) - before :] or list(reader.tokenizer.begin), suffix[:after], notices


def _shares(prefix: int, suffix: int, room: int) -> tuple[int, int]:
    """How many tokens of each side are kept: all if they fit, else half the room each, the rest to the longer one."""
    least = max(1, prefix)  # an empty prefix still needs the token that begins a text
    if least + suffix <= room:
        return prefix, suffix
    before = min(least, max(room - room // 2, room - suffix))
    return min(before, prefix), room - before
