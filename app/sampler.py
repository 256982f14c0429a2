"""A canvas denoised as a request asks: its strategy, what it draws from, and what it forbids."""

from __future__ import annotations

from collections.abc import Iterator

import models
from app.errors import InfillError
from app.sampling.canvas import Canvas
from app.sampling.constraints import constrained, forbidden_tokens
from app.sampling.decode import decode
from app.sampling.request import InfillRequest
from app.sampling.step import Choose, Step
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


def check(request: InfillRequest, denoiser: Denoiser) -> tuple[Strategy, Choose, tuple[int, ...]]:
    """A request's strategy, the same with its knobs and constraints, and the tokens never to write.

    Raises InfillError, before any pass, for what could not be done with any canvas.
    """
    strategy, choose = strategy_of(request)
    banned = forbidden_tokens(request, denoiser.tokenizer)
    if strategy.needs_judge(request.knobs) and models.parent_of(denoiser.name) is None:
        raise InfillError(
            f"'{denoiser.name}' has no autoregressive parent at hand to judge texts with; choose a setting of "
            f"'{strategy.name}' without one, or the bundled model"
        )
    return strategy, constrained(choose, request, denoiser.tokenizer), banned


def denoise(canvas: Canvas, denoiser: Denoiser, request: InfillRequest) -> Iterator[Step]:
    """See `decode`. Raises InfillError, at once, for a strategy, knobs, a budget or constraints that cannot be."""
    strategy, choose, banned = check(request, denoiser)
    return decode(
        canvas,
        denoiser,
        choose,
        steps=request.steps,
        temperature=request.temperature,
        top_p=request.top_p,
        seed=request.seed,
        banned=banned,
        guidance=request.guidance,
        guided_by=request.guided_by,
        judge=lambda: models.parent_of(denoiser.name),
        reads_committed=strategy.reads_committed,
        lookback=strategy.lookback,
        tops=strategy.tops,
    )
