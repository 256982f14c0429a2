"""`python -m models.evaluate`: one checkpoint's numbers as tables or as JSON."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import models
from app.cli import Parser, one_line
from app.errors import InfillError, unknown
from app.measure.checkpoint import filling, sampling
from app.measure.problems import Problem, read_problems
from app.sampling.request import MAX_LENGTH
from models.adapt.data import Packed, read_records
from models.checkpoints import checkpoint
from models.checkpoints.checkpoint import load_autoregressive
from models.checkpoints.tokenizer import read_tokenizer
from models.evaluate import likelihood
from models.evaluate.table import table
from models.networks.autoregressive import AutoregressiveModel
from models.networks.transformer import TransformerDenoiser

PARTS = {"elbo": "text", "top1": "problems", "infill": "problems", "samples": None}
"""Every part, and the file without which it cannot be."""
_LENGTH = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate one checkpoint; the exit code is 2 for a mistake that the user can put right, 130 after Ctrl-C."""
    try:
        return _run(sys.argv[1:] if arguments is None else list(arguments))
    except InfillError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> Parser:
    parser = Parser(prog="python -m models.evaluate", description="What a checkpoint can do.", allow_abbrev=False)
    parser.add_argument("model", metavar="MODEL", help="bundled, or a checkpoint folder of either kind")
    parser.add_argument("--text", type=Path, help="held-out text (.txt or .xz), records ended by a line <|endoftext|>")
    parser.add_argument("--problems", type=Path, help="JSON lines with prefix, middle, suffix")
    parser.add_argument("--only", help=f"parts, separated by commas (default: all, {','.join(PARTS)})")
    parser.add_argument("--limit", type=int, help="only the first so many problems")
    parser.add_argument("--chunks", type=int, help="only so many chunks of the text")
    parser.add_argument("--context", type=int, help="tokens in a chunk (default: all that the model reads)")
    parser.add_argument("--samples", type=int, default=64, help="texts out of nothing (default: %(default)s)")
    parser.add_argument("--length", type=int, help=f"tokens in each of them (default: {_LENGTH}, if the model can)")
    parser.add_argument(
        "--candidates", type=int, default=16, help="an autoregressive model's draws for the best (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser


def _run(arguments: list[str]) -> int:
    args = _parser().parse_args(arguments)
    parts = _chosen(args)
    problems = read_problems(args.problems)[: args.limit] if {"top1", "infill"} & set(parts) else []
    try:
        records = read_records(args.text) if "elbo" in parts or ("samples" in parts and args.text) else []
        folder, model = _load(args.model)
        chunks = _chunks(records, folder, model, args) if records or "elbo" in parts else None
    except ValueError as error:
        raise InfillError(str(error)) from error
    longest = min(MAX_LENGTH, model.context - 1)
    args.length = min(_LENGTH, longest) if args.length is None else args.length
    if not 1 <= args.length <= longest:
        raise InfillError(f"--length must be from 1 to {longest}, not {args.length}")
    diffusion = isinstance(model, TransformerDenoiser)
    heat = 0.95 if checkpoint.read_config(folder).get("model_type") == "gpt2" else 0.9  # arXiv:2410.17891's
    job = Job(problems=problems, chunks=chunks, temperature=heat, args=args)
    facts = {
        "model": model.name,
        "kind": "diffusion" if diffusion else "autoregressive",
        "parameters": sum(weights.numel() for weights in {*model.body.parameters(), *model.head.parameters()}),
        "seed": args.seed,
    }
    if not args.json:
        print("{model}: {kind}, {parameters:,} parameters, seed {seed}".format(**facts))
    found = {}
    for part in parts:
        began = time.perf_counter()
        rows = [asdict(row) for row in (job.diffusion(part, model) if diffusion else job.autoregressive(part, model))]
        found[part] = {"seconds": time.perf_counter() - began, "rows": rows}
        if not args.json:
            print("\n" + table(f"{part} ({found[part]['seconds']:.0f} s)", rows), flush=True)
    if args.json:
        print(json.dumps(_finite(facts | {"parts": found})))
    return 0


def _chosen(args: argparse.Namespace) -> list[str]:
    """The parts asked for. Raises InfillError for a part that is not known or lacks its file, and for wrong numbers."""
    parts = list(PARTS) if args.only is None else args.only.split(",")
    for part in parts:
        if part not in PARTS:
            raise unknown("part", part, PARTS)
        file = PARTS[part]
        if file and getattr(args, file) is None:
            raise InfillError(f"the part '{part}' needs --{file}; give it, or choose other parts with --only")
    for flag, least in (("limit", 1), ("chunks", 1), ("context", 2), ("samples", 1), ("candidates", 1), ("seed", 0)):
        value = getattr(args, flag)
        if value is not None and value < least:
            raise InfillError(f"--{flag} must be {least} or more, not {value}")
    return parts


def _load(name: str) -> tuple[Path, TransformerDenoiser | AutoregressiveModel]:
    """The model's folder, and the model as what it is. Raises ValueError where there is none."""
    source = models.find(name)
    if source is None:
        raise ValueError("the toy is exact, there is nothing to evaluate: give 'bundled' or a checkpoint folder")
    folder = models.fetch(source)
    if source.adapted or checkpoint.is_diffusion(folder):
        return folder, models.load(name)  # pyright: ignore[reportReturnType]
    return folder, load_autoregressive(folder, name=source.name)


def _chunks(
    records: Sequence[str], folder: Path, model: TransformerDenoiser | AutoregressiveModel, args: argparse.Namespace
) -> NDArray[np.integer]:
    """[k, context] of the text, in random order. Raises ValueError where the text or the model's context is short."""
    context = args.context or model.context
    if context > model.context:
        raise ValueError(f"--context {context} is more than the {model.context} tokens that '{model.name}' reads")
    if not records:
        raise ValueError(f"there is no text in '{args.text}'")
    packed = Packed(records, read_tokenizer(folder), context=context, seed=args.seed)
    return packed.epoch(0)[: args.chunks]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is measured on."""

    problems: Sequence[Problem]
    chunks: NDArray[np.integer] | None
    temperature: float
    args: argparse.Namespace

    def diffusion(self, part: str, denoiser: TransformerDenoiser) -> Iterator[Any]:
        """The rows of a part."""
        if part == "elbo":
            yield likelihood.elbo(denoiser, self._text, seed=self.args.seed)
        elif part == "top1":
            yield filling.masked_token_accuracy(denoiser, self.problems)
        elif part == "infill":
            yield from filling.fill_by_denoising(
                denoiser, self.problems, temperature=self.temperature, seed=self.args.seed
            )
        else:
            yield sampling.sample_diffusion(denoiser, seed=self.args.seed, **self._size)
            yield from self._real_text(denoiser)

    def autoregressive(self, part: str, model: AutoregressiveModel) -> Iterator[Any]:
        """The same."""
        if part == "elbo":
            yield likelihood.next_token_loss(model, self._text)
        elif part == "top1":
            yield filling.next_token_accuracy(model, self.problems)
        elif part == "infill":
            yield from filling.fill_from_the_left(
                model,
                self.problems,
                temperature=self.temperature,
                candidates=self.args.candidates,
                seed=self.args.seed,
            )
        else:
            yield sampling.sample_autoregressive(model, seed=self.args.seed, **self._size)
            yield from self._real_text(model)

    @property
    def _text(self) -> NDArray[np.integer]:
        if self.chunks is None:
            raise InfillError("the part 'elbo' needs --text")
        return self.chunks

    @property
    def _size(self) -> dict[str, int]:
        return {"samples": self.args.samples, "length": self.args.length}

    def _real_text(self, model: TransformerDenoiser | AutoregressiveModel) -> Iterator[Any]:
        if self.chunks is not None:
            row = sampling.take_from_text(self.chunks, model.tokenizer, **self._size)
            yield from [] if row is None else [row]


def _finite(data: Any) -> Any:
    """NaN, which JSON does not have, as null."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and math.isnan(data) else data


if __name__ == "__main__":
    sys.exit(main())
