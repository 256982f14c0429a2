"""`python -m app evaluate-quantized`: what quantising a model costs in quality, and what it saves."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
from app.errors import InfillError, unknown

if TYPE_CHECKING:  # it imports torch
    from models.evaluate.quantisation import Cost

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
    from models.evaluate.quantisation import draw
    from models.evaluate.table import format_rows

    try:
        costs, title = _measure(args)
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


def _measure(args: argparse.Namespace) -> tuple[list[Cost], str]:
    """Return the cost of each form, and a title. Raises ValueError for a model, form, text or device that fails."""
    from models.adapt.data import Packed, read_records
    from models.bench.speed import machine
    from models.checkpoints.placement import place
    from models.checkpoints.tokenizer import read_tokenizer
    from models.evaluate.quantisation import FORMS, costs

    if args.chunks < 1:
        raise InfillError(f"--chunks must be 1 or more, not {args.chunks}")
    if args.forms is None:
        on_cpu = place("", None, device=args.device).device == "cpu"
        names = [name for name in FORMS if not (on_cpu and name == "bf16")]
    else:
        names = args.forms.split(",")
    for name in names:
        if name not in FORMS:
            raise unknown("number format", name, FORMS)
    source = models.find(args.model)
    if source is None:
        raise InfillError("the toy has no weights to quantise; give a checkpoint folder or a hub name")
    records = read_records(args.text)
    settings: dict[str, dict[str, Any]] = {name: {"device": args.device, **FORMS[name]} for name in names}
    denoisers: dict[str, Any] = {name: models.load(args.model, **given) for name, given in settings.items()}
    first = denoisers[names[0]]
    tokenizer = read_tokenizer(models.fetch(source))
    chunks = Packed(records, tokenizer, context=min(first.context, 1024), seed=0).epoch(0)[: args.chunks]
    where = machine(first.device) if first.device.type == "cuda" else str(first.device)
    return costs(denoisers, chunks), f"{source.name} on {where}, {chunks.size:,} tokens"
