"""A transformers causal language model with full attention, read as a masked diffusion language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.denoiser import Floats, Judge, Query, Tokenizer
from models.networks.columns import reading
from models.networks.reduction import contrasted, reduce
from models.prediction import Prediction

SHORTEST, HIGHEST = 64, 8
"""Static shapes have SHORTEST tokens, or twice or four times … as many up to the model's context, and 1, 2, 4, … rows.
A higher batch, for example for all lengths of a gap, keeps the GPU busy without being compiled."""

_COMPILED = 64
"""Limit of shapes per network, more than SHORTEST and HIGHEST allow. Dynamo's own limit is 8."""


def power_of_two(number: int) -> int:
    """Return the smallest power of two that is not less than a number."""
    return 1 << (number - 1).bit_length()


def compile_shapes(body: Any, **settings: Any) -> Any:
    """Compile a network separately for each shape, which `torch.compile` by default does only for the first eight.

    By default all networks share the eight, since transformers wraps them in one function. The limit is passed here
    because Dynamo's global settings apply only in the thread that makes them.
    """
    own = {"recompile_limit": _COMPILED, "isolate_recompiles": True}  # missing in torch's overloads
    return torch.compile(body, dynamic=False, **own, **settings)  # pyright: ignore[reportCallIssue]


class TransformerDenoiser:
    """A network with the autoregressive read-out: output i - 1 is about token i (arXiv:2410.17891, section 3.2).

    The network takes no time input, so states in a query's cache cost no forward pass.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Tokenizer,
        *,
        context: int,
        vocabulary: int,
        static: bool = False,
        notices: tuple[str, ...] = (),
        judge: Callable[[], Judge] | None = None,
    ) -> None:
        """Wrap a *ForCausalLM with `config.is_causal = False`; ids from `vocabulary` on are padded rows.

        `static` pads a batch to one of a few shapes, and on a GPU compiles the network for each into a CUDA graph: the
        first pass of a shape takes long (see `warm_up`), and later ones launch no single kernels. Networks in int8 are
        never compiled, because the shapes inside them depend on the input.
        `judge` loads the autoregressive parent; it is called on first use.
        """
        self.name, self.tokenizer, self.context, self.notices = name, tokenizer, context, notices
        self.body, self.head = model.base_model, model.get_output_embeddings()
        spread = any(weight.is_meta for weight in model.parameters())  # by accelerate, whose hooks move the weights
        self.device = torch.device("cpu") if spread else self.head.weight.device
        self.vocabulary = vocabulary
        self.static = static
        eight_bits = any(type(module).__name__ == "Linear8bitLt" for module in model.modules())
        self.compiled = static and self.device.type == "cuda" and not eight_bits
        self._run = compile_shapes(self.body, mode="reduce-overhead") if self.compiled else self.body
        self._load_judge = judge

    @property
    def judge(self) -> Judge | None:
        """The autoregressive parent, loaded on first use; None if there is none."""
        return self._load_judge and self._load_judge()

    def warm_up(self) -> None:
        """Compile the static shapes of a single text in advance, if the network is compiled at all.

        Call it in the thread that will ask for predictions: each thread records its own CUDA graphs.
        """
        length = 0
        while self.compiled and length < self.context:
            length = self._padded(length + 1)
            ids = np.full(length, self.tokenizer.mask_id, dtype=np.int64)
            query = Query(ids=ids, positions=np.array([1]), uniforms=np.zeros(1))
            try:
                for _ in range(2):  # the second one is recorded
                    self.predict([query])
            except MemoryError:  # raised again for a text of that length
                return

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """Run one forward pass over all queries whose states are not cached; see `Denoiser`.

        Raises MemoryError if the GPU has too little memory, after freeing the memory of the pass.
        """
        try:
            return self._predict(queries)
        except torch.OutOfMemoryError as error:
            details = str(error)
        torch.cuda.empty_cache()  # only here, where the error no longer holds the failed pass's tensors
        raise MemoryError(
            f"the GPU has too little memory for this text; shorten it, or choose a smaller model ({details})"
        )

    @torch.inference_mode()
    def _predict(self, queries: Sequence[Query]) -> list[Prediction]:
        rows = [row for query in queries for row in query.rows]
        looked = iter(self._look([row for row in rows if row.attention]))
        read = [next(looked) if row.attention else None for row in rows]
        known = [
            seen[0] if seen else row.cache and row.cache.get(row.state) for row, seen in zip(rows, read, strict=True)
        ]
        fresh = iter(self._forward([row for row, logits in zip(rows, known, strict=True) if logits is None]))
        believed = [
            next(fresh) if logits is None else (logits, int(seen is not None))
            for logits, seen in zip(known, read, strict=True)
        ]
        parts = iter(zip(believed, read, strict=True))
        predictions = []
        for query in queries:
            (own, seen), *other = list(islice(parts, len(query.rows)))
            logits = contrasted(own[0], other[0][0][0], query.guidance.weight) if query.guidance else own[0]
            forwards = own[1] + sum(passed for (_, passed), _ in other)
            found = reduce(self._ban(logits, query), query, forwards=forwards)
            predictions.append(replace(found, columns=seen[1]) if seen else found)
        for row, (logits, _) in zip(rows, believed, strict=True):
            if row.cache is not None:
                # Only now, because after an error in one query the others are asked again.
                row.cache.put(row.state, logits)
        return predictions

    def _look(self, queries: Sequence[Query]) -> list[tuple[Tensor, Floats]]:
        """Return raw logits as `_forward` does, and what `Prediction.columns` holds; one exact pass, never compiled.

        Output i - 1 is about token i, so the rows that read are those before the asked positions.
        """
        if not queries:
            return []
        with reading(self.body, [query.positions - 1 for query in queries]) as columns:
            passed = TransformerDenoiser._forward(self, queries)
        return [
            (logits, columns.means(row, len(query.ids)))
            for row, (query, (logits, _)) in enumerate(zip(queries, passed, strict=True))
        ]

    def _forward(self, queries: Sequence[Query]) -> list[tuple[Tensor, int]]:
        """Return raw logits [n, vocabulary rows] of each query's positions, and the forward passes that they cost.

        Shorter canvases are padded, and the padding is masked out.
        """
        if not queries:
            return []
        height, longest = len(queries), max(len(query.ids) for query in queries)
        high = height > HIGHEST
        static = self.static and not high
        if static:
            height, longest = power_of_two(height), self._padded(longest)
        ids = np.full((height, longest), self.tokenizer.mask_id, dtype=np.int64)
        seen = np.zeros((height, longest), dtype=np.int64)
        seen[:, 0] = 1  # a row that is all padding would have no softmax
        for row, query in enumerate(queries):
            ids[row, : len(query.ids)] = query.ids
            seen[row, : len(query.ids)] = 1
        # Without a mask attention can be flash attention; a static graph needs the mask for other canvases.
        attention = None if seen.all() and not static else torch.from_numpy(seen).to(self.device)
        looks = any(query.attention for query in queries)  # a compiled network calls no function of ours
        run = self.body if high or looks else self._run
        hidden = run(
            input_ids=torch.from_numpy(ids).to(self.device), attention_mask=attention, use_cache=False
        ).last_hidden_state
        rows = np.repeat(np.arange(len(queries)), [len(query.positions) for query in queries])
        columns = np.concatenate([query.positions for query in queries]) - 1
        logits = self._read(hidden[torch.from_numpy(rows), torch.from_numpy(columns)])
        return [(part, 1) for part in logits.split([len(query.positions) for query in queries])]

    def _padded(self, length: int) -> int:
        """Return the length of the static shape for a text."""
        return min(max(SHORTEST, power_of_two(length)), self.context)

    def _read(self, hidden: Tensor) -> Tensor:
        """Return raw logits [n, vocabulary rows] of hidden states [n, width]."""
        logits = self.head(hidden).float()
        return logits.cpu() if logits.device.type == "mps" else logits  # MPS has no float64, needed for sums

    def _ban(self, logits: Tensor, query: Query) -> Tensor:
        banned = sorted({self.tokenizer.mask_id, *query.sampling.banned, *range(self.vocabulary, logits.shape[-1])})
        return logits.index_fill(-1, torch.tensor(banned, device=logits.device), float("-inf"))
