"""A transformers causal language model with full attention, read as a masked diffusion language model."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.denoiser import Query, Tokenizer
from models.prediction import Prediction
from models.reduction import reduce


class TransformerDenoiser:
    """DiffuGPT and DiffuLLaMA keep the autoregressive read-out: output i - 1 is about token i (arXiv:2410.17891, 3.2).

    The network takes no time input, so equal states have equal logits: the last few are kept and cost no forward pass.
    `kept_states=0` switches that off.
    """

    def __init__(
        self, name: str, model: Any, tokenizer: Tokenizer, *, context: int, vocabulary: int, kept_states: int = 4
    ) -> None:
        """`model` is a *ForCausalLM with `config.is_causal = False`; ids from `vocabulary` on are padded rows."""
        self.name, self.tokenizer, self.context = name, tokenizer, context
        self._body, self._head = model.base_model, model.get_output_embeddings()
        self._device = self._head.weight.device
        self._vocabulary = vocabulary
        self._kept_states = kept_states
        self._states: OrderedDict[bytes, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    @torch.inference_mode()
    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """One forward pass over all queries whose state is not known yet; see `Denoiser`."""
        with self._lock:
            keys = [query.ids.tobytes() + b"|" + query.positions.tobytes() for query in queries]
            missing = [j for j, key in enumerate(keys) if key not in self._states]
            fresh = dict(zip(missing, self._forward([queries[j] for j in missing]), strict=True)) if missing else {}
            logits = [fresh[j] if j in fresh else self._states[key] for j, key in enumerate(keys)]
            for key, values in zip(keys, logits, strict=True):
                self._states[key] = values
                self._states.move_to_end(key)
            while len(self._states) > self._kept_states:
                self._states.popitem(last=False)
        return [
            reduce(self._ban(values, query), query, forwards=int(j in fresh))
            for j, (values, query) in enumerate(zip(logits, queries, strict=True))
        ]

    def _forward(self, queries: Sequence[Query]) -> list[Tensor]:
        """Raw logits [n, vocabulary rows] of each query's positions; shorter canvases are padded and hidden."""
        longest = max(len(query.ids) for query in queries)
        ids = np.full((len(queries), longest), self.tokenizer.mask_id, dtype=np.int64)
        seen = np.zeros((len(queries), longest), dtype=np.int64)
        for row, query in enumerate(queries):
            ids[row, : len(query.ids)] = query.ids
            seen[row, : len(query.ids)] = 1
        attention = None if seen.all() else torch.from_numpy(seen).to(self._device)
        hidden = self._body(
            input_ids=torch.from_numpy(ids).to(self._device), attention_mask=attention, use_cache=False
        ).last_hidden_state
        rows = np.repeat(np.arange(len(queries)), [len(query.positions) for query in queries])
        columns = np.concatenate([query.positions for query in queries]) - 1
        logits = self._head(hidden[torch.from_numpy(rows), torch.from_numpy(columns)]).float()
        return list(logits.split([len(query.positions) for query in queries]))

    def _ban(self, logits: Tensor, query: Query) -> Tensor:
        banned = sorted({self.tokenizer.mask_id, *query.banned, *range(self._vocabulary, logits.shape[-1])})
        return logits.index_fill(-1, torch.tensor(banned, device=logits.device), float("-inf"))
