"""One step of the denoising loop: what a strategy sees, what it decides, what is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from app.sampling.canvas import Canvas
from app.sampling.forwards import Forwards
from models.denoiser import Bools, Floats, Guidance, Ids
from models.prediction import TOP, Prediction

NONE: Ids = np.empty(0, dtype=np.int64)


class ContractError(AssertionError):
    """A strategy broke its contract with the loop. The message names the strategy, the step and the counts."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Selection:
    """The positions to commit and to mask again."""

    commit: Ids  # [c] masked positions
    tokens: Ids | None = None  # [c] tokens to write there; None: the prediction's candidates
    confidence: Floats | None = None  # [c] probabilities of those tokens; required with them
    drawn: Floats | None = None  # [c] probabilities of those tokens in q, see `Prediction`; None: `confidence`
    own: Bools | None = None  # [c] which of those tokens are not drafts of this step and stay; None: all of them
    remask: Ids = field(default_factory=lambda: NONE)  # [r] committed positions; they may be committed again at once
    notes: Mapping[str, float] = field(default_factory=dict)  # the strategy's own numbers (thresholds, schedules)
    temperature: float | None = None  # for the candidates of the next step; None: the run's
    carry: Floats | None = None  # [length] numbers that the strategy carries to its next step; not recorded


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """What happened in one denoising step, and the canvas after it."""

    canvas: Canvas
    prediction: Prediction
    selection: Selection
    nfe: int  # canvases that went through the network so far, including probes and guidance
    calls: int  # batched forward passes so far
    seconds: float  # since the run began, without the time that the caller took between steps
    model_seconds: float  # the part of it spent in the denoiser


