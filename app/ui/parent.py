"""Runs by the autoregressive parent of the bundled model, which continues the prefix and never sees the suffix."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from app.errors import InfillError
from app.infill import before, infill
from app.sampling.layout import encode_sides
from app.sampling.request import InfillRequest
from app.sampling.step import NONE, Selection, Step
from app.trace.trace import Trace
from app.ui import metrics
from app.ui.gate import Gate
from app.ui.runner import Turns, in_turn
from models.denoiser import Denoiser
from models.prediction import Prediction

if TYPE_CHECKING:  # it imports torch
    from models.networks.autoregressive import AutoregressiveModel

By = Literal["diffusion", "parent", "best of 16"]
LoadParent = Callable[[], "AutoregressiveModel"]

DRAWS, TEMPERATURE = 16, 0.9
"""Number of continuations that the best is chosen from, and the temperature that they are drawn at."""
PARENT, BEST = "parent", "parent, best of 16"
"""The names of the models in their traces."""
_BEST_SO_FAR = "best so far"
_BELIEFS = [each.name for each in fields(Prediction) if each.name not in ("drift", "log_targets", "forwards")]
ABOUT = {
    PARENT: "The parent writes from left to right and never sees the text after the gap.",
    BEST: f"The parent writes {DRAWS} texts from left to right, and the one is kept that the text after the gap follows"
    " best.",
}


def written_by(trace: Trace) -> Trace:
    """Return the trace with what wrote it, which is not recorded, by the name of its model."""
    return replace(
        trace, by="parent" if trace.model == PARENT else "best of 16" if trace.model == BEST else "diffusion"
    )


def asked_of_parent(request: InfillRequest) -> InfillRequest:
    """Return the request as the parent fulfils it: from left to right, one token a pass, without guidance.

    Raises InfillError for several gaps, pinned words, a length that is `auto`, and a state to start from.
    """
    if request.start is not None:
        raise InfillError("the parent writes a whole gap and cannot go on from a state: choose diffusion for a branch")
    if len(request.gaps) != 1 or any(gap.pins for gap in request.gaps):
        raise InfillError("the parent fills a single gap without pinned words: it cannot take account of what follows")
    if request.length is None:
        raise InfillError("the parent cannot choose a number of masks: give one, or fill by diffusion first")
    return replace(request, strategy="left_to_right", knobs={}, steps=request.length, guidance=0.0)


class ParentRuns:
    """Makes the runs of the parent, which is loaded when it is first asked for."""

    def __init__(self, load: LoadParent, time_limit: float) -> None:
        """`time_limit` is in seconds of computing."""
        self._load_parent, self._time_limit = load, time_limit
        self._turns = Turns()

    def _load(self) -> AutoregressiveModel:
        try:
            return self._load_parent()
        except (ValueError, OSError) as error:
            raise InfillError(
                f"the parent cannot be read: {error}. Put its folder back, or fill by diffusion"
            ) from error

    @functools.cached_property
    def _denoiser(self) -> Denoiser:
        from models.networks.left_to_right import LeftToRightDenoiser  # it imports torch
        from models.serve.batching import BatchingDenoiser

        return BatchingDenoiser(LeftToRightDenoiser(self._load()), seen=metrics.PASS_ROWS.observe)

    def run(self, request: InfillRequest, by: By, gate: Gate) -> Iterator[Trace]:
        """Yield traces as `Run` does, by the parent alone or by the best of its draws. Raises InfillError."""
        wanted = asked_of_parent(request)
        denoiser = self._denoiser

        def waiting(notice: str) -> Trace:
            return _named(before(wanted, denoiser, notice), BEST if by == "best of 16" else PARENT)

        if by == "best of 16":
            traces = best_of(wanted, denoiser, self._load())
        else:
            traces = (_named(trace, PARENT) for trace in infill(wanted, denoiser))
        yield from in_turn(traces, waiting, self._turns, gate, self._time_limit)


def _named(trace: Trace, name: str) -> Trace:
    return written_by(replace(trace, model=name, notices=(ABOUT[name], *trace.notices)))


def best_of(request: InfillRequest, denoiser: Denoiser, model: AutoregressiveModel) -> Iterator[Trace]:
    """Yield the trace before the first draw, and after each pass; its steps are draws, and it shows the best so far.

    Each of the DRAWS draws takes a pass for every mask and one that asks how well the suffix follows. `denoiser` is the
    model as a denoiser. Raises InfillError if there is no suffix, or if a banned word cannot be avoided.
    """
    _, suffix = encode_sides(request, model)
    if not suffix:
        raise InfillError("there is no text after the gap to choose the best continuation by: write some")
    trace = None
    for number in range(DRAWS):
        asked = replace(request, temperature=TEMPERATURE, seed=(request.seed + number) % 2**32)
        draw = None
        for draw in infill(asked, denoiser):
            if trace is None:
                trace = _named(replace(draw, request=replace(asked, steps=DRAWS)), BEST)
            elif draw.steps:
                trace = replace(trace)  # the same state as another object, because a pass was made
            else:
                continue
            yield trace
        assert trace is not None
        assert draw is not None
        trace = _with_draw(trace, draw, suffix, model)
        yield replace(trace, ended="complete") if number + 1 == DRAWS else trace


def _with_draw(trace: Trace, draw: Trace, suffix: list[int], model: AutoregressiveModel) -> Trace:
    """Return the trace with one more step: a whole draw, written over the best so far if the suffix follows better."""
    began, span = time.perf_counter(), draw.start.span
    fill = draw.canvas.ids[span]
    (scores,) = model.log_probabilities([draw.canvas.ids[: span[0]]], [[*fill, *suffix]])
    scoring = time.perf_counter() - began
    follows = float(scores[len(fill) :].sum())
    before, last = trace.steps[-1] if trace.steps else None, draw.steps[-1]
    best = before.selection.notes[_BEST_SO_FAR] if before else -np.inf
    better = follows > best
    step = Step(
        canvas=draw.canvas if better else trace.canvas,
        prediction=_joined(draw) if better else _unasked(last.prediction),
        selection=Selection(
            commit=span if better else NONE,
            remask=span if better and before else NONE,
            notes={"draw": len(trace.steps) + 1, "log p(suffix)": follows, _BEST_SO_FAR: max(best, follows)},
        ),
        nfe=trace.nfe + draw.nfe + 1,
        calls=trace.calls + draw.calls + 1,
        seconds=trace.seconds + draw.seconds + scoring,
        model_seconds=(before.model_seconds if before else 0.0) + last.model_seconds + scoring,
    )
    return replace(trace, steps=(*trace.steps, step), lexicon={**trace.lexicon, **draw.lexicon})


def _joined(draw: Trace) -> Prediction:
    """Return what was believed about each position when it was written."""
    joined = _unasked(draw.steps[-1].prediction)
    for step in draw.steps:
        written = step.selection.commit
        for name in _beliefs(joined):
            getattr(joined, name)[written] = getattr(step.prediction, name)[written]
    return joined


def _beliefs(prediction: Prediction) -> list[str]:
    """Return the names of the arrays about the positions; those of word classes are missing without a table of them."""
    return [name for name in _BELIEFS if getattr(prediction, name) is not None]


def _unasked(prediction: Prediction) -> Prediction:
    """Return a prediction of the same shapes that knows nothing."""
    ids = ("candidates", "top_tokens")
    blank = {name: np.full_like(getattr(prediction, name), -1 if name in ids else 0) for name in _beliefs(prediction)}
    return replace(prediction, **blank)
