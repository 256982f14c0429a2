"""A request bound to a denoiser: checked once, it fills any canvas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.errors import InfillError
from app.sampling.canvas import Canvas
from app.sampling.constraints import constrain, forbidden_tokens
from app.sampling.decode import decode
from app.sampling.forwards import Guide, judge_of
from app.sampling.loops import without_loops
from app.sampling.redraw import redrawing
from app.sampling.request import InfillRequest
from app.sampling.step import Policy, Step
from app.strategies.registry import find
from models.denoiser import Denoiser, Sampling


def policy_of(request: InfillRequest) -> Policy:
    """Return a request's strategy with its knobs set.

    Raises InfillError for an unknown strategy, a bad knob, or a step budget that is too small for the strategy's
    probes. It costs nothing: call it before a model is loaded or a GPU is asked for.
    """
    strategy = find(request.strategy)
    policy = strategy.bind(request.knobs)
    strategy.check_budget(request.steps, request.knobs)
    return policy


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Everything that a request decides about a run except the canvas."""

    denoiser: Denoiser
    policy: Policy
    steps: int
    seed: int
    sampling: Sampling
    guide: Guide | None

    @classmethod
    def of(cls, request: InfillRequest, denoiser: Denoiser, policy: Policy | None = None) -> Sampler:
        """Bind a request to a denoiser; a `policy` takes the place of the request's strategy.

        Raises InfillError, before any forward pass, for anything that would fail with every canvas: see `policy_of`,
        bans that leave nothing to write, and a strategy that needs a judge which the denoiser does not have.
        """
        policy = policy or policy_of(request)
        banned = forbidden_tokens(request, denoiser.tokenizer)
        if policy.judged and judge_of(denoiser) is None:
            raise InfillError(
                f"'{denoiser.name}' has no autoregressive parent to judge texts with; choose other knobs for "
                f"'{policy.name}', or the bundled model"
            )
        return cls(
            denoiser=denoiser,
            policy=constrain(
                redrawing(without_loops(policy)) if request.redraw else without_loops(policy),
                request,
                denoiser.tokenizer,
            ),
            steps=request.steps,
            seed=request.seed,
            sampling=Sampling(temperature=request.temperature, top_p=request.top_p, banned=banned),
            guide=Guide(weight=request.guidance, side=request.guided_by) if request.guidance else None,
        )

    def fill(self, canvas: Canvas) -> Iterator[Step]:
        """Denoise a canvas; see `decode`."""
        return decode(
            canvas,
            self.denoiser,
            self.policy,
            steps=self.steps,
            seed=self.seed,
            sampling=self.sampling,
            guide=self.guide,
        )
