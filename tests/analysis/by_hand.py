"""Traces written by hand: what was guessed in each step, and which step wrote what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from app.sampling.canvas import Canvas
from app.sampling.request import InfillRequest
from app.sampling.step import Selection, Step
from app.trace.trace import Trace
from models.prediction import TOP, Prediction
from models.toy import LETTERS, ToyTokenizer

TOY = ToyTokenizer("abcdefghij")
CLASSES = TOY.classes


def trace(
    guesses: Sequence[str],
    written: Mapping[int, str],
    *,
    prefix: str = "ab",
    suffix: str = "ab",
    probabilities: Sequence[Sequence[float]] | None = None,
    remasked: Mapping[int, str] | None = None,
) -> Trace:
    """Return a run of one gap: `guesses` have a letter for each slot in each step, a dot where nothing is asked.

    `written` and `remasked` have the slots, as digits from 0, that a step, from 1, commits or masks again. What it
    commits is its guess there. The best guess has the probability given, or else 1/2.
    """
    assert CLASSES is not None
    length, size = len(prefix) or 1, len(guesses[0])
    given = TOY.encode(prefix) if prefix else list(TOY.begin)
    start = canvas = Canvas.of([given, TOY.encode(suffix)], [[None] * size], TOY.mask_id)
    steps = []
    for number, row in enumerate(guesses, start=1):
        places = np.array([place for place, letter in enumerate(row) if letter != "."], dtype=np.int64)
        tokens = np.array([TOY.encode(row[place])[0] for place in places.tolist()], dtype=np.int64)
        asked = length + places
        tops, chances = np.full((len(canvas), TOP), -1, dtype=np.int64), np.zeros((len(canvas), TOP))
        tops[asked, 0] = tokens
        chances[asked, 0] = 0.5 if probabilities is None else np.array(probabilities[number - 1])[places]
        kinds = np.zeros((len(canvas), len(LETTERS)))
        kinds[asked, CLASSES.of[tokens]] = 1.0
        back = length + np.array([int(digit) for digit in (remasked or {}).get(number, "")], dtype=np.int64)
        commit = length + np.array([int(digit) for digit in written.get(number, "")], dtype=np.int64)
        canvas = canvas.remask(back).commit(commit, tops[commit, 0])
        steps.append(
            Step(
                canvas=canvas,
                prediction=_prediction(tops, chances, kinds),
                selection=Selection(commit=commit, remask=back),
                nfe=number,
                calls=number,
                seconds=0.1 * number,
                model_seconds=0.1 * number,
            )
        )
    return Trace(
        request=InfillRequest(prefix=prefix, suffix=suffix, length=size, steps=len(guesses), space=False),
        model="toy",
        start=start,
        lexicon={token: TOY.token_bytes(token) for token in range(TOY.size)},
        classes=LETTERS,
        class_of=dict(enumerate(CLASSES.of.tolist())),
        steps=tuple(steps),
        ended="stopped" if canvas.masked.any() else "complete",
    )


def _prediction(tops: np.ndarray, chances: np.ndarray, kinds: np.ndarray) -> Prediction:
    none = np.zeros(len(tops))
    return Prediction(
        candidates=tops[:, 0],
        confidence=chances[:, 0],
        entropy=none,
        margin=none,
        logit_margin=none,
        drawn_confidence=none,
        drawn_entropy=none,
        drawn_margin=none,
        top_tokens=tops,
        top_probs=chances,
        drift=np.empty((len(tops), 0)),
        class_probs=kinds,
    )
