"""The dual cache: between full passes only the gap is computed; an approximation that can measure its error."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

from models.denoiser import BeliefCache, Ids, Query
from models.networks.reduction import divergence
from models.networks.transformer import TransformerDenoiser

_KEY = b"dual cache"  # no state's key has this length: those are whole int64s and one more byte


@dataclass(frozen=True, kw_only=True)
class Meter:
    """Savings of the cache and, if compared, its error: pi of a full pass against that of a window pass just before."""

    forwards: int = 0  # all passes: full ones, window passes, and window passes only for the comparison
    positions: int = 0  # computed in these passes
    whole: int = 0  # positions that the same number of full passes would have computed
    compared: int = 0  # asked positions of the refreshes at which the window was passed as well
    kl: float = 0.0  # sum of KL(full || window) over these, in nats
    worst_kl: float = 0.0
    worst_variation: float = 0.0  # total variation distance, 0 to 1

    @property
    def mean_kl(self) -> float:
        """Mean KL in nats per position; 0 if nothing was compared."""
        return self.kl / max(1, self.compared)

    @property
    def share(self) -> float:
        """Share of positions computed, of those that the same number of full passes would have computed."""
        return self.positions / max(1, self.whole)

    def __add__(self, other: Meter) -> Meter:
        return Meter(
            forwards=self.forwards + other.forwards,
            positions=self.positions + other.positions,
            whole=self.whole + other.whole,
            compared=self.compared + other.compared,
            kl=self.kl + other.kl,
            worst_kl=max(self.worst_kl, other.worst_kl),
            worst_variation=max(self.worst_variation, other.worst_variation),
        )


def compare(full: Tensor, window: Tensor) -> Meter:
    """Compare logits [n, vocabulary] of a full pass and of the window, -inf where banned (in both)."""
    log_p, log_q = full.log_softmax(-1), window.log_softmax(-1)
    p, q = log_p.exp(), log_q.exp()
    kl = divergence(log_p, log_q)
    variation = (p - q).abs().sum(-1) / 2
    return Meter(
        compared=len(full), kl=float(kl.sum()), worst_kl=float(kl.max()), worst_variation=float(variation.max())
    )


class _Rows(DynamicLayer):
    """Keys and values of a whole canvas: the first pass sets all rows, later passes overwrite those of the window.

    Keys already include their positions here, so full attention only needs the right rows.
    """

    def __init__(self, window: slice) -> None:
        super().__init__()
        self._window = window

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if self.get_seq_length() == 0:
            return super().update(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        self.keys[..., self._window, :] = key_states
        self.values[..., self._window, :] = value_states
        return self.keys, self.values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the number of rows, to which the window's queries add none, and the offset 0."""
        return self.get_seq_length() or query_length, 0


@dataclass(frozen=True, eq=False, kw_only=True)
class _Run:
    """The cached state of one run."""

    ids: Ids  # [length] the canvas of the last full pass
    window: slice  # [s - 1, e): the output about token s is at s - 1
    cache: Cache  # on the network's device; length * layers * 2 * hidden numbers
    windows: int = 0  # window passes since the full one
    meter: Meter = Meter()

    def covers(self, query: Query) -> bool:
        """Check that the query changes and asks about positions of the window only."""
        if len(query.ids) != len(self.ids):
            return False
        changed = np.flatnonzero(query.ids != self.ids)
        asked = query.positions - 1
        return all(self.window.start <= at < self.window.stop for at in (*changed, *asked, *query.positions))


def check(refresh: int, *, static: bool) -> None:
    """Raise ValueError for invalid settings of a dual cache; needs no network."""
    if refresh < 1:
        raise ValueError(f"the passes between refreshes of the dual cache must be 1 or more, not {refresh}")
    if static:
        raise ValueError(
            "the dual cache computes windows of any length and excludes static shapes; leave out one of the two"
        )


