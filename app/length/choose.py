"""How many masks a gap should have: every length is looked at once, a few are written out, one is chosen."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from app.errors import InfillError
from app.length.fill_scores import PAIRS, by_parent, elbo
from app.length.prior import LengthFit
from app.length.sentences import surroundings
from app.sampler import denoise
from app.sampling.canvas import Canvas, lay_out
from app.sampling.constraints import NothingFitsError
from app.sampling.request import InfillRequest
from app.sampling.step import Step
from app.trace.length_choice import LengthChoice
from models.denoiser import Denoiser, Floats, Ids, Query

if TYPE_CHECKING:  # it imports torch
    from models.networks.autoregressive import AutoregressiveModel

LONGEST = 32
"""Masks; every length up to this is a candidate unless told."""
TRIES = 3
_TOKENS = 2048
"""About how many tokens go into one forward pass of the probe: a 7B model on a CPU takes minutes for more."""
_APART = 3
"""Lengths that are written out differ by this much: a neighbour's fill would say the same."""

WEIGHTS = {"score": 0.0, "elbo": 0.25, "parent": 0.25}
"""What a nat a token of a fill's rank is worth against the nats of the score: it settles near-ties, and no more."""

CanvasOf = Callable[[int], Canvas]
"""A number of masks to the canvas with so many in the gap."""
Finish = Callable[[Canvas], Iterator[Step]]
"""A canvas to the steps that fill it."""
T = TypeVar("T")


def outcome(work: Generator[object, None, T]) -> T:
    """What a generator returns, where nobody has a use for what it yields."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def masks(canvas: Canvas) -> Ids:
    """The gap of a canvas that has no other."""
    return canvas.masks


@dataclass(frozen=True, eq=False, kw_only=True)
class Probe:
    """What one look at every length tells."""

    phi: Floats  # [k] mean over the gap's positions of the largest probability
    seam: Floats  # [k] log p(the token after the gap | all but that), in nats; 0 where the gap ends the text
    rows: int
    calls: int


def candidates(denoiser: Denoiser, longest: int = LONGEST) -> Ids:
    """[longest] the lengths 1, 2, … Raises InfillError where the model's context has no room for so many masks."""
    if not 1 <= longest < denoiser.context:
        raise InfillError(
            f"the longest gap to consider must be 1 to {denoiser.context - 1} masks, not {longest}: the model "
            f"'{denoiser.name}' reads {denoiser.context} tokens, and one must stand before them"
        )
    return np.arange(1, longest + 1)


def canvases(
    request: InfillRequest, denoiser: Denoiser, longest: int = LONGEST, *, gap: int = 0
) -> tuple[CanvasOf, tuple[str, ...]]:
    """The request's canvas with any number of tokens up to `longest` in one of its gaps, and notices.

    What of the text fits beside the longest gap is what all see: else lengths would be judged by different texts. The
    lengths of the other gaps must be settled. Raises InfillError as `candidates` does.
    """
    candidates(denoiser, longest)
    lengths = [longest if number == gap else other.length or 0 for number, other in enumerate(request.gaps)]
    start, notices = lay_out(request.with_lengths(lengths), denoiser)
    place = start.gaps[gap]

    def canvas_of(length: int) -> Canvas:
        shorter = longest - length
        kept = np.r_[0 : place.start + length, place.stop : len(start)]
        moved = tuple(range(g.start - shorter, g.stop - shorter) for g in start.gaps[gap + 1 :])
        gaps = (*start.gaps[:gap], range(place.start, place.stop - shorter), *moved)
        return replace(start, ids=start.ids[kept], editable=start.editable[kept], masked=start.masked[kept], gaps=gaps)

    return canvas_of, notices


def probe(
    canvas_of: CanvasOf, denoiser: Denoiser, lengths: Ids, *, gap_of: Callable[[Canvas], Ids] = masks, seam: bool = True
) -> Generator[None, None, Probe]:
    """Phi of CAL (arXiv:2602.00476) at all lengths [k] at once, and the seam, from rows of the same batch.

    Yields before each forward pass, of which there are several where the texts are long.

    `gap_of` says which of a canvas's masks are the gap; all, unless it has others. For the seam the token after the
    gap is masked, too: at a wrong length it is less probable there. Without `seam` that is 0, and half the rows are
    saved. Raises InfillError where a canvas is longer than the context.
    """
    special = tuple(sorted(denoiser.tokenizer.special_ids))
    shown = [(canvas, gap_of(canvas)) for canvas in map(canvas_of, lengths.tolist())]
    too_long = max(len(canvas) for canvas, _ in shown)
    if too_long > denoiser.context:
        raise InfillError(f"a text of {too_long} tokens does not fit: '{denoiser.name}' reads {denoiser.context}")
    queries = [
        Query(ids=canvas.ids, positions=gap, uniforms=np.zeros(len(gap)), banned=special) for canvas, gap in shown
    ]
    behind = [row for row, (canvas, gap) in enumerate(shown) if seam and _is_given(canvas, int(gap[-1]) + 1)]
    queries += [_without(canvas, int(gap[-1]) + 1) for canvas, gap in (shown[row] for row in behind)]
    predictions, calls = [], 0
    for part in _batches(queries):
        yield
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


