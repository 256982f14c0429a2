"""The parts of an evaluation, each for a diffusion model and for an autoregressive one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import models
from app.errors import InfillError
from app.measure.checkpoint import filling, sampling
from app.measure.problems import Problem
from models.corpus import Packed

if TYPE_CHECKING:  # they import torch
    from models.networks.autoregressive import AutoregressiveModel
    from models.networks.transformer import TransformerDenoiser

    Model = TransformerDenoiser | AutoregressiveModel


def load_checkpoint(name: str) -> tuple[Path, Model]:
    """Return a model's folder, and the model: diffusion or autoregressive. Raises ValueError if there is none."""
    from models.checkpoints.checkpoint import load_autoregressive
    from models.checkpoints.facts import is_diffusion
    from models.networks.transformer import TransformerDenoiser

    source = models.find(name)
    if source is None:
        raise ValueError("the toy is exact and needs no evaluation; give 'bundled' or a checkpoint folder")
    folder = models.fetch(source)
    if source.adapted or is_diffusion(folder):
        denoiser = models.load(name)
        assert isinstance(denoiser, TransformerDenoiser)
        return folder, denoiser
    return folder, load_autoregressive(folder, name=source.name)


def chunk(
    records: Sequence[str], folder: Path, model: Model, *, context: int | None, seed: int, most: int | None
) -> NDArray[np.integer]:
    """Return the tokens of a text as chunks [k, context] in random order; `context` None is the model's.

    Raises ValueError if the text is too short, or the model reads fewer tokens than `context`.
    """
    from models.checkpoints.tokenizer import read_tokenizer

    if context is not None and context > model.context:
        raise ValueError(f"--context {context} is more than the {model.context} tokens that '{model.name}' reads")
    packed = Packed(records, read_tokenizer(folder), context=context or model.context, seed=seed)
    return packed.epoch(0)[:most]


def temperature_of(folder: Path) -> float:
    """Return the sampling temperature of arXiv:2410.17891 for a checkpoint: it depends on the architecture."""
    from models.checkpoints.facts import read_config

    return 0.95 if read_config(folder).get("model_type") == "gpt2" else 0.9


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A model, the problems and the text to measure it on, and the settings."""

    model: Model
    problems: Sequence[Problem]
    chunks: NDArray[np.integer] | None  # [k, context] tokens; None without a text
    temperature: float
    candidates: int  # an autoregressive model's draws for each problem
    samples: int
    length: int  # tokens in a sample
    seed: int

    def facts(self) -> dict[str, Any]:
        """Return the model's name, kind and number of parameters, and the seed."""
        from models.networks.transformer import TransformerDenoiser

        body, head = self.model.body, self.model.head
        return {
            "model": self.model.name,
            "kind": "diffusion" if isinstance(self.model, TransformerDenoiser) else "autoregressive",
            "parameters": sum(weights.numel() for weights in {*body.parameters(), *head.parameters()}),
            "seed": self.seed,
        }

    def rows(self, part: str) -> list[dict[str, Any]]:
        """Measure one part (elbo, top1, infill or samples) and return its rows."""
        from models.networks.transformer import TransformerDenoiser

        if isinstance(self.model, TransformerDenoiser):
            return [asdict(row) for row in self._diffusion(part, self.model)]
        return [asdict(row) for row in self._autoregressive(part, self.model)]

    def _diffusion(self, part: str, denoiser: TransformerDenoiser) -> Iterator[Any]:
        from models.evaluate import likelihood

        if part == "elbo":
            yield likelihood.elbo(denoiser, self._text, seed=self.seed)
        elif part == "top1":
            yield filling.masked_token_accuracy(denoiser, self.problems)
        elif part == "infill":
            yield from filling.fill_by_denoising(denoiser, self.problems, temperature=self.temperature, seed=self.seed)
        else:
            yield sampling.sample_diffusion(denoiser, samples=self.samples, length=self.length, seed=self.seed)
            yield from self._taken_from_text()

    def _autoregressive(self, part: str, model: AutoregressiveModel) -> Iterator[Any]:
        from models.evaluate import likelihood

        if part == "elbo":
            yield likelihood.next_token_loss(model, self._text)
        elif part == "top1":
            yield filling.next_token_accuracy(model, self.problems)
        elif part == "infill":
            yield from filling.fill_from_the_left(
                model, self.problems, temperature=self.temperature, candidates=self.candidates, seed=self.seed
            )
        else:
            yield sampling.sample_autoregressive(model, samples=self.samples, length=self.length, seed=self.seed)
            yield from self._taken_from_text()

    @property
    def _text(self) -> NDArray[np.integer]:
        if self.chunks is None:
            raise InfillError("the part 'elbo' needs --text")
        return self.chunks

    def _taken_from_text(self) -> Iterator[Any]:
        if self.chunks is None:
            return
        row = sampling.take_from_text(self.chunks, self.model.tokenizer, samples=self.samples, length=self.length)
        if row is not None:
            yield row
