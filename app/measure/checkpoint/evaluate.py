"""`python -m app evaluate`: measure one checkpoint, diffusion or autoregressive; print tables or JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from app.errors import InfillError, unknown
from app.measure.checkpoint.parts import Evaluation, chunk, load_checkpoint, temperature_of
from app.measure.problems import read_problems, without_rouge
from app.sampling.request import MAX_LENGTH
from models.corpus import read_records
from models.evaluate.table import format_rows
from models.terminal import plain

PARTS = {"elbo": "text", "top1": "problems", "infill": "problems", "samples": None}
"""Every part, and the flag of the file that it needs."""
_LENGTH = 64


def add_command(commands: Any) -> None:
    """Add the command `evaluate` to what `add_subparsers` returned."""
    about = "measure a checkpoint: likelihood, accuracy, infilling, free samples"
    command = commands.add_parser("evaluate", help=about, description=about, allow_abbrev=False)
    command.add_argument("model", metavar="MODEL", help="bundled, or a checkpoint folder, diffusion or autoregressive")
    command.add_argument(
        "--text", type=Path, help="held-out text (.txt or .xz), each record ended by a line <|endoftext|>"
    )
    command.add_argument("--problems", type=Path, help="JSON lines with prefix, middle, suffix")
    command.add_argument("--only", help=f"parts, separated by commas (default: {','.join(PARTS)})")
    command.add_argument("--limit", type=int, metavar="N", help="use only the first N problems")
    command.add_argument("--chunks", type=int, metavar="N", help="use only N chunks of the text")
    command.add_argument("--context", type=int, help="tokens in a chunk (default: as many as the model reads)")
    command.add_argument("--samples", type=int, default=64, help="free samples to write (default: %(default)s)")
    command.add_argument("--length", type=int, help=f"tokens in a sample (default: {_LENGTH}, or the model's most)")
    command.add_argument(
        "--candidates", type=int, default=16, help="draws of an autoregressive model per problem (default: %(default)s)"
    )
    command.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    command.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace, load: object) -> int:
    parts = _chosen_parts(args)
    evaluation = _prepare(args, parts)
    facts, found = evaluation.facts(), {}
    if "infill" in parts and (notice := without_rouge(evaluation.problems)):
        print(notice, file=sys.stderr)
    if not args.json:
        print("{model}: {kind}, {parameters:,} parameters, seed {seed}".format(**facts))
    for part in parts:
        began = time.perf_counter()
        rows = evaluation.rows(part)
        found[part] = {"seconds": time.perf_counter() - began, "rows": rows}
        if not args.json:
            print("\n" + format_rows(f"{part} ({found[part]['seconds']:.0f} s)", rows), flush=True)
    if args.json:
        print(json.dumps(plain(facts | {"parts": found})))
    return 0


def _chosen_parts(args: argparse.Namespace) -> list[str]:
    """Return the parts to measure. Raises InfillError for an unknown part, a missing file or a wrong number."""
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


def _prepare(args: argparse.Namespace, parts: list[str]) -> Evaluation:
    """Read the files and load the model. Raises InfillError if one of them cannot be used."""
    problems = read_problems(args.problems)[: args.limit] if {"top1", "infill"} & set(parts) else []
    try:
        records = read_records(args.text) if args.text and {"elbo", "samples"} & set(parts) else []
        if "elbo" in parts and not records:
            raise InfillError(f"there is no text in '{args.text}'")
        folder, model = load_checkpoint(args.model)
        sizes = {"context": args.context, "seed": args.seed, "most": args.chunks}
        chunks = chunk(records, folder, model, **sizes) if records else None
    except ValueError as error:
        raise InfillError(str(error)) from error
    longest = min(MAX_LENGTH, model.context - 1)
    length = min(_LENGTH, longest) if args.length is None else args.length
    if not 1 <= length <= longest:
        raise InfillError(f"--length must be from 1 to {longest}, not {length}")
    return Evaluation(
        model=model,
        problems=problems,
        chunks=chunks,
        temperature=temperature_of(folder),
        candidates=args.candidates,
        samples=args.samples,
        length=length,
        seed=args.seed,
    )
