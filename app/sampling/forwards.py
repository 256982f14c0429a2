"""The forward passes of one run: every query to the denoiser goes through here and is counted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import InfillError
from app.sampling.canvas import Canvas
from models.classes import TokenClasses
from models.denoiser import BeliefCache, Denoiser, Floats, Guidance, Ids, Judge, Query, Sampling
from models.prediction import TOP, Prediction

TAIL = 16
"""Tokens after the span that a judge reads: enough to notice a fill that breaks off."""


def judge_of(denoiser: Denoiser) -> Judge | None:
    """Return a denoiser's judge, which is loaded on first use. Raises InfillError if its files cannot be read."""
    try:
        return denoiser.judge
    except (ValueError, OSError) as error:
        raise InfillError(
            f"the autoregressive parent of '{denoiser.name}' cannot be read: {error}. Put its folder back, or do "
            "without it: give a number of masks instead of 'auto', and a strategy that does not ask it"
        ) from error


@dataclass(frozen=True, kw_only=True)
class Guide:
    """The outer side of a text that classifier-free guidance gives more weight to."""

    weight: float
    side: str = "suffix"  # or "prefix"

    def guidance(self, canvas: Canvas) -> Guidance:
        """Return the guidance by the canvas without that side."""
        place, ids = np.arange(len(canvas)), canvas.ids.copy()
        hidden = place >= canvas.gaps[-1].stop if self.side == "suffix" else place < canvas.gaps[0].start
        ids[hidden] = canvas.mask_id
        return Guidance(ids=ids, weight=self.weight)


class Forwards:
    """The forward passes of a run: `rows` canvases went through the network in `calls` batches.

    Beliefs that are still in the cache cost neither.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        sampling: Sampling | None = None,
        guide: Guide | None = None,
        *,
        cache: BeliefCache | None = None,
    ) -> None:
        """Count for one run; `sampling` and `guide` apply to every query that does not ask for others."""
        self._denoiser, self._guide = denoiser, guide
        self._cache = BeliefCache() if cache is None else cache
        self.sampling = sampling or Sampling()
        self.rows = self.calls = 0
        self.seconds = 0.0

    def ask(
        self,
        canvases: Sequence[Canvas],
        asked: Sequence[Ids],
        uniforms: Sequence[Floats],
        *,
        sampling: Sampling | None = None,
        guidance: Sequence[Guidance] | None = None,
        lookback: int = 0,
        tops: int = TOP,
        targets: Ids | None = None,
        classes: TokenClasses | None = None,
    ) -> list[Prediction]:
        """Return the beliefs about the asked positions of each canvas, from one batched pass.

        `uniforms` are [length] each; `targets` is [length], the token of each position whose probability is wanted in
        all of them. `sampling` and `guidance` replace the run's; see `Query` for the rest.
        """
        began = time.perf_counter()
        guided = [self._guided(canvas) for canvas in canvases] if guidance is None else guidance
        predictions = self._denoiser.predict(
            [
                Query(
                    ids=canvas.ids,
                    positions=positions,
                    uniforms=draws[positions],
                    sampling=sampling or self.sampling,
                    guidance=other,
                    cache=self._cache,
                    lookback=lookback,
                    tops=tops,
                    targets=None if targets is None else targets[positions],
                    classes=classes,
                )
                for canvas, positions, draws, other in zip(canvases, asked, uniforms, guided, strict=True)
            ]
        )
        self._count(sum(prediction.forwards for prediction in predictions), began)
        return predictions

    def _guided(self, canvas: Canvas) -> Guidance | None:
        return None if self._guide is None else self._guide.guidance(canvas)

    @property
    def frequencies(self) -> Floats | None:
        """[vocabulary] relative frequency of each token in text; None if not known. See `Tokenizer`."""
        return self._denoiser.tokenizer.frequencies

    @property
    def classes(self) -> TokenClasses | None:
        """The word class of each token; None if not known. See `Tokenizer`."""
        return self._denoiser.tokenizer.classes

    def knows(self, canvas: Canvas, asked: Ids | None = None) -> bool:
        """Return whether the belief about a canvas's masks, or the positions given, is still in the cache."""
        positions = canvas.masks if asked is None else asked
        query = Query(ids=canvas.ids, positions=positions, uniforms=np.empty(0), guidance=self._guided(canvas))
        return all(self._cache.get(row.state) is not None for row in query.rows)

    def judged(self, canvases: Sequence[Canvas]) -> Floats:
        """Return log-probabilities [canvases] in nats by the denoiser's judge, from the first gap to TAIL tokens after.

        The denoiser must have a judge, whose passes count like its own.
        """
        judge = judge_of(self._denoiser)
        assert judge is not None, "a strategy that needs a judge must be registered with `judged`"
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
