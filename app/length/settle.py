"""The lengths that a request leaves open, settled one gap after the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from app.canvas import Canvas
from app.length.choice import LengthChoice
from app.length.choose import LONGEST, candidates, canvases, choose, finisher
from app.length.fit import LengthFit
from app.request import InfillRequest
from app.template import MAX_LENGTH
from models.denoiser import Denoiser, Ids

if TYPE_CHECKING:  # it imports torch
    from models.autoregressive import AutoregressiveModel


def settle(
    request: InfillRequest,
    denoiser: Denoiser,
    fit: LengthFit,
    *,
    parent: AutoregressiveModel | None = None,
    longest: int = LONGEST,
    notices: tuple[str, ...] = (),
) -> tuple[InfillRequest, dict[int, LengthChoice]]:
    """The request with a number for every `auto`, and how each was chosen, by gap, from 0.

    From left to right: a gap is looked at with those before it as they were settled, and those after it as long as a
    sentence usually is. Candidates are `longest` masks at most, and as many fewer as the context or MAX_LENGTH leaves.
    Raises InfillError where the gaps do not fit the context.
    """
    lengths = [gap.length for gap in request.gaps]
    room = min(MAX_LENGTH, denoiser.context - 1)
    usual = (room - sum(length or 0 for length in lengths)) // max(1, lengths.count(None))  # at most
    usual = max(1, min(usual, round(math.exp(fit.centre))))
    choices: dict[int, LengthChoice] = {}
    for number, gap in enumerate(request.gaps):
        if gap.length is not None:
            continue
        open_ = [length or usual for length in lengths]
        others = sum(open_) - open_[number]
        open_[number] = most = max(1, min(longest, room - others))
        canvas_of, cut = canvases(request.with_lengths(open_), denoiser, most, gap=number)
        least = 1 + max((_end(canvas_of(most), number)), default=0)

        def masks(canvas: Canvas, number: int = number) -> Ids:
            place = canvas.gaps[number]
            return canvas.masks[np.isin(canvas.masks, place)]

        choices[number] = choose(
            canvas_of,
            denoiser,
            fit,
            finisher(request, denoiser),
            candidates(denoiser, most)[least - 1 :],
            parent=parent,
            gap_of=masks,
            notices=notices + cut,
        )
        lengths[number] = choices[number].chosen
    return request.with_lengths([length or usual for length in lengths]), choices


def _end(canvas: Canvas, number: int) -> Ids:
    """How many tokens a gap has up to each of its pinned ones."""
    place = canvas.gaps[number]
    return np.flatnonzero(~canvas.editable[place.start : place.stop]) + 1
