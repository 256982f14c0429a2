"""The single way in: a request and a denoiser to a stream of ever longer traces."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import models
from app.canvas import lay_out
from app.constraints import constrained, forbidden_tokens
from app.decode import decode
from app.errors import InfillError
from app.request import InfillRequest
from app.strategies.registry import find
from app.trace import Trace
from models.denoiser import Denoiser


def infill(request: InfillRequest, denoiser: Denoiser, *, time_limit: float = float("inf")) -> Iterator[Trace]:
    """Yield the trace before the first step and after each; the last one says how it ended.

    `time_limit`, in seconds since the first trace was asked for, ends the run before the next step, as closing the
    iterator does.
    Special tokens (end of text and the like) are never written. Raises InfillError before anything is computed; later
    only where a banned word cannot be kept out.
    """
    began = time.perf_counter()
    strategy = find(request.strategy)
    choose = strategy.bind(request.knobs)
    strategy.check_budget(request.steps)
    request = resolve(request, denoiser)
    canvas, cut = lay_out(request, denoiser)
    forbidden = forbidden_tokens(request, denoiser.tokenizer)
    special, name_bytes = denoiser.tokenizer.special_ids, denoiser.tokenizer.token_bytes
    lexicon = {int(token): b"" if token in special else name_bytes(int(token)) for token in set(canvas.ids.tolist())}
    trace = Trace(request=request, model=denoiser.name, start=canvas, lexicon=lexicon, notices=denoiser.notices + cut)
    yield trace
    steps = decode(
        canvas,
        denoiser,
        constrained(choose, request, denoiser.tokenizer),
        steps=request.steps,
        temperature=request.temperature,
        top_p=request.top_p,
        seed=request.seed,
        banned=forbidden,
        guidance=request.guidance,
        guided_by=request.guided_by,
        judge=lambda: models.parent_of(denoiser.name),
        reads_committed=strategy.reads_committed,
        lookback=strategy.lookback,
    )
    for step in steps:
        shown = {*step.canvas.ids[step.canvas.span].tolist(), *step.prediction.top_tokens[step.canvas.span].flat}
        new = {int(token): name_bytes(int(token)) for token in shown if token >= 0 and token not in trace.lexicon}
        trace = replace(trace, steps=(*trace.steps, step), lexicon={**trace.lexicon, **new})
        if not step.canvas.masked.any():
            trace = replace(trace, ended="complete")
        elif time.perf_counter() - began > time_limit:
            trace = replace(trace, ended="time limit")
        yield trace
        if trace.ended != "running":
            return


def resolve(request: InfillRequest, denoiser: Denoiser) -> InfillRequest:
    """The request with the length of every gap settled: the one place in a run where `auto` lengths are."""
    if request.length is None:
        number = next(number for number, gap in enumerate(request.gaps, start=1) if gap.length is None)
        raise InfillError(
            f"the length of gap {number} is 'auto', which is resolved by app.length's caller; give a number of masks"
        )
    return request
