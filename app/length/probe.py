"""One look at every length of a gap: how sure the model is of each, from a few batched forward passes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from app.errors import InfillError
from app.sampling.canvas import Canvas
from app.sampling.layout import Layout
from app.trace.length_choice import Passes
from models.denoiser import Denoiser, Floats, Ids, Query, Sampling

LONGEST = 32
"""Every length up to this number of masks is a candidate by default."""
_TOKENS = 2048
"""Approximate number of tokens in one forward pass of the probe: a 7B model on a CPU takes minutes for more."""

CanvasOf = Callable[[int], Canvas]
"""From a number of masks to the canvas with that number of masks in the gap."""
T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """What comes next in the choice of one length."""

    length: int | None  # of the next forward pass; None if it covers many lengths
    passes: Passes  # before it


@dataclass(frozen=True, eq=False, kw_only=True)
class Probe:
    """The result of one look at every length."""

    phi: Floats  # [k] mean over the gap's positions of the largest probability
    seam: Floats  # [k] log p(the token after the gap | everything else), in nats; 0 if the gap ends the text
    rows: int
    calls: int


def outcome(work: Generator[object, None, T]) -> T:
    """Run a generator to its end and return its value."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def masks(canvas: Canvas) -> Ids:
    """Return the masked positions of a canvas: its gap, if it has only one."""
    return canvas.masks


def candidates(denoiser: Denoiser, longest: int = LONGEST) -> Ids:
    """Return the lengths [longest] 1, 2, … Raises InfillError if that number of masks does not fit the context."""
    if not 1 <= longest < denoiser.context:
        raise InfillError(
            f"the longest gap to consider must be 1 to {denoiser.context - 1} masks, not {longest}: the model "
            f"'{denoiser.name}' reads {denoiser.context} tokens, and one must precede the gap"
        )
    return np.arange(1, longest + 1)


def canvases(
    layout: Layout, denoiser: Denoiser, lengths: Sequence[int], *, gap: int = 0
) -> tuple[CanvasOf, tuple[str, ...]]:
    """Return a function that makes the canvas with any length of one gap, up to its entry in `lengths`, and notices.

    `lengths` [gaps] are those of all gaps. Every canvas shows the text that fits beside the longest gap: otherwise
    lengths would be judged by different texts. Raises InfillError if the longest one does not fit the context.
    """
    longest = lengths[gap]
    candidates(denoiser, longest)
    start, notices = layout.canvas(lengths, denoiser.tokenizer.mask_id)
    place = start.gaps[gap]

    def canvas_of(length: int) -> Canvas:
        shorter = longest - length
        kept = np.r_[0 : place.start + length, place.stop : len(start)]
        moved = tuple(range(g.start - shorter, g.stop - shorter) for g in start.gaps[gap + 1 :])
        gaps = (*start.gaps[:gap], range(place.start, place.stop - shorter), *moved)
        series = {name: getattr(start, name)[kept] for name in ("ids", "editable", "masked", "inherited")}
        return replace(start, **series, gaps=gaps)

    return canvas_of, notices


def probe(
    canvas_of: CanvasOf, denoiser: Denoiser, lengths: Ids, *, gap_of: Callable[[Canvas], Ids] = masks, seam: bool = True
) -> Generator[Progress, None, Probe]:
    """Compute phi of CAL (arXiv:2602.00476) and the seam at all lengths [k], from rows of the same batches.

    Yields before each forward pass what those before it cost; long texts need several. `gap_of` returns the masks of a
    canvas that belong to the gap, by default all. For the seam the token after the gap is masked as well: at a wrong
    length it is less probable. Without `seam` it is 0 and half the rows are saved. Raises InfillError if a canvas is
    longer than the context.
    """
    sampling = Sampling(banned=tuple(sorted(denoiser.tokenizer.special_ids)))
    shown = [(canvas, gap_of(canvas)) for canvas in map(canvas_of, lengths.tolist())]
    too_long = max(len(canvas) for canvas, _ in shown)
    if too_long > denoiser.context:
        raise InfillError(f"a text of {too_long} tokens does not fit: '{denoiser.name}' reads {denoiser.context}")
    queries = [
        Query(ids=canvas.ids, positions=gap, uniforms=np.zeros(len(gap)), sampling=sampling) for canvas, gap in shown
    ]
    behind = [row for row, (canvas, gap) in enumerate(shown) if seam and _is_given(canvas, int(gap[-1]) + 1)]
    queries += [_hide(canvas, int(gap[-1]) + 1) for canvas, gap in (shown[row] for row in behind)]
    predictions, calls = [], 0
    for part in _batches(queries):
        yield Progress(None, Passes(sum(found.forwards for found in predictions), calls))
        predictions += denoiser.predict(part)
        calls += 1
    phi = [found.confidence[gap].mean() for (_, gap), found in zip(shown, predictions, strict=False)]
    seams = np.zeros(len(lengths))
    for row, found in zip(behind, predictions[len(shown) :], strict=True):
        assert found.log_targets is not None
        seams[row] = found.log_targets.sum()
    return Probe(phi=np.array(phi), seam=seams, rows=sum(found.forwards for found in predictions), calls=calls)


def _is_given(canvas: Canvas, position: int) -> bool:
    return position < len(canvas) and not canvas.masked[position]


def _hide(canvas: Canvas, position: int) -> Query:
    """Return the query for the probability of the token at a position that the model does not see."""
    ids = canvas.ids.copy()
    ids[position] = canvas.mask_id
    at = np.array([position])
    return Query(ids=ids, positions=at, uniforms=np.zeros(1), targets=canvas.ids[at])


def _batches(queries: Sequence[Query]) -> Iterator[Sequence[Query]]:
    most = max(1, _TOKENS // max(len(query.ids) for query in queries))
    for start in range(0, len(queries), most):
        yield queries[start : start + most]