@dataclass(frozen=True, eq=False, kw_only=True)
class Snapshot:
    """Everything a strategy may look at. Scores are [length], larger is surer, and only masked positions count."""

    start: Canvas  # before the first step; part of its span may be written already
    canvas: Canvas
    prediction: Prediction
    steps: int  # the step budget T
    history: tuple[Step, ...]
    rng: np.random.Generator
    forwards: Forwards

    @property
    def temperature(self) -> float:
        """The temperature at which this step's candidates were drawn."""
        asked = self.history[-1].selection.temperature if self.history else None
        return self.forwards.sampling.temperature if asked is None else asked

    @property
    def step(self) -> int:
        """The number of this denoising step, from 1."""
        return len(self.history) + 1

    @property
    def masks_at_start(self) -> int:
        """The number of masks before the first step: the whole span, unless some of it was written before the run."""
        return len(self.start.masks)

    @property
    def remaining(self) -> int:
        """Steps left in the budget, including this one; each probe uses up one as well."""
        return self.steps - max(self.step, self.forwards.calls) + 1

    def probe(
        self,
        canvases: Sequence[Canvas],
        *,
        targets: Ids | None = None,
        guidance: Sequence[Guidance] | None = None,
    ) -> list[Prediction]:
        """Return the beliefs about the masks of other canvases, from one batched pass that the budget pays for.

        If one of them becomes the state later, its belief costs nothing then. `targets`, [length] tokens, fills in
        `log_targets`; `guidance` replaces the run's. Probe only while `remaining` is above 1.
        """
        asked = [canvas.masks for canvas in canvases]
        draws = [self.rng.random(len(canvas)) for canvas in canvases]
        return self.forwards.ask(canvases, asked, draws, targets=targets, guidance=guidance)

    def redraw(self, banned: Sequence[int]) -> Prediction | None:
        """Return this step's belief with more tokens banned and candidates drawn again, at no cost.

        None if so many probes came in between that the belief is no longer cached.
        """
        asked = self.prediction.asked
        if not self.forwards.knows(self.canvas, asked):
            return None
        draws = [self.rng.random(len(self.canvas))]
        sampling = self.forwards.sampling
        sampling = replace(sampling, temperature=self.temperature, banned=(*sampling.banned, *banned))
        (again,) = self.forwards.ask([self.canvas], [asked], draws, sampling=sampling)
        return again

    @property
    def pace(self) -> int:
        """The least number of positions to commit now so that the budget suffices: ceil(masks / steps left)."""
        return -(-len(self.canvas.masks) // max(1, self.remaining))

    @property
    def share(self) -> int:
        """Dream's count without its epsilon: floor(masks / steps left), at least one, so that no pass is wasted."""
        return max(1, len(self.canvas.masks) // max(1, self.remaining))

    @property
    def planned(self) -> int:
        """LLaDA's count: an equal share of the masks at the start, the first steps one more; at least one."""
        share, extra = divmod(self.masks_at_start, min(self.steps, self.masks_at_start))
        return share + (self.step <= extra)

    @property
    def final_steps(self) -> int:
        """The last steps of the budget, in which nothing may be masked again: a tenth, rounded up."""
        return -(-self.steps // 10)

    @property
    def carry(self) -> Floats:
        """[length] a copy of what the last step carried over; zeros in the first step."""
        carried = self.history[-1].selection.carry if self.history else None
        return np.zeros(len(self.canvas)) if carried is None else carried.copy()

    def scores_at_commit(self, score: Literal["confidence", "drawn_confidence"]) -> Floats:
        """Return a score [length] of each committed position in the step that committed it; 0 elsewhere.

        Positions that were written before the run have the confidence that came with them. The model was never trained
        to judge a token that it sees, so this is the best evidence about committed ones.
        """
        scores = self.start.inherited.copy()
        for step in self.history:
            commit = step.selection.commit
            scores[step.selection.remask] = 0.0
            scores[commit] = getattr(step.prediction, score)[commit]
        return scores

    def rank(self, scores: Floats) -> Ids:
        """Return the masked positions [m], surest first; ties by position."""
        masks = self.canvas.masks
        return masks[np.argsort(-scores[masks], kind="stable")]

    def draw_ranking(self, scores: Floats, temperature: float) -> Ids:
        """Return the masked positions [m], drawn one by one from softmax(scores / temperature); 0 ranks them."""
        if temperature <= 0:
            return self.rank(scores)
        # Sorting scores with Gumbel noise added is drawing without replacement.
        return self.rank(scores + temperature * self.rng.gumbel(size=len(scores)))

    def commit_first(self, order: Ids, count: int, **notes: float) -> Selection:
        """Commit the first `count` positions of an order, or more if the budget's pace asks for more.

        Raises ContractError if the order is shorter than the pace.
        """
        if len(order) < self.pace:
            raise ContractError(
                f"its order has {len(order)} positions, but {self.pace} must be committed now "
                f"({len(self.canvas.masks)} masks, {self.remaining} steps left)"
            )
        return Selection(commit=order[: max(count, self.pace)], notes=notes)

    def commit_passing(self, passes: Bools, scores: Floats, **notes: float) -> Selection:
        """Commit the masked positions that pass, or the surest one; more, surest first, if the pace asks for it."""
        order = self.rank(scores)
        passed = passes[order]
        order = np.concatenate([order[passed], order[~passed]])
        return self.commit_first(order, max(1, int(passed.sum())), passed=int(passed.sum()), **notes)

    def reconsider(self, scores: Floats) -> Selection:
        """Commit the best ceil(N step / T) of the N positions, and mask the committed ones among the rest again.

        If W of them were written before the run, the number rises from W to N in the same way. Committed positions need
        scores as well, and win ties. In the final steps none of them is masked again and at least one position is
        added, so that every forward pass makes progress.
        """
        span, masked = self.canvas.span, self.canvas.masked
        count = len(span) - self.masks_at_start - (-self.masks_at_start * self.step // self.steps)
        if self.remaining <= self.final_steps:
            scores = np.where(masked, scores, np.inf)
            count = max(count, len(span) - len(self.canvas.masks) + 1)
        order = span[np.lexsort((masked[span], -scores[span]))]
        best, rest = order[:count], order[count:]
        return Selection(commit=best[masked[best]], remask=rest[~masked[rest]])


def space_out(order: Ids, distance: int) -> Ids:
    """Return the positions of an order that are at least `distance` away from every position taken before them."""
    taken: list[int] = []
    for position in order.tolist():
        if all(abs(position - other) >= distance for other in taken):
            taken.append(position)
    return np.array(taken, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A strategy with its knobs set, and what it needs from the loop."""

    name: str
    choose: Callable[[Snapshot], Selection]
    reads_committed: bool = False  # also ask about committed positions, for which beliefs were never trained
    lookback: int = 0  # number of earlier predictions to compare each prediction with
    tops: int = TOP  # number of most probable tokens to keep for each position
    judged: bool = False  # asks the denoiser's judge
    ranks_drafts: bool = False  # chooses places by the tokens drafted there; see `redraw`
    may_loop: bool = False  # takes tokens back by a rule and not by lot; see `loops`
