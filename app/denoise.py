"""A canvas denoised as a request asks: its strategy, what it draws from, and what it forbids."""

from __future__ import annotations

from collections.abc import Iterator

import models
from app.canvas import Canvas
from app.constraints import constrained, forbidden_tokens
from app.decode import Choose, decode
from app.errors import InfillError
from app.request import InfillRequest
from app.step import Step
from app.strategies.registry import Strategy, find
from models.denoiser import Denoiser


def strategy_of(request: InfillRequest) -> tuple[Strategy, Choose]:
    """A request's strategy, and the same with its knobs set.

    Raises InfillError where there is none of that name, for a bad knob, and for a budget that is too small for it: call
    it before anything is loaded or computed.
    """
    strategy = find(request.strategy)
    choose = strategy.bind(request.knobs)
    strategy.check_budget(request.steps, request.knobs)
    return strategy, choose


def check(request: InfillRequest, denoiser: Denoiser) -> None:
    """Raises InfillError, before any pass, for what `denoise` could not do with any canvas."""
    strategy, _ = strategy_of(request)
    forbidden_tokens(request, denoiser.tokenizer)
    if strategy.needs_judge(request.knobs) and models.parent_of(denoiser.name) is None:
        raise InfillError(
            f"'{denoiser.name}' has no autoregressive parent at hand to judge texts with; choose a setting of "
            f"'{strategy.name}' without one, or the bundled model"
        )


def denoise(canvas: Canvas, denoiser: Denoiser, request: InfillRequest) -> Iterator[Step]:
    """See `decode`. Raises InfillError, at once, for a strategy, knobs, a budget or constraints that cannot be."""
    check(request, denoiser)
    strategy, choose = strategy_of(request)
    return decode(
        canvas,
        denoiser,
        constrained(choose, request, denoiser.tokenizer),
        steps=request.steps,
        temperature=request.temperature,
        top_p=request.top_p,
        seed=request.seed,
        banned=forbidden_tokens(request, denoiser.tokenizer),
        guidance=request.guidance,
        guided_by=request.guided_by,
        judge=lambda: models.parent_of(denoiser.name),
        reads_committed=strategy.reads_committed,
        lookback=strategy.lookback,
        tops=strategy.tops,
    )
