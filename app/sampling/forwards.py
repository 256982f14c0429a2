"""The forward passes of one run: every question to the denoiser goes through here, and is counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.sampling.canvas import Canvas
from models.denoiser import Denoiser, Floats, Ids, Judge, Memory, Query
from models.prediction import TOP, Prediction

TAIL = 16
"""Tokens after the span that a judge reads: enough to notice a fill that breaks off."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How candidates are drawn from what the model believes, and what its belief is contrasted with."""

    temperature: float = 0.0
    top_p: float = 1.0
    banned: tuple[int, ...] = ()
    guidance: float = 0.0  # w of classifier-free guidance (arXiv:2207.12598); 0 is none
    guided_by: str = "suffix"  # which outer side the contrasted canvas does not see

    def against(self, canvas: Canvas) -> Ids | None:
        """[length] the canvas without the side that guides; None where nothing does."""
        if not self.guidance:
            return None
        place, ids = np.arange(len(canvas)), canvas.ids.copy()
        hidden = place >= canvas.gaps[-1].stop if self.guided_by == "suffix" else place < canvas.gaps[0].start
        ids[hidden] = canvas.mask_id
        return ids


class Passes:
    """Asks for a run and keeps its account: `rows` canvases went through the network, in `calls` batches.

    What the memory still knew costs neither.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        drawing: Drawing | None = None,
        *,
        memory: Memory | None = None,
        judge: Callable[[], Judge | None] = lambda: None,
    ) -> None:
        """`judge` gives an autoregressive model with the same vocabulary, or None where there is none at hand."""
        self._denoiser, self._drawing, self._judge = denoiser, drawing or Drawing(), judge
        self._memory = Memory() if memory is None else memory
        self.rows = self.calls = 0
        self.seconds = 0.0

    def ask(
        self,
        canvases: Sequence[Canvas],
        asked: Sequence[Ids],
        uniforms: Sequence[Floats],
        *,
        lookback: int = 0,
        tops: int = TOP,
        temperature: float | None = None,
        targets: Ids | None = None,
        against: Sequence[Ids] | None = None,
        weight: float = 0.0,
        banned: Sequence[int] = (),
    ) -> list[Prediction]:
        """The beliefs about the asked positions of each canvas, from one batched pass.

        `uniforms` are [length] each; `targets` is [length], the token of each position whose probability is wanted in
        all of them. `against` and `weight` take the place of the run's guidance, see `Query`, and `temperature` that of
        the run's; `banned` are tokens besides the run's.
        """
        began = time.perf_counter()
        drawing = self._drawing
        others = [drawing.against(canvas) for canvas in canvases] if against is None else against
        predictions = self._denoiser.predict(
            [
                Query(
                    ids=canvas.ids,
                    positions=positions,
                    uniforms=draws[positions],
                    temperature=drawing.temperature if temperature is None else temperature,
                    top_p=drawing.top_p,
                    banned=(*drawing.banned, *banned),
                    memory=self._memory,
                    lookback=lookback,
                    tops=tops,
                    targets=None if targets is None else targets[positions],
                    against=other,
                    weight=drawing.guidance if against is None else weight,
                )
                for canvas, positions, draws, other in zip(canvases, asked, uniforms, others, strict=True)
            ]
        )
        self._count(sum(prediction.forwards for prediction in predictions), began)
        return predictions

    @property
    def temperature(self) -> float:
        """The run's, at which candidates are drawn unless a strategy asked for another."""
        return self._drawing.temperature

    @property
    def frequencies(self) -> Floats | None:
        """[vocabulary] how common each token is in text; None where that is not known. See `Tokenizer`."""
        return self._denoiser.tokenizer.frequencies

    def knows(self, canvas: Canvas, asked: Ids | None = None) -> bool:
        """Whether the belief about a canvas's masks, or other positions, would cost nothing."""
        rows = Query(
            ids=canvas.ids,
            positions=canvas.masks if asked is None else asked,
            uniforms=np.empty(0),
            against=self._drawing.against(canvas),
        ).rows
        return all(self._memory.get(row.state) is not None for row in rows)

    def judged(self, canvases: Sequence[Canvas]) -> Floats:
        """[canvases] log-probabilities in nats, by the judge, from the first gap to TAIL tokens after the last.

        There must be a judge; its passes count like the denoiser's.
        """
        judge = self._judge()
        assert judge is not None, "a strategy that needs a judge says so where it is registered"
        began = time.perf_counter()
        start, stop = canvases[0].gaps[0].start, canvases[0].gaps[-1].stop + TAIL
        scores = judge.log_probabilities(
            [canvas.ids[:start] for canvas in canvases], [canvas.ids[start:stop] for canvas in canvases]
        )
        self._count(len(canvases), began)
        return np.array([score.sum() for score in scores])

    def _count(self, rows: int, began: float) -> None:
        self.rows += rows
        self.calls += rows > 0
        self.seconds += time.perf_counter() - began
