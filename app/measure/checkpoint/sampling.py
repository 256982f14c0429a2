"""Measure how varied the texts are that a model writes without a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.infill import infill
from app.sampling.request import InfillRequest
from app.trace import metrics
from models.denoiser import Denoiser, Vocabulary
from models.terminal import progress

if TYPE_CHECKING:  # it imports torch
    from models.networks.autoregressive import AutoregressiveModel

TEMPERATURE, TOP_P = 0.9, 0.95
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Variety:
    """Variety of n-grams of token ids; comparable only for equal samples, tokens and tokenizers."""

    name: str
    distinct1: float
    distinct2: float
    distinct3: float
    entropy1: float  # divided by the logarithm of the number of n-grams
    entropy2: float
    entropy3: float
    repeated3: float  # share of 3-grams that occurred before in the same sample
    samples: int
    tokens: int  # in a sample


def sample_diffusion(denoiser: Denoiser, *, samples: int, length: int, seed: int = 0) -> Variety:
    """Write unconditional texts with `random`, one step per token, temperature 0.9 and top-p 0.95; measure them."""
    texts = []
    for number in progress(range(samples), "samples"):
        request = InfillRequest(
            length=length, steps=length, strategy="random", temperature=TEMPERATURE, top_p=TOP_P, seed=seed + number
        )
        *_, trace = infill(request, denoiser)
        texts.append(trace.canvas.ids[trace.canvas.span].tolist())
    return measure_variety(f"random, T = {length}, temperature {TEMPERATURE}, top-p {TOP_P}", texts)


def sample_autoregressive(model: AutoregressiveModel, *, samples: int, length: int, seed: int = 0) -> Variety:
    """Continue the token that begins a text, at temperature 0.9 and top-p 0.95; measure the texts."""
    texts = []
    for start in progress(range(0, samples, _BATCH), "samples"):
        prefixes = [model.tokenizer.begin] * min(_BATCH, samples - start)
        texts += model.complete(prefixes, length, temperature=TEMPERATURE, top_p=TOP_P, seed=seed + start)
    return measure_variety(f"left to right, temperature {TEMPERATURE}, top-p {TOP_P}", texts)


def take_from_text(chunks: NDArray[np.integer], vocabulary: Vocabulary, *, samples: int, length: int) -> Variety | None:
    """Measure the first tokens of chunks [k, l], for comparison; None if there are too few."""
    texts = [[int(token) for token in chunk if int(token) not in vocabulary.special_ids][:length] for chunk in chunks]
    enough = [text for text in texts if len(text) == length][:samples]
    return measure_variety("the text itself", enough) if len(enough) == samples else None


def measure_variety(name: str, texts: Sequence[Sequence[int]]) -> Variety:
    """Measure texts of equal length."""
    return Variety(
        name=name,
        **{f"distinct{n}": metrics.distinct(texts, n) for n in (1, 2, 3)},
        **{f"entropy{n}": metrics.ngram_entropy(texts, n) for n in (1, 2, 3)},
        repeated3=metrics.repetition(texts, 3),
        samples=len(texts),
        tokens=len(texts[0]),
    )
