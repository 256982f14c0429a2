"""`python -m app frequencies`: count how common each token is in a text, for strategies that need it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import models
from app.errors import InfillError
from app.flags import add_out_flag
from models.checkpoints.frequencies import NAME, write_frequencies


def add_command(commands: Any) -> None:
    """Add the command `frequencies` to what `add_subparsers` returned."""
    about = "count how common each token is in a text"
    command = commands.add_parser("frequencies", help=about, description=about, allow_abbrev=False)
    command.add_argument(
        "--text",
        type=Path,
        required=True,
        help="text like the one that models are to write (.txt or .xz), each record ended by a line <|endoftext|>",
    )
    command.add_argument(
        "--model",
        default="bundled",
        help="whose tokens to count: a catalogue entry, a checkpoint folder, or a hub name (default: %(default)s)",
    )
    add_out_flag(command, NAME)
    command.set_defaults(run=_count)


def _count(args: argparse.Namespace, load: object) -> int:
    from models.adapt.frequencies import count  # it imports transformers

    try:
        source = models.find(args.model)
        if source is None:
            raise InfillError("the toy's letters are not counted; give a checkpoint folder or a hub name")
        folder = models.fetch(source)
        counts, out = count(args.text, folder), args.out or folder / NAME
    except ValueError as error:
        raise InfillError(str(error)) from error
    try:
        write_frequencies(out, counts)
    except OSError as error:
        raise InfillError(f"cannot write '{out}': {error.strerror}") from None
    print(f"{out}: {counts.total()} tokens, {len(counts)} of them different")
    return 0
