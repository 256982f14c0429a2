"""The dual cache: between full passes only the gap is computed; an approximation, and it says how good a one."""

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

_KEY = b"dual cache"  # no state's key has this length: theirs are whole int64s and one byte more


@dataclass(frozen=True, kw_only=True)
class Meter:
    """What the cache saved, and how far it led astray: pi of a full pass against that of the window just before it."""

    forwards: int = 0  # all passes: full ones, of the window, and of the window for this comparison alone
    positions: int = 0  # computed in these passes
    whole: int = 0  # that as many full passes would have computed
    compared: int = 0  # asked positions of all refreshes
    kl: float = 0.0  # sum over these of KL(full || window), in nats
    worst_kl: float = 0.0
    worst_variation: float = 0.0  # total variation distance, 0 to 1

    @property
    def mean_kl(self) -> float:
        """Nats a position; 0 before the first refresh."""
        return self.kl / max(1, self.compared)

    @property
    def share(self) -> float:
        """Of the positions that as many full passes would have computed."""
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
    """Logits [n, vocabulary] of a full pass and of the window, -inf where banned (in both)."""
    log_p, log_q = full.log_softmax(-1), window.log_softmax(-1)
    p, q = log_p.exp(), log_q.exp()
    kl = divergence(log_p, log_q)
    variation = (p - q).abs().sum(-1) / 2
    return Meter(
        compared=len(full), kl=float(kl.sum()), worst_kl=float(kl.max()), worst_variation=float(variation.max())
    )


class _Rows(DynamicLayer):
    """Keys and values of a whole canvas: the first pass fills them in, later ones overwrite the rows of the window.

    Keys carry their positions when they come here, so full attention needs nothing but the right rows.
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
        """As many keys as rows: the window's queries add none."""
        return self.get_seq_length() or query_length, 0


@dataclass(frozen=True, eq=False, kw_only=True)
class _Run:
    """What is kept of one run."""

    ids: Ids  # [length] the canvas of the last full pass
    window: slice  # [s - 1, e): the output that is about token s stands one before it
    cache: Cache  # on the network's device; takes length * layers * 2 * hidden numbers
    windows: int = 0  # passes of the window since the full one
    meter: Meter = Meter()

    def covers(self, query: Query) -> bool:
        """Whether only the window has changed, and the query asks about nothing else."""
        if len(query.ids) != len(self.ids):
            return False
        changed = np.flatnonzero(query.ids != self.ids)
        asked = query.positions - 1
        return all(self.window.start <= at < self.window.stop for at in (*changed, *asked, *query.positions))


def check(refresh: int, *, static: bool) -> None:
    """Raises ValueError where these settings of a dual cache make no sense; nothing has been loaded then."""
    if refresh < 1:
        raise ValueError(f"the dual cache is refreshed every so many passes, 1 or more, not {refresh}")
    if static:
        raise ValueError(
            "the dual cache runs windows of any length, and goes without static shapes: leave one of the two away"
        )


class DualCacheDenoiser(TransformerDenoiser):
    """A full pass in every `refresh` passes of a run; in the others only the window [s - 1, e) around the gap.

    Keys and values outside the window stay as the last full pass left them, and those inside are computed anew. With
    full attention every token changes all the others' keys and values above the first layer, so this is an
    approximation, unlike an autoregressive cache; `refresh` 1 is exact. Every refresh also passes the window once
    more, to compare; that pass counts in NFE like any other. The canvases of a question are passed one by one, so here
    a run's `calls`, and its budget, count questions rather than passes. Queries without a cache are answered exactly.

    Wu et al., 2025, Fast-dLLM (DualCache), arXiv:2505.22618; the window begins one token earlier, for the shift by one.
    """

    def __init__(self, exact: TransformerDenoiser, *, refresh: int = 4, compared: bool = True) -> None:
        """`compared` False saves the comparing passes. Raises ValueError if a setting makes no sense."""
        check(refresh, static=exact.static)
        vars(self).update(vars(exact))  # the same network, read in another way
        self.refresh, self.compared = refresh, compared
        if refresh > 1:
            self.notices += (
                f"The dual cache is on: one pass in {refresh} computes the whole text, the others only the gap. That "
                "is approximate, and may write something else than exact passes do: leave --dual-cache away for those.",
            )
        self.meter = Meter()
        """Of all runs together."""

    @staticmethod
    def meter_of(beliefs: BeliefCache) -> Meter:
        """Of the run that this cache belongs to."""
        run = beliefs.get(_KEY)
        return Meter() if run is None else run.meter

    def _forward(self, queries: Sequence[Query]) -> list[tuple[Tensor, int]]:
        """One by one: their windows differ."""
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
