"""The record of a run: every step, and the texts and numbers that follow from it."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from app.sampling.canvas import Canvas
from app.sampling.request import InfillRequest
from app.sampling.step import Step
from app.trace.length_choice import LengthChoice
from models.denoiser import Floats, Ids

Ended = Literal["running", "complete", "stopped", "time limit"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """Immutable; a run yields a longer one after every step. State k is the canvas after step k, state 0 the start."""

    request: InfillRequest
    model: str
    start: Canvas
    lexicon: Mapping[int, bytes]  # what each token id in the trace stands for
    notices: tuple[str, ...] = ()
    choices: Mapping[int, LengthChoice] = field(default_factory=dict)  # of each gap, from 0, whose length was `auto`
    steps: tuple[Step, ...] = ()
    ended: Ended = "running"
    begun: bool = True  # False before the run begins: a notice says what is waited for, and lengths that are `auto`
    # have numbers that may change; not recorded

    @property
    def canvas(self) -> Canvas:
        return self.state(len(self.steps))

    def state(self, number: int) -> Canvas:
        return self.steps[number - 1].canvas if number else self.start

    @property
    def nfe(self) -> int:
        return self.steps[-1].nfe if self.steps else 0

    @property
    def calls(self) -> int:
        """Batched forward passes; fewer than `nfe` where several canvases shared one."""
        return self.steps[-1].calls if self.steps else 0

    @property
    def seconds(self) -> float:
        return self.steps[-1].seconds if self.steps else 0.0

    @property
    def masks_left(self) -> list[int]:
        """[steps + 1] masked positions in every state."""
        return [int(self.state(number).masked.sum()) for number in range(len(self.steps) + 1)]

    @property
    def order(self) -> Ids:
        """[n] the step, from 1, that last committed each slot; 0 while it is masked, and where it is given."""
        return self.commits().when[self.start.slots]

    def commits(self) -> Commits:
        """The commits of all steps."""
        commits = Commits(len(self.start))
        for step in self.steps:
            commits.add(step)
        return commits

    def recorded(self, score: Literal["confidence", "entropy"]) -> Floats:
        """[steps, n] a score of every prediction over the slots; NaN where a position was not asked about."""
        slots = self.start.slots
        rows = [
            np.where(step.prediction.top_tokens[slots, 0] >= 0, getattr(step.prediction, score)[slots], np.nan)
            for step in self.steps
        ]
        return np.array(rows).reshape(len(rows), len(slots))

    def pieces(self, number: int) -> list[str | None]:
        """[n] the text of each slot in a state, None where masked; those of a gap, joined, are its text."""
        return [piece for pieces in self._pieces(number) for piece in pieces]

    def _pieces(self, number: int) -> list[list[str | None]]:
        canvas = self.state(number)
        return [
            join_pieces([None if canvas.masked[i] else self.lexicon.get(int(canvas.ids[i]), b"") for i in gap])
            for gap in canvas.gaps
        ]

    @property
    def given(self) -> tuple[str, ...]:
        """[gaps + 1] the text before, between and after the gaps as the model reads it."""
        return tuple(
            b"".join(self.lexicon.get(int(token), b"") for token in part).decode("utf-8", "replace")
            for part in self.start.given
        )

    @property
    def fills(self) -> tuple[str, ...]:
        """[gaps] the text of each gap; what is still masked is left out.

        The spaces that the text before a gap ended with are put back.
        """
        texts = ["".join(piece or "" for piece in pieces) for pieces in self._pieces(len(self.steps))]
        return tuple(
            text if text[:1].isspace() else spaces + text
            for text, spaces in zip(texts, self.request.spaces, strict=True)
        )

    @property
    def fill(self) -> str:
        """The gap's text; those of several gaps with … between."""
        return " … ".join(self.fills)

    @property
    def text(self) -> str:
        """Given text and fills as one text, also where the model's context was too short to read all of it."""
        first, *others = self.request.parts
        return first + "".join(fill + part for fill, part in zip(self.fills, others, strict=True))


class Commits:
    """For every position of a canvas, the step that committed it last, and how confident the model was then."""

    def __init__(self, length: int) -> None:
        self.when = np.zeros(length, dtype=np.int64)  # [length] from 1; 0 while masked
        self.confidence = np.zeros(length)  # [length]
        self._steps = 0

    def add(self, step: Step) -> None:
        """Go on by one step."""
        self._steps += 1
        self.when[step.selection.remask] = 0
        self.when[step.selection.commit] = self._steps
        self.confidence[step.selection.commit] = step.prediction.confidence[step.selection.commit]


def join_pieces(tokens: Sequence[bytes | None]) -> list[str | None]:
    """Decode tokens over the whole sequence: a character spread over several tokens is shown at the one that ends it.

    None (a masked position) stays None and interrupts a character; bytes that make no character become U+FFFD.
    """
    pieces: list[str | None] = []
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for place, token in enumerate(tokens):
        if token is None:
            pieces.append(None)
            continue
        last = place + 1 == len(tokens) or tokens[place + 1] is None
        pieces.append(decoder.decode(token, final=last))
        if last:
            decoder.reset()
    return pieces
