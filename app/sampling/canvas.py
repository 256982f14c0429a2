"""The sequence during denoising: token ids, the editable positions, the positions still masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from models.denoiser import Bools, Floats, Ids


@dataclass(frozen=True, eq=False, kw_only=True)
class Canvas:
    """An immutable sequence with gaps. Given text, and what is pinned or locked inside gaps, never change.

    `masked` is stored on its own and is never `ids == mask_id`: in real checkpoints the mask id is an ordinary word.
    """

    ids: Ids  # [length]
    editable: Bools  # [length] the span: all gaps without the pinned and locked tokens
    masked: Bools  # [length] the part of the span that is not written yet
    mask_id: int
    gaps: tuple[range, ...] = ()  # positions of each gap; by default, each run of editable positions is a gap
    inherited: Floats = field(default_factory=lambda: np.empty(0))  # [length] confidence at which a position of the
    # span was committed before the run; 0 where none was. By default 0 everywhere

    def __post_init__(self) -> None:
        if not self.gaps:
            edges = np.flatnonzero(np.diff(self.editable, prepend=False, append=False)).tolist()
            object.__setattr__(self, "gaps", tuple(map(range, edges[::2], edges[1::2])))
        if not len(self.inherited):
            object.__setattr__(self, "inherited", np.zeros(len(self)))
        assert not (self.masked & ~self.editable).any(), "a given token was masked"
        assert (self.ids[self.masked] == self.mask_id).all(), "a masked position does not hold the mask token"

    @classmethod
    def of(cls, given: Sequence[Sequence[int] | Ids], gaps: Sequence[Sequence[int | None]], mask_id: int) -> Canvas:
        """Build a starting canvas from given ids [gaps + 1] and the slots of each gap: a token that stays, or None."""
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
        """[n] the positions of all gaps, including given ones: the places that are shown, recorded and numbered."""
        return np.array([position for gap in self.gaps for position in gap], dtype=np.int64)

    @property
    def pinned(self) -> Bools:
        """[n] whether each slot is given: pinned by the text, or locked by the start."""
        return ~self.editable[self.slots]

    def places(self, positions: Ids) -> list[int]:
        """Return the slot numbers of positions, from 0."""
        return np.searchsorted(self.slots, positions).tolist()

    @property
    def masks(self) -> Ids:
        """[m] the masked positions."""
        return np.flatnonzero(self.masked)

    @property
    def from_edges(self) -> tuple[Ids, Ids]:
        """[length] twice: the number of positions to the left and right within a stretch of the span; 0 outside it."""
        left, right = np.zeros(len(self), dtype=np.int64), np.zeros(len(self), dtype=np.int64)
        for stretch in np.split(self.span, np.flatnonzero(np.diff(self.span) > 1) + 1):
            left[stretch] = np.arange(len(stretch))
            right[stretch] = np.arange(len(stretch))[::-1]
        return left, right

    def commit(self, positions: Ids, tokens: Ids) -> Canvas:
        """Return the canvas with tokens written at masked positions."""
        assert self.masked[positions].all(), "a position was committed that is not masked"
        ids, masked = self.ids.copy(), self.masked.copy()
        ids[positions], masked[positions] = tokens, False
        return replace(self, ids=ids, masked=masked)

    def inherit(self, positions: Ids, tokens: Ids, confidence: Floats) -> Canvas:
        """Return the canvas with tokens that were committed before the run, and may be taken back."""
        inherited = self.inherited.copy()
        inherited[positions] = confidence
        return replace(self.commit(positions, tokens), inherited=inherited)

    def remask(self, positions: Ids) -> Canvas:
        """Return the canvas with committed positions masked again."""
        assert (self.editable & ~self.masked)[positions].all(), "only committed positions can be remasked"
        ids, masked = self.ids.copy(), self.masked.copy()
        ids[positions], masked[positions] = self.mask_id, True
        return replace(self, ids=ids, masked=masked)
