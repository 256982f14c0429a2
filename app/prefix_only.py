"""Fill the same gap with an autoregressive model, which continues the prefix and never sees the suffix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.errors import InfillError
from app.sampling.layout import encode_sides
from app.sampling.request import InfillRequest
from models.denoiser import Floats

if TYPE_CHECKING:  # it imports torch
    from models.networks.autoregressive import AutoregressiveModel


@dataclass(frozen=True, eq=False, kw_only=True)
class PrefixOnly:
    """Continuations of a request's prefix with the same number of tokens as its gap, and their scores in nats."""

    greedy: str  # the likeliest token at each position: the paper's baseline (arXiv:2410.17891, table 1)
    drawn: tuple[str, ...]  # [R]
    follows: Floats  # [R] log p(suffix | prefix, fill): how well the suffix follows
    passage: Floats  # [R] log p(fill, suffix | prefix): how probable the passage is

    @property
    def best_before_suffix(self) -> str:
        """The draw that the suffix follows best: the closest that a left-to-right model comes to seeing the suffix."""
        return self.drawn[int(self.follows.argmax())]

    @property
    def best_passage(self) -> str:
        """The draw that makes the most probable passage."""
        return self.drawn[int(self.passage.argmax())]


def continue_prefix(
    request: InfillRequest, model: AutoregressiveModel, *, candidates: int = 16, temperature: float = 0.9
) -> PrefixOnly:
    """Continue the prefix once greedily, and `candidates` times at a temperature with the request's seed.

    Raises InfillError if the gap alone does not fit the model's context, for several gaps, for pinned words, and for a
    length that is `auto`.
    """
    length = request.length
    if length is None:
        raise InfillError("the length is still auto: give a number of masks")
    prefix, suffix = encode_sides(request, model)
    (greedy,) = model.complete([prefix], length)
    drawn = model.complete([prefix] * candidates, length, temperature=temperature, seed=request.seed)
    scores = model.log_probabilities([prefix] * candidates, [[*fill, *suffix] for fill in drawn])

    def text(tokens: list[int]) -> str:
        return b"".join(map(model.tokenizer.token_bytes, tokens)).decode("utf-8", "replace")

    return PrefixOnly(
        greedy=text(greedy),
        drawn=tuple(map(text, drawn)),
        follows=np.array([tokens[length:].sum() for tokens in scores]),
        passage=np.array([tokens.sum() for tokens in scores]),
    )