class DualCacheDenoiser(TransformerDenoiser):
    """Computes all positions in one of `refresh` passes of a run, and in the others the window [s - 1, e) of the gap.

    Keys and values outside the window are those of the last full pass; those inside are recomputed. With full
    attention every token changes the keys and values of all others above the first layer, so this is an approximation,
    unlike an autoregressive cache; `refresh` 1 is exact. A pass counts as one in the NFE, whether it computes the whole
    canvas or only the window. The canvases of a call are passed one by one, but count as one call in a run's `calls`
    and budget. Queries without a cache are answered exactly.

    Wu et al., 2025, Fast-dLLM (DualCache), arXiv:2505.22618; the window begins one token earlier, for the shift by one.
    """

    def __init__(self, exact: TransformerDenoiser, *, refresh: int = 4, compared: bool = False) -> None:
        """Use the network of `exact`. Raises as `check` does.

        `compared` passes the window once more at every refresh, to measure the error; these passes count in the NFE.
        """
        check(refresh, static=exact.static)
        vars(self).update(vars(exact))  # the same network
        self.refresh, self.compared = refresh, compared
        if refresh > 1:
            self.notices += (
                f"The dual cache is on: one pass in {refresh} computes the whole text, the others only the gap. This "
                "is approximate, and may write other text than exact passes do; for those leave out --dual-cache.",
            )
        self.meter = Meter()
        """Total of all runs."""

    @staticmethod
    def meter_of(beliefs: BeliefCache) -> Meter:
        """Return the meter of the run that this cache belongs to."""
        run = beliefs.get(_KEY)
        return Meter() if run is None else run.meter

    def _forward(self, queries: Sequence[Query]) -> list[tuple[Tensor, int]]:
        """Pass the queries one by one, since their windows differ."""
        if self.refresh == 1:
            return super()._forward(queries)
        return [
            super(DualCacheDenoiser, self)._forward([query])[0]
            if query.cache is None or query.aside
            else self._step(query, query.cache)
            for query in queries
        ]

    def _step(self, query: Query, beliefs: BeliefCache) -> tuple[Tensor, int]:
        run, length = beliefs.get(_KEY), len(query.ids)
        if run is not None and not run.covers(query):
            run = None  # another text
        before, spent = Meter() if run is None else run.meter, Meter()
        due = run is None or run.windows + 1 >= self.refresh
        logits = estimate = None
        if run is not None and (self.compared or not due):
            logits = estimate = self._pass(query, run)
            spent += Meter(forwards=1, positions=run.window.stop - run.window.start, whole=length)
            run = replace(run, windows=run.windows + 1)
        if run is None or logits is None or due:
            first, last = int(query.positions.min()), int(query.positions.max())
            window = slice(first - 1, last + 1) if run is None else run.window  # what is committed may be taken back
            cache = Cache(layer_class_to_replicate=functools.partial(_Rows, window))
            run = _Run(ids=query.ids, window=window, cache=cache)
            logits = self._pass(query, run)
            spent += Meter(forwards=1, positions=length, whole=length)
            if estimate is not None:
                spent += compare(self._ban(logits, query), self._ban(estimate, query))
        self.meter += spent
        beliefs.put(_KEY, replace(run, meter=before + spent))
        return logits, spent.forwards

    def _pass(self, query: Query, run: _Run) -> Tensor:
        """Raw logits [n, vocabulary rows]: of the whole canvas while the run's cache is empty, else of the window."""
        rows = run.window if run.cache.get_seq_length() else slice(0, len(query.ids))
        hidden = self.body(
            input_ids=torch.from_numpy(query.ids[rows]).to(self.device)[None],
            position_ids=torch.arange(rows.start, rows.stop, device=self.device)[None],
            cache=run.cache,
            use_cache=True,
        ).last_hidden_state[0]
        return self._read(hidden[torch.from_numpy(query.positions - 1 - rows.start)])