def _without(canvas: Canvas, position: int) -> Query:
    """How probable the token at a position is if it is not seen."""
    ids = canvas.ids.copy()
    ids[position] = canvas.mask_id
    at = np.array([position])
    return Query(ids=ids, positions=at, uniforms=np.zeros(1), targets=canvas.ids[at])


def _batches(queries: Sequence[Query]) -> Iterator[Sequence[Query]]:
    most = max(1, _TOKENS // max(len(query.ids) for query in queries))
    for start in range(0, len(queries), most):
        yield queries[start : start + most]


def shortlist(lengths: Ids, score: Floats, tries: int = TRIES) -> Ids:
    """[<= tries] lengths to write out, best first: local maxima of the score, then the best of the rest, all apart."""
    padded = np.r_[-np.inf, score, -np.inf]
    peaks = (score >= padded[:-2]) & (score >= padded[2:])
    chosen: list[int] = []
    for place in np.lexsort((-score, ~peaks)).tolist():
        if len(chosen) < tries and all(abs(lengths[place] - other) >= _APART for other in chosen):
            chosen.append(int(lengths[place]))
    return np.array(sorted(chosen, key=lambda length: -score[lengths == length][0]))


def finisher(request: InfillRequest, denoiser: Denoiser) -> Finish:
    """Write a canvas out as the request would be."""
    return lambda canvas: denoise(canvas, denoiser, request)


def choose(
    canvas_of: CanvasOf,
    denoiser: Denoiser,
    fit: LengthFit,
    finish: Finish,
    lengths: Ids,
    *,
    parent: AutoregressiveModel | None = None,
    tries: int = TRIES,
    gap_of: Callable[[Canvas], Ids] = masks,
    notices: tuple[str, ...] = (),
) -> Generator[int | None, None, LengthChoice]:
    """Look at all lengths [k], write the best few out, rank those, and keep account of the forward passes.

    Yields before each forward pass: the length that it is about, None where it is about many; closing it ends the work.
    With `tries` 1 nothing is written out: the best score wins. Fills are ranked by `parent`, or else by the denoiser.
    A length at which banned words cannot be kept out is not chosen. Raises InfillError as `probe` does, and
    NothingFitsError where that is so at all that were tried.
    """
    canvas = canvas_of(int(lengths[0]))
    around = surroundings(canvas, gap_of(canvas), denoiser.tokenizer)
    look = yield from probe(canvas_of, denoiser, lengths, gap_of=gap_of, seam=fit.uses_seam(around))
    score = fit.score(lengths, look.phi, look.seam, around)
    tried = shortlist(lengths, score, tries)
    rows, calls, values, rule = look.rows, look.calls, np.zeros(len(tried)), "score"
    if len(tried) > 1:
        fills, written, refused = [], [], None
        for length in tried.tolist():
            start, last = canvas_of(length), None
            yield length
            try:
                for step in finish(start):
                    last = step
                    yield length
            except NothingFitsError as error:
                refused = error
                rows, calls = rows + error.rows, calls + error.calls
                continue
            if last is not None:
                rows, calls = rows + last.nfe, calls + last.calls
                fills.append((last.canvas, gap_of(start)))
                written.append(length)
        if refused is not None and not fills:
            raise refused
        yield None
        tried = np.array(written)
        values, rule = (elbo(fills, denoiser), "elbo") if parent is None else (by_parent(fills, parent), "parent")
        rows, calls = rows + (len(fills) if parent else 2 * PAIRS * len(fills)), calls + 1
    best = np.argmax(score[np.searchsorted(lengths, tried)] + WEIGHTS[rule] * values)
    return LengthChoice(
        lengths=lengths,
        phi=look.phi,
        bias=fit.bias(lengths),
        score=score,
        tried=tried,
        rerank=values,
        chosen=int(tried[best]),
        rule=rule,
        rows=rows,
        calls=calls,
        notices=notices,
    )
