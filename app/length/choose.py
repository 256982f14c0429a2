"""How many masks a gap should have: every length is probed, a few are written out and ranked, one is chosen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from app.errors import InfillError
from app.length.fill_scores import PAIRS, by_parent, elbo
from app.length.prior import LengthPrior
from app.length.probe import LONGEST, CanvasOf, Progress, candidates, canvases, masks, probe
from app.length.sentences import surroundings
from app.sampling.canvas import Canvas
from app.sampling.constraints import NothingFitsError
from app.sampling.forwards import judge_of
from app.sampling.layout import Layout
from app.sampling.request import InfillRequest
from app.sampling.step import Step
from app.sampling.template import MAX_LENGTH
from app.trace.length_choice import LengthChoice, Passes
from models.denoiser import Denoiser, Floats, Ids, Judge

TRIES = 3
_APART = 3
"""Lengths that are written out differ by at least this much: the fill of a neighbouring length would say the same."""

WEIGHTS = {"score": 0.0, "elbo": 0.25, "parent": 0.25}
"""Worth of a nat per token of a fill, in nats of the score: enough to decide near-ties, and no more."""

Finish = Callable[[Canvas], Iterator[Step]]
"""From a canvas to the steps that fill it."""


def shortlist(lengths: Ids, score: Floats, tries: int = TRIES) -> Ids:
    """Return the lengths [<= tries] to write out, best first: local maxima of the score, then the best of the rest."""
    padded = np.r_[-np.inf, score, -np.inf]
    peaks = (score >= padded[:-2]) & (score >= padded[2:])
    chosen: list[int] = []
    for place in np.lexsort((-score, ~peaks)).tolist():
        if len(chosen) < tries and all(abs(lengths[place] - other) >= _APART for other in chosen):
            chosen.append(int(lengths[place]))
    return np.array(sorted(chosen, key=lambda length: -score[lengths == length][0]))


@dataclass(frozen=True)
class Trial:
    """What comes next in the choice of all lengths."""

    request: InfillRequest  # with the lengths that the next forward pass tries
    gap: int  # the gap in question, from 0
    passes: Passes  # before it, for all gaps together

    @property
    def notice(self) -> str:
        """What is being tried, in a line that names the gap if there are several."""
        gaps = self.request.gaps
        question = "How many masks?" if len(gaps) == 1 else f"Gap {self.gap + 1}: how many masks?"
        return f"{question} Trying {gaps[self.gap].length}."


@dataclass
class _Fills:
    """The lengths that could be written out, and the forward passes that all of them took."""

    passes: Passes
    lengths: list[int] = field(default_factory=list)
    canvases: list[tuple[Canvas, Ids]] = field(default_factory=list)  # the finished canvas and its gap


def choose_length(
    canvas_of: CanvasOf,
    denoiser: Denoiser,
    prior: LengthPrior,
    finish: Finish,
    lengths: Ids,
    *,
    judge: Judge | None = None,
    tries: int = TRIES,
    gap_of: Callable[[Canvas], Ids] = masks,
    notices: tuple[str, ...] = (),
) -> Generator[Progress, None, LengthChoice]:
    """Probe all lengths [k], write the best few out, rank the fills, and count the forward passes.

    Yields before each forward pass what it tries and what those before it cost; closing it ends the work. With `tries`
    1 nothing is written out and the best score wins. Fills are ranked by `judge`, or else by the denoiser. A length at
    which banned words cannot be avoided is not chosen. Raises InfillError as `probe` does, and NothingFitsError if no
    length that was tried works.
    """
    canvas = canvas_of(int(lengths[0]))
    around = surroundings(canvas, gap_of(canvas), denoiser.tokenizer)
    look = yield from probe(canvas_of, denoiser, lengths, gap_of=gap_of, seam=prior.uses_seam(around))
    score = prior.score(lengths, look.phi, look.seam, around)
    tried = shortlist(lengths, score, tries)
    fills, values, rule = _Fills(Passes(look.rows, look.calls)), np.zeros(len(tried)), "score"
    if len(tried) > 1:
        yield from _write_out(fills, canvas_of, finish, tried, gap_of)
        yield Progress(None, fills.passes)
        tried = np.array(fills.lengths)
        values, rule = _rank(fills, denoiser, judge)
    best = np.argmax(score[np.searchsorted(lengths, tried)] + WEIGHTS[rule] * values)
    return LengthChoice(
        lengths=lengths,
        phi=look.phi,
        bias=prior.bias(lengths),
        score=score,
        tried=tried,
        rerank=values,
        chosen=int(tried[best]),
        rule=rule,
        rows=fills.passes.rows,
        calls=fills.passes.calls,
        notices=notices,
    )


def _write_out(
    fills: _Fills, canvas_of: CanvasOf, finish: Finish, tried: Ids, gap_of: Callable[[Canvas], Ids]
) -> Generator[Progress, None, None]:
    """Fill the gap at each length, yielding the progress before each pass. Raises NothingFitsError if none works."""
    refused = None
    for length in tried.tolist():
        start, last = canvas_of(length), None
        yield Progress(length, fills.passes)
        try:
            for step in finish(start):
                last = step
                yield Progress(length, fills.passes + Passes(step.nfe, step.calls))
        except NothingFitsError as error:
            refused = error
            fills.passes += Passes(error.rows, error.calls)
            continue
        if last is not None:
            fills.passes += Passes(last.nfe, last.calls)
            fills.canvases.append((last.canvas, gap_of(start)))
            fills.lengths.append(length)
    if refused is not None and not fills.canvases:
        raise refused


def _rank(fills: _Fills, denoiser: Denoiser, judge: Judge | None) -> tuple[Floats, str]:
    """Return how good the fills are [t], in nats per token, and by which rule; count the passes of that."""
    found = fills.canvases
    fills.passes += Passes(len(found) if judge else 2 * PAIRS * len(found), 1)
    return (elbo(found, denoiser), "elbo") if judge is None else (by_parent(found, judge), "parent")


def choose_lengths(
    request: InfillRequest,
    layout: Layout,
    denoiser: Denoiser,
    prior: LengthPrior,
    finish: Finish,
    *,
    longest: int = LONGEST,
    notices: tuple[str, ...] = (),
) -> Generator[Trial, None, tuple[InfillRequest, dict[int, LengthChoice]]]:
    """Return the request with a number for every `auto`, and how each was chosen, by gap, from 0.

    Gaps are taken from left to right: those to the left have the length that was chosen, those to the right the length
    of a typical sentence. Candidates have at most `longest` masks, or fewer if the context or MAX_LENGTH leave less
    room. Yields before each forward pass what it tries and what those before it cost; closing it ends the work.
    Raises InfillError if the gaps do not fit the context, the pinned words none of the candidates, or if the judge
    cannot be read.
    """
    lengths = [gap.length for gap in request.gaps]
    layout.trim(request.length or 0)  # raises if the text between the gaps does not fit
    room = max(1, min(MAX_LENGTH, denoiser.context - 1 - layout.between))
    usual = (room - sum(length or 0 for length in lengths)) // max(1, lengths.count(None))  # at most
    usual = max(1, min(usual, round(math.exp(prior.centre))))
    fewest = [layout.fewest_masks(number) for number in range(len(lengths))]
    choices: dict[int, LengthChoice] = {}
    passes = Passes()

    def numbers() -> list[int]:
        return [length or max(usual, least) for length, least in zip(lengths, fewest, strict=True)]

    for number, gap in enumerate(request.gaps):
        if gap.length is not None:
            continue
        trial = numbers()
        most = max(1, min(longest, room - sum(trial) + trial[number]))
        if most < fewest[number]:
            raise InfillError(
                f"the words pinned in gap {number + 1} need {fewest[number]} tokens or more, but at most {most} can be "
                "chosen: write a number instead of 'auto', or move the words to the left"
            )
        shown, trial[number] = min(trial[number], most), most
        canvas_of, cut = canvases(layout, denoiser, trial, gap=number)
        work = choose_length(
            canvas_of,
            denoiser,
            prior,
            finish,
            candidates(denoiser, most)[fewest[number] - 1 :],
            judge=judge_of(denoiser),
            gap_of=_gap_of(number),
            notices=notices + cut,
        )
        choices[number] = yield from _timed(work, Trial(_with(request, trial, number, shown), number, passes))
        passes += choices[number].passes
        lengths[number] = choices[number].chosen
    return request.with_lengths(numbers()), choices


def _gap_of(number: int) -> Callable[[Canvas], Ids]:
    """Return a function from a canvas to the masks of one of its gaps."""
    return lambda canvas: canvas.masks[np.isin(canvas.masks, canvas.gaps[number])]


def _with(request: InfillRequest, lengths: Sequence[int], gap: int, length: int) -> InfillRequest:
    """Return the request with these lengths, but another for one gap."""
    return request.with_lengths([*lengths[:gap], length, *lengths[gap + 1 :]])


def _timed(work: Generator[Progress, None, LengthChoice], first: Trial) -> Generator[Trial, None, LengthChoice]:
    """Yield the trials of one gap's choice, measuring the time that it takes.

    `first` holds the passes before the choice, and the lengths to show while a pass covers all lengths.
    """
    seconds = 0.0
    lengths = [gap.length or 0 for gap in first.request.gaps]
    while True:
        began = time.perf_counter()
        try:
            progress = next(work)
        except StopIteration as stop:
            return replace(stop.value, seconds=round(seconds + time.perf_counter() - began, 6))
        seconds += time.perf_counter() - began
        request = first.request
        if progress.length is not None:
            request = _with(request, lengths, first.gap, progress.length)
        yield Trial(request, first.gap, first.passes + progress.passes + Passes(seconds=seconds))
