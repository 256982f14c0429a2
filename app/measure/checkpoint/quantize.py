"""`python -m app quantize`: quantise a checkpoint once, so that later starts read less."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import models
from app.errors import InfillError
from models.checkpoints.weights import QUANTISED, read_weights


def add_command(commands: Any) -> None:
    """Add the command `quantize` to what `add_subparsers` returned."""
    about = "quantise a checkpoint once: a 7B model then starts from 4 GB rather than 13"
    command = commands.add_parser("quantize", help=about, description=about, allow_abbrev=False)
    command.add_argument("source", metavar="SRC", help="a catalogue entry, a checkpoint folder, or a hub name")
    command.add_argument("out", metavar="DST", type=Path, help="the folder to write")
    command.add_argument("--to", choices=list(QUANTISED), default="nf4", help="(default: %(default)s)")
    command.add_argument("--device", help="where to quantise: cpu, cuda (default: the best available)")
    command.add_argument(
        "--dtype", default="bfloat16", help="of embeddings, head and norms, which are not quantised (default: bfloat16)"
    )
    command.add_argument("--mask-token-id", type=int, help="id of the mask token (default: the checkpoint's)")
    command.set_defaults(run=_quantize)


def _quantize(args: argparse.Namespace, load: object) -> int:
    from models.checkpoints.convert import quantize

    try:
        quantize(args.source, args.out, args.to, device=args.device, dtype=args.dtype, mask_token_id=args.mask_token_id)
    except ValueError as error:
        raise InfillError(str(error)) from error
    source = models.find(args.source)
    assert source is not None, "the toy cannot be quantised"
    before, after = (read_weights(folder).bytes / 1e6 for folder in (models.fetch(source), args.out))
    print(f"{args.out}: {after:.1f} MB of weights, from {before:.1f} MB")
    return 0
