"""The single way in: from a request and a denoiser to a stream of traces, each one step longer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from app.length.choose import choose_lengths
from app.length.prior import prior_of
from app.sampler import Sampler
from app.sampling.constraints import check_start
from app.sampling.layout import Layout
from app.sampling.request import InfillRequest
from app.sampling.step import Policy, Step
from app.trace.length_choice import LengthChoice
from app.trace.trace import Origin, Trace
from models.denoiser import Denoiser
from models.prediction import TOP


def infill(
    request: InfillRequest,
    denoiser: Denoiser,
    *,
    policy: Policy | None = None,
    time_limit: float = float("inf"),
    origin: Origin | None = None,
) -> Iterator[Trace]:
    """Yield the trace before the first step and after each step; the last one says how the run ended.

    `time_limit`, in seconds since the first trace was asked for, ends the run before the next forward pass, as closing
    the iterator does. Lengths that are `auto` are chosen first: each forward pass of that is preceded by a trace that
    has not `begun` and shows the number of masks being tried. `origin` says what a branch comes from;
    only the branch's own forward passes are counted. A `policy` takes the place of the request's strategy, for choices
    that no file in `app/strategies` may make, such as those that know the answer.
    Special tokens (end of text and the like) are never written. Raises InfillError before anything is computed, and
    during the run only if a banned word cannot be avoided.
    """
    began = time.perf_counter()
    sampler, layout = Sampler.of(request, denoiser, policy), Layout.of(request, denoiser)
    choices: dict[int, LengthChoice] = {}
    if request.length is None:
        prior, notices = prior_of(denoiser.name)
        choosing = choose_lengths(request, layout, denoiser, prior, sampler.fill, notices=notices)
        while True:
            try:
                trial = next(choosing)
            except StopIteration as chosen:
                request, choices = chosen.value
                break
            trace = replace(_waiting(trial.request, layout, denoiser, trial.notice), trying=trial.passes)
            if time.perf_counter() - began > time_limit:
                yield replace(trace, ended="time limit")
                return
            yield trace
    trace = replace(_start_trace(request, layout, denoiser, choices), origin=origin)
    check_start(trace.start, request, denoiser.tokenizer)
    yield trace
    for step in sampler.fill(trace.start):
        trace = _extended(trace, step, denoiser)
        if not step.canvas.masked.any():
            trace = replace(trace, ended="complete")
        elif time.perf_counter() - began > time_limit:
            trace = replace(trace, ended="time limit")
        yield trace
        if trace.ended != "running":
            return


def before(request: InfillRequest, denoiser: Denoiser, notice: str, *, origin: Origin | None = None) -> Trace:
    """Return the trace of a run that has not begun, with a notice that says why; `auto` lengths are the least possible.

    Raises InfillError if the text does not fit the model.
    """
    layout = Layout.of(request, denoiser)
    lengths = [gap.length or layout.fewest_masks(number) for number, gap in enumerate(request.gaps)]
    return replace(_waiting(request.with_lengths(lengths), layout, denoiser, notice), origin=origin)


def _waiting(request: InfillRequest, layout: Layout, denoiser: Denoiser, notice: str) -> Trace:
    trace = _start_trace(request, layout, denoiser, {})
    return replace(trace, notices=(*trace.notices, notice), begun=False)


def _start_trace(
    request: InfillRequest, layout: Layout, denoiser: Denoiser, choices: Mapping[int, LengthChoice]
) -> Trace:
    """Return the trace of a run that has made no step. Raises InfillError if the text does not fit the model."""
    canvas, cut = layout.canvas([gap.length or 0 for gap in request.gaps], denoiser.tokenizer.mask_id)
    special, name_bytes = denoiser.tokenizer.special_ids, denoiser.tokenizer.token_bytes
    lexicon = {int(token): b"" if token in special else name_bytes(int(token)) for token in set(canvas.ids.tolist())}
    notices = (*denoiser.notices, *(notice for choice in choices.values() for notice in choice.notices), *cut)
    kinds = denoiser.tokenizer.classes
    return Trace(
        request=request,
        model=denoiser.name,
        start=canvas,
        lexicon=lexicon,
        classes=kinds.classes if kinds else (),
        class_of=_class_of(lexicon, denoiser),
        notices=tuple(dict.fromkeys(notices)),
        choices=choices,
    )


def _extended(trace: Trace, step: Step, denoiser: Denoiser) -> Trace:
    """Return the trace with one more step, and the texts of the tokens that are new in it."""
    span, name_bytes = step.canvas.span, denoiser.tokenizer.token_bytes
    shown = {*step.canvas.ids[span].tolist(), *step.prediction.top_tokens[span, :TOP].flat}
    new = {int(token): name_bytes(int(token)) for token in shown if token >= 0 and token not in trace.lexicon}
    return replace(
        trace,
        steps=(*trace.steps, step),
        lexicon={**trace.lexicon, **new},
        class_of={**trace.class_of, **_class_of(new, denoiser)},
    )


def _class_of(tokens: Iterable[int], denoiser: Denoiser) -> dict[int, int]:
    """Return the place of each token's word class, the last one for tokens without; empty if the model has none."""
    kinds = denoiser.tokenizer.classes
    if kinds is None:
        return {}
    return {token: int(kinds.of[token]) if token < len(kinds.of) else len(kinds.classes) - 1 for token in tokens}
