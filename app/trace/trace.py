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
from app.trace.length_choice import LengthChoice, Passes
from models.classes import WordClass
from models.denoiser import Floats, Ids

Ended = Literal["running", "complete", "stopped", "time limit"]


@dataclass(frozen=True)
class Origin:
    """What a run was branched from."""

    run: str  # name of the other run
    step: int  # its state that this run starts from


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """The record of a run so far. It is immutable; a run yields a longer one after every step.

    State k is the canvas after step k; state 0 is the start.
    """

    request: InfillRequest
    model: str
    start: Canvas
    lexicon: Mapping[int, bytes]  # text of each token id in the trace
    classes: tuple[WordClass, ...] = ()  # of the steps' class probabilities; empty if the model has none
    class_of: Mapping[int, int] = field(default_factory=dict)  # place in `classes` of each token in the lexicon
    notices: tuple[str, ...] = ()
    choices: Mapping[int, LengthChoice] = field(default_factory=dict)  # by gap, from 0; only those that were `auto`
    steps: tuple[Step, ...] = ()
    ended: Ended = "running"
    origin: Origin | None = None  # of a branch
    begun: bool = True  # False until decoding begins: a notice says what the run waits for, and the lengths of `auto`
    # gaps may still change. Not recorded.
    trying: Passes = field(default_factory=Passes)  # spent so far on lengths whose choice goes on. Not recorded.
    by: Literal["diffusion", "parent", "best of 16"] = "diffusion"  # what wrote it. Not recorded.

    @property
    def canvas(self) -> Canvas:
        """The latest state."""
        return self.state(len(self.steps))

    def state(self, number: int) -> Canvas:
        """Return the canvas after step `number`, or the start for 0."""
        return self.steps[number - 1].canvas if number else self.start

    @property
    def inherited(self) -> list[int]:
        """The slots that were written at the start and are not locked, from 0."""
        return self.start.places(np.flatnonzero(self.start.editable & ~self.start.masked))

    @property
    def nfe(self) -> int:
        """Number of canvases that went through the network."""
        return self.steps[-1].nfe if self.steps else 0

    @property
    def calls(self) -> int:
        """Number of batched forward passes; smaller than `nfe` if several canvases shared one."""
        return self.steps[-1].calls if self.steps else 0

    @property
    def seconds(self) -> float:
        """Seconds of decoding up to the last step; pauses between steps are left out."""
        return self.steps[-1].seconds if self.steps else 0.0

    @property
    def choosing(self) -> Passes:
        """The forward passes spent on choosing numbers of masks; `nfe`, `calls` and `seconds` leave them out."""
        return sum((choice.passes for choice in self.choices.values()), self.trying)

    @property
    def has_classes(self) -> bool:
        """Whether every step has probabilities of word classes."""
        return bool(self.classes) and all(step.prediction.class_probs is not None for step in self.steps)

    @property
    def masks_left(self) -> list[int]:
        """[steps + 1] number of masked positions in every state."""
        return [int(self.state(number).masked.sum()) for number in range(len(self.steps) + 1)]

    @property
    def order(self) -> Ids:
        """[n] step, from 1, that last committed each slot; 0 if it is masked, given or inherited."""
        return self.commits().when[self.start.slots]

    def commits(self, number: int | None = None) -> Commits:
        """Return the commits of all steps, or of the first `number`."""
        commits = Commits(len(self.start), self.start.inherited)
        for step in self.steps[:number]:
            commits.add(step)
        return commits

    def recorded(self, score: Literal["confidence", "entropy"]) -> Floats:
        """Return a score of every prediction at every slot, [steps, n]; NaN where the model was not asked."""
        slots = self.start.slots
        rows = [
            np.where(step.prediction.top_tokens[slots, 0] >= 0, getattr(step.prediction, score)[slots], np.nan)
            for step in self.steps
        ]
        return np.array(rows).reshape(len(rows), len(slots))

    def pieces(self, number: int) -> list[str | None]:
        """Return the text [n] of each slot in state `number`, None if masked; the pieces of a gap join to its text."""
        return [piece for pieces in self._pieces(number) for piece in pieces]

    def _pieces(self, number: int) -> list[list[str | None]]:
        """Return the pieces of each gap in state `number`."""
        canvas = self.state(number)
        return [
            join_pieces([None if canvas.masked[i] else self.lexicon.get(int(canvas.ids[i]), b"") for i in gap])
            for gap in canvas.gaps
        ]

    @property
    def given(self) -> tuple[str, ...]:
        """[gaps + 1] text before, between and after the gaps, as typed and whole, whatever the model reads of it.

        The spaces before a gap are in `request.spaces`.
        """
        return self.request.parts

    @property
    def fills(self) -> tuple[str, ...]:
        """[gaps] text of each gap, without its masked positions.

        The spaces that were typed before a gap are put back; the fill's first token may carry the first of them.
        """
        return tuple(
            (spaces[1:] if (pieces[0] or "").startswith(" ") else spaces) + "".join(piece or "" for piece in pieces)
            for pieces, spaces in zip(self._pieces(len(self.steps)), self.request.spaces, strict=True)
        )

    @property
    def fill(self) -> str:
        """Text of the gap; with several gaps, their texts joined by an ellipsis."""
        return " … ".join(self.fills)

    @property
    def text(self) -> str:
        """The whole text: given text and fills, including text that did not fit the model's context."""
        first, *others = self.given
        return first + "".join(fill + part for fill, part in zip(self.fills, others, strict=True))


class Commits:
    """The step that last committed each position of a canvas, and the model's confidence at that step.

    `inherited` [length] is the confidence of what was written before the first step; see `Canvas`.
    """

    def __init__(self, length: int, inherited: Floats | None = None) -> None:
        self.when = np.zeros(length, dtype=np.int64)  # [length] from 1; 0 if masked or written before the run
        self.confidence = np.zeros(length) if inherited is None else inherited.copy()  # [length]
        self._steps = 0

    def add(self, step: Step) -> None:
        """Apply the next step."""
        self._steps += 1
        self.when[step.selection.remask] = 0
        self.when[step.selection.commit] = self._steps
        self.confidence[step.selection.commit] = step.prediction.confidence[step.selection.commit]


def join_pieces(tokens: Sequence[bytes | None]) -> list[str | None]:
    """Decode a sequence of tokens into pieces of text; a character spread over tokens is in the last one's piece.

    None (a masked position) stays None and interrupts a character; bytes that are not a character become U+FFFD.
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
