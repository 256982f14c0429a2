"""An autoregressive model in a denoiser's place: it knows the next token and nothing of what comes after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from models.classes import TokenClasses
from models.denoiser import Floats, Query, Vocabulary
from models.networks.autoregressive import AutoregressiveModel
from models.networks.reduction import reduce
from models.prediction import Prediction


class MaskedVocabulary:
    """A vocabulary with one more token, the mask, which the network never sees."""

    frequencies: Floats | None = None
    classes: TokenClasses | None = None

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Give the mask the id after the last."""
        self._vocabulary, self.mask_id = vocabulary, vocabulary.size
        self.begin, self.size = vocabulary.begin, vocabulary.size + 1
        self.special_ids = vocabulary.special_ids | {self.mask_id}

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        return self._vocabulary.encode(text, opening=opening)

    def token_bytes(self, token: int) -> bytes:
        return b"" if token == self.mask_id else self._vocabulary.token_bytes(token)


class LeftToRightDenoiser:
    """Believes something about the leftmost mask only, from what stands before it; other masks count as not asked.

    Each pass reads the whole text before that mask again: no keys and values are kept from one pass to the next.
    """

    judge = None

    def __init__(self, model: AutoregressiveModel) -> None:
        """Wrap a model; it keeps its name and its context."""
        self.name, self.context, self.notices = model.name, model.context, ()
        self.tokenizer = MaskedVocabulary(model.tokenizer)
        self._model = model

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """Return predictions; see `Denoiser`. A query's guidance is left out: there is nothing to guide by.

        Raises ValueError if a query does not ask about its leftmost mask.
        """
        asked = [self._about_the_next(query) for query in queries]
        known = [query.cache and query.cache.get(query.state) for query in asked]
        new = [query for query, logits in zip(asked, known, strict=True) if logits is None]
        computed = iter(self._logits(new))
        found = []
        for query, logits in zip(asked, known, strict=True):
            own = next(computed) if logits is None else logits
            if query.cache is not None:
                query.cache.put(query.state, own)
            allowed = own[None].clone()
            allowed[:, list(query.sampling.banned)] = float("-inf")
            found.append(reduce(allowed, query, forwards=int(logits is None)))
        return found

    def _about_the_next(self, query: Query) -> Query:
        first = int(np.argmax(query.ids == self.tokenizer.mask_id))
        places = np.flatnonzero(query.positions == first)
        if not len(places):
            raise ValueError("an autoregressive model can only be asked about the leftmost mask")
        return replace(query, positions=query.positions[places], uniforms=query.uniforms[places], guidance=None)

    def _logits(self, queries: Sequence[Query]) -> list[torch.Tensor]:
        """Return logits [vocabulary and mask] for each query, from one forward pass."""
        if not queries:
            return []
        logits = self._model.next_logits([query.ids[: query.positions[0]] for query in queries])
        room = self.tokenizer.size - logits.shape[1]
        return list(functional.pad(logits, (0, max(0, room)), value=float("-inf")))
