"""A transformers causal language model with full attention, read as a masked diffusion language model."""

from __future__ import annotations

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

    The network takes no time input; what a query's memory holds of a state is used again, and costs no forward pass.
    """

    def __init__(self, name: str, model: Any, tokenizer: Tokenizer, *, context: int, vocabulary: int) -> None:
        """`model` is a *ForCausalLM with `config.is_causal = False`; ids from `vocabulary` on are padded rows."""
        self.name, self.tokenizer, self.context = name, tokenizer, context
        self.body, self.head = model.base_model, model.get_output_embeddings()
        self.device = self.head.weight.device
        self.vocabulary = vocabulary

    @torch.inference_mode()
    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """One forward pass over all queries whose state is not known yet; see `Denoiser`."""
        states = [query.ids.tobytes() + b"|" + query.positions.tobytes() for query in queries]
        known = [query.memory and query.memory.get(state) for query, state in zip(queries, states, strict=True)]
        fresh = iter(self._forward([query for query, logits in zip(queries, known, strict=True) if logits is None]))
        predictions = []
        for query, state, kept in zip(queries, states, known, strict=True):
            logits = next(fresh) if kept is None else kept
            if query.memory is not None:
                query.memory.put(state, logits)
            predictions.append(reduce(self._ban(logits, query), query, forwards=int(kept is None)))
        return predictions

    def _forward(self, queries: Sequence[Query]) -> list[Tensor]:
        """Raw logits [n, vocabulary rows] of each query's positions; shorter canvases are padded and hidden."""
        if not queries:
            return []
        longest = max(len(query.ids) for query in queries)
        ids = np.full((len(queries), longest), self.tokenizer.mask_id, dtype=np.int64)
        seen = np.zeros((len(queries), longest), dtype=np.int64)
        for row, query in enumerate(queries):
            ids[row, : len(query.ids)] = query.ids
            seen[row, : len(query.ids)] = 1
        attention = None if seen.all() else torch.from_numpy(seen).to(self.device)
        hidden = self.body(
            input_ids=torch.from_numpy(ids).to(self.device), attention_mask=attention, use_cache=False
        ).last_hidden_state
        rows = np.repeat(np.arange(len(queries)), [len(query.positions) for query in queries])
        columns = np.concatenate([query.positions for query in queries]) - 1
        logits = self.head(hidden[torch.from_numpy(rows), torch.from_numpy(columns)]).float()
        return list(logits.split([len(query.positions) for query in queries]))

    def _ban(self, logits: Tensor, query: Query) -> Tensor:
        banned = sorted({self.tokenizer.mask_id, *query.banned, *range(self.vocabulary, logits.shape[-1])})
        return logits.index_fill(-1, torch.tensor(banned, device=logits.device), float("-inf"))
