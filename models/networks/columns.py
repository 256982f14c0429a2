"""Which positions a network's attention reads: column masses, recorded during an ordinary pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from models.denoiser import Floats, Ids

_NAME = "columns"  # of the attention function in transformers' registers


class Columns:
    """Sums up the attention that each canvas of a batch receives from some of its rows."""

    def __init__(self, queries: Sequence[Ids | None]) -> None:
        """Take, for each canvas, the rows whose attention is to be read; None records nothing for that canvas."""
        self._queries = queries
        self._sums: dict[int, Tensor] = {}
        self._layers = 0

    def add(self, query: Tensor, key: Tensor, mask: Tensor | None, scaling: float) -> None:
        """Add a layer: queries [b, heads, length, d], keys [b, heads or fewer, length, d], what sdpa takes as mask."""
        self._layers += 1
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
        for row, asked in enumerate(self._queries):
            if asked is None:
                continue
            rows = torch.from_numpy(asked).to(query.device)
            scores = (query[row][:, rows] @ key[row].transpose(-1, -2)).float() * scaling
            if mask is not None:
                seen = mask[min(row, len(mask) - 1)].expand(-1, query.shape[2], -1)[:, rows]
                scores = scores.masked_fill(~seen, float("-inf")) if mask.dtype == torch.bool else scores + seen
            mass = scores.softmax(-1).mean((0, 1))
            self._sums[row] = self._sums[row] + mass if row in self._sums else mass

    def means(self, row: int, length: int) -> Floats:
        """Return the mass [length] of each position of a canvas, averaged over layers, heads and rows; it sums to 1."""
        return (self._sums[row] / self._layers)[:length].double().cpu().numpy()


_reading: ContextVar[Columns | None] = ContextVar("reading", default=None)


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **settings: Any
) -> tuple[Tensor, None]:
    """Attend as sdpa does, and record the columns if this thread reads them."""
    if (columns := _reading.get()) is not None:
        scaling = settings.get("scaling")
        columns.add(query, key, attention_mask, query.shape[-1] ** -0.5 if scaling is None else scaling)
    return sdpa_attention_forward(module, query, key, value, attention_mask, **settings)


AttentionInterface.register(_NAME, _attend)
AttentionMaskInterface.register(_NAME, sdpa_mask)


@contextmanager
def reading(body: Any, queries: Sequence[Ids | None]) -> Iterator[Columns]:
    """Record the columns of the passes that this thread makes with a network while the context lasts.

    The outputs are those of sdpa, bit for bit: the masses are computed beside them. Not for compiled networks.
    """
    columns, config = Columns(queries), body.config
    usual, token = config._attn_implementation, _reading.set(columns)
    config._attn_implementation = _NAME
    try:
        yield columns
    finally:
        config._attn_implementation = usual
        _reading.reset(token)
