"""The lengths that a request leaves open, settled one gap after the other."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from app.errors import InfillError
from app.length.choose import LONGEST, candidates, canvases, choose, finisher
from app.length.prior import LengthFit
from app.sampling.canvas import Canvas, fewest_masks, given_ids
from app.sampling.request import InfillRequest
from app.sampling.template import MAX_LENGTH
from app.trace.length_choice import LengthChoice
from models.denoiser import Denoiser, Ids

if TYPE_CHECKING:  # it imports torch
    from models.networks.autoregressive import AutoregressiveModel

T = TypeVar("T")


def settle(
    request: InfillRequest,
    denoiser: Denoiser,
    fit: LengthFit,
    *,
    parent: AutoregressiveModel | None = None,
    longest: int = LONGEST,
    notices: tuple[str, ...] = (),
) -> Generator[InfillRequest, None, tuple[InfillRequest, dict[int, LengthChoice]]]:
    """The request with a number for every `auto`, and how each was chosen, by gap, from 0.

    From left to right: a gap is looked at with those before it as they were settled, and those after it as long as a
    sentence usually is. Candidates are `longest` masks at most, and as many fewer as the context or MAX_LENGTH leaves.
    Yields before each forward pass the request with the numbers that it is about; closing it ends the work.
    Raises InfillError where the gaps do not fit the context, or pinned words none of the candidates.
    """
    lengths = [gap.length for gap in request.gaps]
    (_, *between, _), _ = given_ids(request, denoiser)
    room = max(1, min(MAX_LENGTH, denoiser.context - 1 - sum(map(len, between))))
    usual = (room - sum(length or 0 for length in lengths)) // max(1, lengths.count(None))  # at most
    usual = max(1, min(usual, round(math.exp(fit.centre))))
    fewest = [fewest_masks(request, number, denoiser) for number in range(len(lengths))]
    choices: dict[int, LengthChoice] = {}

    def numbers() -> list[int]:
        return [length or max(usual, least) for length, least in zip(lengths, fewest, strict=True)]

    for number, gap in enumerate(request.gaps):
        if gap.length is not None:
            continue
        open_ = numbers()
        most = max(1, min(longest, room - sum(open_) + open_[number]))
        if most < fewest[number]:
            raise InfillError(
                f"the words pinned in gap {number + 1} need {fewest[number]} tokens or more, and of {most} at most the "
                "length can be chosen: write a number instead of 'auto', or move them to the left"
            )
        usually, open_[number] = open_[number], most
        canvas_of, cut = canvases(request.with_lengths(open_), denoiser, most, gap=number)

        def masks(canvas: Canvas, number: int = number) -> Ids:
            place = canvas.gaps[number]
            return canvas.masks[np.isin(canvas.masks, place)]

        work = choose(
            canvas_of,
            denoiser,
            fit,
            finisher(request, denoiser),
            candidates(denoiser, most)[fewest[number] - 1 :],
            parent=parent,
            gap_of=masks,
            notices=notices + cut,
        )
        choices[number] = yield from _about(work, request, open_, number, min(usually, most))
        lengths[number] = choices[number].chosen
    return request.with_lengths(numbers()), choices


def _about(
    work: Generator[int | None, None, T], request: InfillRequest, lengths: list[int], number: int, usually: int
) -> Generator[InfillRequest, None, T]:
    """The request that each pass is about; `usually` stands for all lengths at once."""
    while True:
        try:
            length = next(work)
        except StopIteration as stop:
            return stop.value
        yield request.with_lengths([*lengths[:number], length or usually, *lengths[number + 1 :]])
