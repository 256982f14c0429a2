"""A causal language model that continues texts and computes their probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers import GenerationConfig

from models.denoiser import Floats, Vocabulary

Text = Sequence[int] | NDArray[np.integer]
"""Token ids."""


class AutoregressiveModel:
    """p(next token | all before it). Special tokens may be read and scored, but are never written."""

    def __init__(self, name: str, model: Any, tokenizer: Vocabulary, *, context: int, vocabulary: int) -> None:
        """Wrap a *ForCausalLM with causal attention; ids from `vocabulary` on are padded rows."""
        self.name, self.tokenizer, self.context = name, tokenizer, context
        self.body, self.head = model.base_model, model.get_output_embeddings()
        self.device = self.head.weight.device
        self._model = model
        self._model.generation_config = GenerationConfig()  # the folder's sampling settings would apply otherwise
        self._never = sorted({*tokenizer.special_ids, *range(vocabulary, self.head.weight.shape[0])})

    @torch.inference_mode()
    def complete(
        self, prefixes: Sequence[Text], length: int, *, temperature: float = 0.0, top_p: float = 1.0, seed: int = 0
    ) -> list[list[int]]:
        """Continue each prefix by exactly `length` tokens, all in one batch; `temperature` 0 takes the likeliest token.

        The same prefixes in the same order with the same seed are continued in the same way. Raises ValueError if a
        prefix is empty or does not leave enough room in the context.
        """
        self._check(prefixes, [length] * len(prefixes))
        if not length or not len(prefixes):
            return [[] for _ in prefixes]
        ids, seen = self._padded(prefixes, left=True)
        draw = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
        settings = GenerationConfig(
            max_new_tokens=length,
            suppress_tokens=self._never or None,
            pad_token_id=0,
            **draw if temperature > 0 else {"do_sample": False},
        )
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):  # `generate` draws from torch's global state
            torch.manual_seed(seed)
            texts = self._model.generate(ids, attention_mask=seen, generation_config=settings)
        return texts[:, ids.shape[1] :].tolist()

    @torch.inference_mode()
    def log_probabilities(self, prefixes: Sequence[Text], continuations: Sequence[Text]) -> list[Floats]:
        """Return log p in nats [length of each continuation] of its tokens given all before; one forward pass.

        The sum is log p(continuation | prefix). Nothing is banned: padded rows and special tokens have probabilities.
        Raises ValueError if a prefix is empty or both do not fit into the context.
        """
        lengths = [len(continuation) for continuation in continuations]
        self._check(prefixes, lengths)
        if not lengths:
            return []
        both = [[*map(int, prefix), *map(int, rest)] for prefix, rest in zip(prefixes, continuations, strict=True)]
        ids, seen = self._padded(both, left=False)
        hidden = self.body(input_ids=ids, attention_mask=seen, use_cache=False).last_hidden_state
        rows = np.repeat(np.arange(len(both)), lengths)
        columns = np.concatenate([np.arange(len(text) - n, len(text)) for text, n in zip(both, lengths, strict=True)])
        at, after = torch.from_numpy(rows), torch.from_numpy(columns)
        logits = self.head(hidden[at, after - 1]).float()
        losses = functional.cross_entropy(logits, ids[at, after], reduction="none")
        return np.split(-losses.double().cpu().numpy(), np.cumsum(lengths)[:-1])

    @torch.inference_mode()
    def next_logits(self, prefixes: Sequence[Text]) -> torch.Tensor:
        """Return logits [prefixes, rows of the head] of the token after each prefix, in fp32; one forward pass.

        They are -inf for tokens that are never written. Raises ValueError if a prefix is empty or fills the context.
        """
        self._check(prefixes, [1] * len(prefixes))
        ids, seen = self._padded(prefixes, left=False)
        hidden = self.body(input_ids=ids, attention_mask=seen, use_cache=False).last_hidden_state
        logits = self.head(hidden[range(len(prefixes)), [len(prefix) - 1 for prefix in prefixes]]).float()
        logits[:, self._never] = float("-inf")
        return logits

    def _check(self, prefixes: Sequence[Text], lengths: Sequence[int]) -> None:
        if any(len(prefix) == 0 for prefix in prefixes):
            raise ValueError("there is nothing to continue; begin an empty prefix with the tokenizer's `begin`")
        longest = max((len(prefix) + n for prefix, n in zip(prefixes, lengths, strict=True)), default=0)
        if longest > self.context:
            raise ValueError(f"{longest} tokens do not fit: '{self.name}' reads {self.context}; shorten the prefix")

    def _padded(self, texts: Sequence[Text], *, left: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return padded ids [b, longest] and a mask that is 0 in the padding, or None without padding."""
        longest = max(map(len, texts))
        ids, seen = np.zeros((2, len(texts), longest), dtype=np.int64)
        for row, text in enumerate(texts):
            place = slice(longest - len(text), None) if left else slice(len(text))
            ids[row, place], seen[row, place] = text, 1
        mask = None if seen.all() and not left else torch.from_numpy(seen).to(self.device)
        return torch.from_numpy(ids).to(self.device), mask
