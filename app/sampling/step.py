"""One turn of the denoising loop: what a strategy sees, what it decides, what is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from app.sampling.canvas import Canvas
from app.sampling.forwards import Passes
from models.denoiser import Bools, Floats, Ids
from models.prediction import Prediction

NONE: Ids = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class Selection:
    """The positions to commit or to take back."""

    commit: Ids  # [c] masked positions
    tokens: Ids | None = None  # [c] what to write there; the prediction's candidates if None
    confidence: Floats | None = None  # [c] probabilities of those tokens; given with them
    remask: Ids = field(default_factory=lambda: NONE)  # [r] committed positions; one may be committed anew at once
    notes: Mapping[str, float] = field(default_factory=dict)  # the strategy's own numbers (thresholds, schedules)
    temperature: float | None = None  # for the candidates of the next step; the run's if None
    memo: Floats | None = None  # [length] what the strategy wants to know in its next step; not part of the recording


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """What happened in one denoising step, and the canvas after it."""

    canvas: Canvas
    prediction: Prediction
    selection: Selection
    nfe: int  # canvases that went through the network so far, probes and contrasts included
    calls: int  # batched forward passes in which they did
    seconds: float  # since the run began, the visitor's waiting between steps left out
    model_seconds: float  # the part of it spent in the denoiser


@dataclass(frozen=True, eq=False, kw_only=True)
class Snapshot:
    """What a strategy may look at. Scores are [length], larger is surer, and only masked positions count."""

    canvas: Canvas
    prediction: Prediction
    steps: int  # the step budget T
    history: tuple[Step, ...]
    rng: np.random.Generator
    passes: Passes

    @property
    def temperature(self) -> float:
        """At which this step's candidates were drawn."""
        asked = self.history[-1].selection.temperature if self.history else None
        return self.passes.temperature if asked is None else asked

    @property
    def step(self) -> int:
        """Which denoising step this is, from 1."""
        return len(self.history) + 1

    @property
    def remaining(self) -> int:
        """Steps left in the budget, this one included; a probe is a call of its own, and takes one away."""
        return self.steps - max(self.step, self.passes.calls) + 1

    def probe(
        self,
        canvases: Sequence[Canvas],
        *,
        targets: Ids | None = None,
        against: Sequence[Ids] | None = None,
        weight: float = 0.0,
    ) -> list[Prediction]:
        """What the model believes about the masks of other canvases, in one batched pass, which the budget pays for.

        A canvas that becomes the state later costs nothing then. `targets`, [length] tokens, fills in `log_targets`;
        `against` is as in `Query`. Probe only while `remaining` is above 1.
        """
        asked = [canvas.masks for canvas in canvases]
        draws = [self.rng.random(len(canvas)) for canvas in canvases]
        return self.passes.ask(canvases, asked, draws, targets=targets, against=against, weight=weight)

    def redrawn(self, banned: Sequence[int]) -> Prediction | None:
        """The belief without these tokens, too, and candidates drawn anew from it, for no pass.

        None where so many probes were made since that it is not kept any more.
        """
        asked = self.prediction.asked
        if not self.passes.knows(self.canvas, asked):
            return None
        draws = [self.rng.random(len(self.canvas))]
        (again,) = self.passes.ask([self.canvas], [asked], draws, banned=banned, temperature=self.temperature)
        return again

    @property
    def pace(self) -> int:
        """The least number of positions to commit now so that the budget suffices: ceil(masks / steps left)."""
        return -(-len(self.canvas.masks) // max(1, self.remaining))

    @property
    def share(self) -> int:
        """Dream's count, rounded down: floor(masks / steps left), but at least one, so that no forward pass is idle."""
        return max(1, len(self.canvas.masks) // max(1, self.remaining))

    @property
    def settling(self) -> int:
        """The last steps of the budget in which nothing may be taken back: a tenth, rounded up."""
        return -(-self.steps // 10)

    @property
    def memo(self) -> Floats:
        """[length] a copy of the last step's memo; zeros before there is one."""
        kept = self.history[-1].selection.memo if self.history else None
        return np.zeros(len(self.canvas)) if kept is None else kept.copy()

    def at_commit(self, score: Literal["confidence", "drawn_confidence"]) -> Floats:
        """[length] a score of each committed position in the step that committed it; 0 for all others.

        What the model says of a token that it sees was never trained, so this is what is known of committed ones.
        """
        scores = np.zeros(len(self.canvas))
        for step in self.history:
            commit = step.selection.commit
            scores[step.selection.remask] = 0.0
            scores[commit] = getattr(step.prediction, score)[commit]
        return scores

    def ranked(self, scores: Floats) -> Ids:
        """[m] masked positions, surest first; ties by position."""
        masks = self.canvas.masks
        return masks[np.argsort(-scores[masks], kind="stable")]

    def drawn(self, scores: Floats, temperature: float) -> Ids:
        """[m] masked positions, surest first; above temperature 0 drawn one by one from softmax(scores / it)."""
        if temperature <= 0:
            return self.ranked(scores)
        # The order of scores with Gumbel noise is that of drawing without replacement.
        return self.ranked(scores + temperature * self.rng.gumbel(size=len(scores)))

    def first(self, order: Ids, count: int, **notes: float) -> Selection:
        """Commit the first `count` positions of an order, but never fewer than the budget's pace asks for."""
        return Selection(commit=order[: max(count, self.pace)], notes=notes)

    def passing(self, passes: Bools, scores: Floats, **notes: float) -> Selection:
        """Commit the masked positions that pass, or the surest one; the surest others, if the pace asks for more."""
        order = self.ranked(scores)
        passed = passes[order]
        order = np.concatenate([order[passed], order[~passed]])
        return self.first(order, max(1, int(passed.sum())), passed=int(passed.sum()), **notes)

    def reconsidered(self, scores: Floats) -> Selection:
        """Make the best ceil(N step / T) of the N positions known, and take back what fell out of them.

        Committed positions need scores here, too, and win ties. In the settling steps none of them is taken back and at
        least one is added, so that every forward pass gets further.
        """
        span, masked = self.canvas.span, self.canvas.masked
        count = -(-len(span) * self.step // self.steps)
        if self.remaining <= self.settling:
            scores = np.where(masked, scores, np.inf)
            count = max(count, len(span) - len(self.canvas.masks) + 1)
        order = span[np.lexsort((masked[span], -scores[span]))]
        best, rest = order[:count], order[count:]
        return Selection(commit=best[masked[best]], remask=rest[~masked[rest]])


def spaced(order: Ids, distance: int) -> Ids:
    """The positions of an order that stand at least so far from all that are taken before them."""
    taken: list[int] = []
    for position in order.tolist():
        if all(abs(position - other) >= distance for other in taken):
            taken.append(position)
    return np.array(taken, dtype=np.int64)


Choose = Callable[[Snapshot], Selection]
"""A strategy whose knobs are set."""
