"""The denoising loop, written once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from app.sampling.canvas import Canvas
from app.sampling.forwards import Drawing, Passes
from app.sampling.step import Choose, Snapshot, Step
from models.denoiser import Denoiser, Floats, Ids, Judge, Memory
from models.prediction import TOP, Prediction


def decode(
    canvas: Canvas,
    denoiser: Denoiser,
    choose: Choose,
    *,
    steps: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    banned: tuple[int, ...] = (),
    guidance: float = 0.0,
    guided_by: str = "suffix",
    reads_committed: bool = False,
    lookback: int = 0,
    tops: int = TOP,
    memory: Memory | None = None,
    judge: Callable[[], Judge | None] = lambda: None,
) -> Iterator[Step]:
    """Denoise until nothing is masked, at most `steps` steps and batched passes; the same seed gives the same steps.

    Closing the iterator ends the run before the next forward pass. `reads_committed` also asks about committed
    positions of the span, whose beliefs were never trained; `lookback` is how many earlier predictions are compared,
    `tops` how many of the most probable tokens are kept; `judge` is as in `Passes`, the rest as in `Drawing`.
    """
    rng = np.random.default_rng(seed)
    drawing = Drawing(temperature=temperature, top_p=top_p, banned=banned, guidance=guidance, guided_by=guided_by)
    passes = Passes(denoiser, drawing, memory=memory, judge=judge)
    history: tuple[Step, ...] = ()
    seconds = 0.0
    while canvas.masked.any():
        began = time.perf_counter()
        asked = canvas.span if reads_committed else canvas.masks
        uniforms = rng.random(len(canvas))  # one a position, so that a position's draw does not depend on the others
        colder = history[-1].selection.temperature if history else None
        (prediction,) = passes.ask([canvas], [asked], [uniforms], lookback=lookback, tops=tops, temperature=colder)
        now = Snapshot(canvas=canvas, prediction=prediction, steps=steps, history=history, rng=rng, passes=passes)
        selection = choose(now)
        if selection.tokens is not None:
            prediction = _with_choice(prediction, selection.commit, selection.tokens, selection.confidence)
        canvas = canvas.remask(selection.remask).commit(selection.commit, prediction.candidates[selection.commit])
        kept = passes.calls <= steps and (len(history) + 1 < steps or not canvas.masked.any())
        assert kept, "the strategy did not keep to its step budget"
        seconds += time.perf_counter() - began
        step = Step(
            canvas=canvas,
            prediction=prediction,
            selection=selection,
            nfe=passes.rows,
            calls=passes.calls,
            seconds=seconds,
            model_seconds=passes.seconds,
        )
        history = (*history, step)
        yield step


def _with_choice(prediction: Prediction, chosen: Ids, tokens: Ids, confidence: Floats | None) -> Prediction:
    """The prediction with the tokens that the strategy chose itself as candidates, and how probable those are."""
    assert confidence is not None, "tokens were chosen without their probabilities"
    candidates, sure, drawn = (
        values.copy() for values in (prediction.candidates, prediction.confidence, prediction.drawn_confidence)
    )
    candidates[chosen], sure[chosen], drawn[chosen] = tokens, confidence, confidence
    return replace(prediction, candidates=candidates, confidence=sure, drawn_confidence=drawn)
