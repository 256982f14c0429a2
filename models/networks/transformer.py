"""A transformers causal language model with full attention, read as a masked diffusion language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.denoiser import Judge, Query, Tokenizer
from models.networks.reduction import contrasted, reduce
from models.prediction import Prediction

SHORTEST, HIGHEST = 64, 8
"""Tokens and rows: static shapes are so long or twice, four times, … as long, up to the model's context; and 1, 2, 4 or
so many rows high. A higher batch, such as that of all lengths of a gap, keeps the GPU busy without being compiled."""

_COMPILED = 64
"""Shapes of one network at most: more than SHORTEST and HIGHEST allow. Dynamo's own limit is 8."""


def power_of_two(number: int) -> int:
    """The smallest one that is not less."""
    return 1 << (number - 1).bit_length()


def compile_shapes(body: Any, **settings: Any) -> Any:
    """A network that is compiled anew for each shape, as `torch.compile` does by itself only for the first eight.

    By default all networks share the eight, since transformers wraps them in one function. The limit is given here
    because Dynamo's global settings hold only in the thread that makes them.
    """
    own = {"recompile_limit": _COMPILED, "isolate_recompiles": True}  # which torch's overloads leave out
    return torch.compile(body, dynamic=False, **own, **settings)  # pyright: ignore[reportCallIssue]


class TransformerDenoiser:
    """DiffuGPT and DiffuLLaMA keep the autoregressive read-out: output i - 1 is about token i (arXiv:2410.17891, 3.2).

    The network takes no time input; what a query's cache holds of a state is used again, and costs no forward pass.
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
        """`model` is a *ForCausalLM with `config.is_causal = False`; ids from `vocabulary` on are padded rows.

        `static` pads a batch to one of a few shapes, and on a GPU compiles the network for each into a CUDA graph: the
        first pass of a shape takes long (see `warm_up`), and the later ones launch nothing kernel by kernel. Networks
        in int8 are never compiled, for the shapes inside them change with what they read.
        `judge` loads the autoregressive parent; it is called when that is first needed.
        """
        self.name, self.tokenizer, self.context, self.notices = name, tokenizer, context, notices
        self.body, self.head = model.base_model, model.get_output_embeddings()
        spread = any(weight.is_meta for weight in model.parameters())  # by accelerate, whose hooks move what they need
        self.device = torch.device("cpu") if spread else self.head.weight.device
        self.vocabulary = vocabulary
        self.static = static
        eight_bits = any(type(module).__name__ == "Linear8bitLt" for module in model.modules())
        self.compiled = static and self.device.type == "cuda" and not eight_bits
        self._run = compile_shapes(self.body, mode="reduce-overhead") if self.compiled else self.body
        self._load_judge = judge

    @property
    def judge(self) -> Judge | None:
        """The autoregressive parent, loaded when it is first asked for; None if there is none."""
        return self._load_judge and self._load_judge()

    def warm_up(self) -> None:
        """Compile the static shapes of a single text, so that nobody has to wait for it later; else nothing.

        In the thread that will ask for predictions: CUDA graphs are recorded for each thread anew.
        """
        length = 0
        while self.compiled and length < self.context:
            length = self._padded(length + 1)
            ids = np.full(length, self.tokenizer.mask_id, dtype=np.int64)
            query = Query(ids=ids, positions=np.array([1]), uniforms=np.zeros(1))
            try:
                for _ in range(2):  # the second one is recorded
                    self.predict([query])
            except MemoryError:  # told to whoever comes with so long a text
                return

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """One forward pass over all queries whose state is not known yet; see `Denoiser`.

        Raises MemoryError where the GPU has too little memory, after giving back what the pass took.
        """
        try:
            return self._predict(queries)
        except torch.OutOfMemoryError as error:
            told = str(error)
        torch.cuda.empty_cache()  # here the failed pass's tensors are gone, which the error held
        raise MemoryError(
            f"the GPU has too little memory for this text; shorten it, or choose a smaller model ({told})"
        )

    @torch.inference_mode()
    def _predict(self, queries: Sequence[Query]) -> list[Prediction]:
        rows = [row for query in queries for row in query.rows]
        known = [row.cache and row.cache.get(row.state) for row in rows]
        fresh = iter(self._forward([row for row, logits in zip(rows, known, strict=True) if logits is None]))
        believed = [next(fresh) if logits is None else (logits, 0) for logits in known]
        parts = iter(believed)
        predictions = []
        for query in queries:
            own, *other = list(islice(parts, len(query.rows)))
            logits = contrasted(own[0], other[0][0], query.guidance.weight) if query.guidance else own[0]
            forwards = sum(passed for _, passed in (own, *other))
            predictions.append(reduce(self._ban(logits, query), query, forwards=forwards))
        for row, (logits, _) in zip(rows, believed, strict=True):
            if row.cache is not None:
                # Only now: after a mistake in one query the others are asked again.
                row.cache.put(row.state, logits)
        return predictions

    def _forward(self, queries: Sequence[Query]) -> list[tuple[Tensor, int]]:
        """Raw logits [n, vocabulary rows] of each query's positions, and the forward passes that they cost.

        Shorter canvases are padded, and the padding is hidden.
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
        seen[:, 0] = 1  # a row in which nothing is seen has no softmax
        for row, query in enumerate(queries):
            ids[row, : len(query.ids)] = query.ids
            seen[row, : len(query.ids)] = 1
        # Without a mask attention can be flash attention; a static graph must have the mask that other canvases need.
        attention = None if seen.all() and not static else torch.from_numpy(seen).to(self.device)
        run = self.body if high else self._run
        hidden = run(
            input_ids=torch.from_numpy(ids).to(self.device), attention_mask=attention, use_cache=False
        ).last_hidden_state
        rows = np.repeat(np.arange(len(queries)), [len(query.positions) for query in queries])
        columns = np.concatenate([query.positions for query in queries]) - 1
        logits = self._read(hidden[torch.from_numpy(rows), torch.from_numpy(columns)])
        return [(part, 1) for part in logits.split([len(query.positions) for query in queries])]

    def _padded(self, length: int) -> int:
        """Tokens of the static shape that holds so many."""
        return min(max(SHORTEST, power_of_two(length)), self.context)

    def _read(self, hidden: Tensor) -> Tensor:
        """Raw logits [n, vocabulary rows] of hidden states [n, width]."""
        logits = self.head(hidden).float()
        return logits.cpu() if logits.device.type == "mps" else logits  # it has no float64, which the reduction sums in

    def _ban(self, logits: Tensor, query: Query) -> Tensor:
        banned = sorted({self.tokenizer.mask_id, *query.sampling.banned, *range(self.vocabulary, logits.shape[-1])})
        return logits.index_fill(-1, torch.tensor(banned, device=logits.device), float("-inf"))
