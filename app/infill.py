"""The single way in: a request and a denoiser to a stream of ever longer traces."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import models
from app.length.prior import fit_of
from app.length.settle import settle
from app.sampler import check, denoise
from app.sampling.canvas import fewest_masks, lay_out
from app.sampling.request import InfillRequest
from app.trace.length_choice import LengthChoice
from app.trace.trace import Trace
from models.denoiser import Denoiser
from models.prediction import TOP


def infill(
    request: InfillRequest,
    denoiser: Denoiser,
    *,
    time_limit: float = float("inf"),
) -> Iterator[Trace]:
    """Yield the trace before the first step and after each; the last one says how it ended.

    `time_limit`, in seconds since the first trace was asked for, ends the run before the next forward pass, as closing
    the iterator does.
    Lengths that are `auto` are settled first: then there is a trace before each pass of that, too, which is not yet
    `begun` and starts with as many masks as the pass is about.
    Special tokens (end of text and the like) are never written. Raises InfillError before anything is computed; later
    only where a banned word cannot be kept out.
    """
    began = time.perf_counter()
    choices: dict[int, LengthChoice] = {}

    def settled() -> Iterator[InfillRequest]:
        nonlocal request, choices
        check(request, denoiser)  # else `denoise` does, before the first trace
        fit, unfitted = fit_of(denoiser.name)
        request, choices = yield from settle(
            request, denoiser, fit, parent=models.parent_of(denoiser.name), notices=unfitted
        )

    for considered in settled() if request.length is None else ():
        trace = before(considered, denoiser, f"How many masks? Trying {considered.length}.")
        if time.perf_counter() - began > time_limit:
            yield replace(trace, ended="time limit")
            return
        yield trace
    trace = _begun(request, denoiser, choices)
    steps, name_bytes = denoise(trace.start, denoiser, request), denoiser.tokenizer.token_bytes
    yield trace
    for step in steps:
        span = step.canvas.span
        shown = {*step.canvas.ids[span].tolist(), *step.prediction.top_tokens[span, :TOP].flat}
        new = {int(token): name_bytes(int(token)) for token in shown if token >= 0 and token not in trace.lexicon}
        trace = replace(trace, steps=(*trace.steps, step), lexicon={**trace.lexicon, **new})
        if not step.canvas.masked.any():
            trace = replace(trace, ended="complete")
        elif time.perf_counter() - began > time_limit:
            trace = replace(trace, ended="time limit")
        yield trace
        if trace.ended != "running":
            return


def before(request: InfillRequest, denoiser: Denoiser, notice: str) -> Trace:
    """The trace of a run that has not begun, and a notice that says why; `auto` lengths are as short as can be.

    Raises InfillError where the text does not fit the model.
    """
    lengths = [gap.length or fewest_masks(request, number, denoiser) for number, gap in enumerate(request.gaps)]
    request = request.with_lengths(lengths)
    trace = _begun(request, denoiser, {})
    return replace(trace, notices=(*trace.notices, notice), begun=False)


def _begun(request: InfillRequest, denoiser: Denoiser, choices: Mapping[int, LengthChoice]) -> Trace:
    """The trace of a run that has made no step. Raises InfillError where the text does not fit the model."""
    canvas, cut = lay_out(request, denoiser)
    special, name_bytes = denoiser.tokenizer.special_ids, denoiser.tokenizer.token_bytes
    lexicon = {int(token): b"" if token in special else name_bytes(int(token)) for token in set(canvas.ids.tolist())}
    told = dict.fromkeys((*denoiser.notices, *(notice for c in choices.values() for notice in c.notices), *cut))
    return Trace(request=request, model=denoiser.name, start=canvas, lexicon=lexicon, notices=(*told,), choices=choices)
