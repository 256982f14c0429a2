"""Score fills by an autoregressive model: how likely are they after the text before them, and the text after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.sampling.canvas import Canvas
from models.denoiser import Ids, Judge

AFTER = 16
"""Tokens after the gap whose likelihood is measured too: a fill may be likely and yet not lead up to what follows."""
_AT_ONCE = 32


@dataclass(frozen=True)
class Nats:
    """-log p in nats, a token. Lower is likelier, but below the truth's own it is blander than what people write."""

    fill: float  # of the fill, given the text before it
    after: float  # of up to AFTER tokens after it, given the text before them; NaN if there are none
    passage: float  # of both, in nats in all


def nats_per_token(canvas: Canvas, fills: Sequence[Sequence[int] | Ids], judge: Judge) -> list[Nats]:
    """Score fills [n][masks] of a canvas with one gap by a model with the same vocabulary.

    A fill's own tokens are read as they are, so the fill of a token sequence that the tokenizer would split in another
    way is scored as that sequence. Raises ValueError if the canvas has several gaps.
    """
    if len(canvas.gaps) != 1:
        raise ValueError(f"a canvas with one gap can be scored, and this one has {len(canvas.gaps)}")
    (gap,) = canvas.gaps
    before, after = canvas.ids[: gap.start], canvas.ids[gap.stop : gap.stop + AFTER]
    found = []
    for start in range(0, len(fills), _AT_ONCE):
        texts = [np.array([*fill, *after], dtype=np.int64) for fill in fills[start : start + _AT_ONCE]]
        for scores in judge.log_probabilities([before] * len(texts), texts):
            own, next_ = np.split(-scores, [len(scores) - len(after)])
            found.append(
                Nats(float(own.mean()), float(next_.mean()) if len(after) else np.nan, passage=-float(scores.sum()))
            )
    return found
