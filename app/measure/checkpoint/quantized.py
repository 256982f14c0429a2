"""`python -m app evaluate-quantized`: what quantising a model costs in quality, and what it saves."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.errors import InfillError

_FORMS = "fp32,bf16,int8,nf4,fp4"  # those of models.evaluate.quantisation, which imports torch


def add_command(commands: Any) -> None:
    """Add the command `evaluate-quantized` to what `add_subparsers` returned."""
    about = "measure what quantising a model costs, and what it saves"
    command = commands.add_parser("evaluate-quantized", help=about, description=about, allow_abbrev=False)
    command.add_argument(
        "model", metavar="MODEL", help="a catalogue entry, a checkpoint folder, or a hub name; not quantised yet"
    )
    command.add_argument(
        "--text", type=Path, required=True, help="held-out text (.txt or .xz), each record ended by <|endoftext|>"
    )
    command.add_argument("--chunks", type=int, default=128, help="chunks of the text to use (default: %(default)s)")
    command.add_argument(
        "--forms",
        help=f"number formats, separated by commas; the first is the reference (default: {_FORMS}; on a CPU, "
        "where it is slow, without bf16)",
    )
    command.add_argument("--device", help="cpu or cuda (default: the best available)")
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command.add_argument("--plot", type=Path, metavar="FILE.html", help="also draw the bound against memory")
    command.set_defaults(run=_evaluate_quantized)


def _evaluate_quantized(args: argparse.Namespace, load: object) -> int:
    if args.chunks < 1:
        raise InfillError(f"--chunks must be 1 or more, not {args.chunks}")
    from models.evaluate.quantisation import draw, measure
    from models.evaluate.table import format_rows

    forms = None if args.forms is None else args.forms.split(",")
    try:
        costs, title = measure(args.model, args.text, chunks=args.chunks, forms=forms, device=args.device)
    except ValueError as error:
        raise InfillError(str(error)) from error
    rows = [asdict(cost) for cost in costs]
    print(json.dumps(rows) if args.json else format_rows(title, rows))
    if args.plot:
        try:
            draw(costs, args.plot, title=title)
        except OSError as error:
            raise InfillError(f"cannot write '{args.plot}': {error.strerror}") from None
    return 0
