"""Gaps in running text to fine-tune on: sentences and random stretches are the targets, the rest is given."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from transformers import PreTrainedTokenizerBase

from models.corpus import Batch, Packed

_LONGEST = 40
"""Most tokens in a gap."""


class Gaps:
    """Chunks of a packed text, each with 2 to 8 gaps that may be noised; in some chunks all tokens may be.

    Infilling masks a whole sentence and leaves its neighbours. Masking tokens independently hardly ever does that:
    with t = 0.1 a gap of ten tokens occurs once in ten thousand million.
    """

    def __init__(
        self, packed: Packed, tokenizer: PreTrainedTokenizerBase, *, seed: int, everywhere: float = 0.3
    ) -> None:
        """Open gaps; `everywhere` is the share of chunks in which every token may be noised, against forgetting."""
        self._packed, self._seed, self._everywhere = packed, seed, everywhere
        pieces = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
        self._ends = np.array([piece.rstrip("\"'”’)").endswith((".", "!", "?")) for piece in pieces])

    def batches(self, size: int, *, skip: int = 0) -> Iterator[Batch]:
        """Yield batches [size, context] without end; batch `n` depends only on the seed and `n`."""
        for number, batch in enumerate(self._packed.batches(size, skip=skip), start=skip):
            yield self._opened(batch, np.random.default_rng([self._seed, number, 1]))

    def sample(self, count: int) -> Batch:
        """Return the first `count` chunks, or all if there are fewer, with gaps of their own."""
        return self._opened(self._packed.sample(count), np.random.default_rng([self._seed, 0, 2]))

    def _opened(self, batch: Batch, rng: np.random.Generator) -> Batch:
        return Batch(ids=batch.ids, maskable=np.stack([self._gaps(row, rng) for row in batch.ids]))

    def _gaps(self, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a mask [context] that is True in the gaps."""
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
