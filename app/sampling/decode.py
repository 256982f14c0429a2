"""The denoising loop, written once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from app.sampling.canvas import Canvas
from app.sampling.forwards import Forwards, Guide
from app.sampling.step import ContractError, Policy, Selection, Snapshot, Step
from models.denoiser import BeliefCache, Denoiser, Sampling
from models.prediction import Prediction


def decode(
    canvas: Canvas,
    denoiser: Denoiser,
    policy: Policy,
    *,
    steps: int,
    seed: int = 0,
    sampling: Sampling | None = None,
    guide: Guide | None = None,
    cache: BeliefCache | None = None,
) -> Iterator[Step]:
    """Denoise until nothing is masked, in at most `steps` steps and batched passes; the same seed repeats the steps.

    Closing the iterator ends the run before the next forward pass. Raises ContractError, naming strategy, step and
    counts, if the policy exceeds its budget.
    """
    rng = np.random.default_rng(seed)
    forwards = Forwards(denoiser, sampling, guide, cache=cache)
    start = canvas
    history: tuple[Step, ...] = ()
    seconds = 0.0
    while canvas.masked.any():
        began = time.perf_counter()
        asked = canvas.span if policy.reads_committed else canvas.masks
        uniforms = rng.random(len(canvas))  # one a position, so that a position's draw does not depend on the others
        asked_for = history[-1].selection.temperature if history else None
        drawing = None if asked_for is None else replace(forwards.sampling, temperature=asked_for)
        (prediction,) = forwards.ask(
            [canvas], [asked], [uniforms], sampling=drawing, lookback=policy.lookback, tops=policy.tops,
            classes=forwards.classes,
        )  # fmt: skip
        now = Snapshot(
            start=start,
            canvas=canvas,
            prediction=prediction,
            steps=steps,
            history=history,
            rng=rng,
            forwards=forwards,
        )
        selection = _choose(policy, now)
        if selection.tokens is not None:
            prediction = _with_tokens(prediction, selection)
        canvas = canvas.remask(selection.remask).commit(selection.commit, prediction.candidates[selection.commit])
        _check_budget(policy, now, selection, canvas)
        seconds += time.perf_counter() - began
        step = Step(
            canvas=canvas,
            prediction=prediction,
            selection=selection,
            nfe=forwards.rows,
            calls=forwards.calls,
            seconds=seconds,
            model_seconds=forwards.seconds,
        )
        history = (*history, step)
        yield step


def _choose(policy: Policy, now: Snapshot) -> Selection:
    try:
        return policy.choose(now)
    except ContractError as error:
        raise ContractError(f"strategy '{policy.name}' broke its contract in step {now.step}: {error}") from None


def _check_budget(policy: Policy, now: Snapshot, selection: Selection, after: Canvas) -> None:
    """Raise ContractError if the step budget is exceeded, or used up while masks are left."""
    calls, left = now.forwards.calls, int(after.masked.sum())
    if calls > now.steps or (now.step >= now.steps and left):
        raise ContractError(
            f"strategy '{policy.name}' broke its step budget of {now.steps} in step {now.step}: it has used {calls} "
            f"forward passes, committed {len(selection.commit)} and remasked {len(selection.remask)} positions, and "
            f"{left} masks are left"
        )


def _with_tokens(prediction: Prediction, selection: Selection) -> Prediction:
    """Return the prediction with the tokens that the strategy chose as candidates, and their probabilities."""
    assert selection.tokens is not None
    assert selection.confidence is not None, "tokens were chosen without their probabilities"
    chosen = selection.commit
    candidates, sure, drawn = (
        values.copy() for values in (prediction.candidates, prediction.confidence, prediction.drawn_confidence)
    )
    candidates[chosen], sure[chosen] = selection.tokens, selection.confidence
    drawn[chosen] = selection.confidence if selection.drawn is None else selection.drawn
    return replace(prediction, candidates=candidates, confidence=sure, drawn_confidence=drawn)
