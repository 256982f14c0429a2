"""Gaps in running text to fine-tune on: sentences and random stretches are the target, what lies around is seen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from transformers import PreTrainedTokenizerBase

from models.corpus import Batch, Packed

_LONGEST = 40
"""Tokens in a gap, at most."""


class Gaps:
    """The chunks of a packed text, each with 2 to 8 gaps that may be noised; some chunks are gap from end to end.

    Masking every token alike hardly ever hides a whole sentence and leaves its neighbours: with t = 0.1 a gap of ten
    comes up once in ten thousand million. Infilling asks for just that.
    """

    def __init__(
        self, packed: Packed, tokenizer: PreTrainedTokenizerBase, *, seed: int, everywhere: float = 0.3
    ) -> None:
        """`everywhere` is the share of chunks in which every token may be noised, so that nothing is unlearnt."""
        self._packed, self._seed, self._everywhere = packed, seed, everywhere
        pieces = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
        self._ends = np.array([piece.rstrip("\"'”’)").endswith((".", "!", "?")) for piece in pieces])

    def batches(self, size: int, *, skip: int = 0) -> Iterator[Batch]:
        """[size, context] each; batch `n` depends on nothing but the seed and `n`."""
        for number, batch in enumerate(self._packed.batches(size, skip=skip), start=skip):
            yield self._opened(batch, np.random.default_rng([self._seed, number, 1]))

    def sample(self, count: int) -> Batch:
        return self._opened(self._packed.sample(count), np.random.default_rng([self._seed, 0, 2]))

    def _opened(self, batch: Batch, rng: np.random.Generator) -> Batch:
        return Batch(ids=batch.ids, maskable=np.stack([self._gaps(row, rng) for row in batch.ids]))

    def _gaps(self, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """[context] True in the gaps."""
        if rng.random() < self._everywhere:
            return np.ones(len(row), dtype=np.bool_)
        gaps = np.zeros(len(row), dtype=np.bool_)
        ends = np.flatnonzero(self._ends[row]) + 1
        sentences = [pair for pair in pairwise(ends.tolist()) if 2 < pair[1] - pair[0] <= _LONGEST]
        for _ in range(rng.integers(2, 9)):
            if sentences and rng.random() < 0.7:
                start, stop = sentences[rng.integers(len(sentences))]
            else:
                start = rng.integers(1, max(2, len(row) - 1))
                stop = start + rng.integers(1, _LONGEST + 1)
            gaps[start:stop] = True
        return gaps
