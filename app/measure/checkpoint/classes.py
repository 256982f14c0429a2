"""`python -m app classes`: find the word class of each token, for analyses of when a kind of word is decided."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import models
from app.errors import InfillError
from app.flags import add_out_flag
from models.checkpoints.classes import NAME, write_classes


def add_command(commands: Any) -> None:
    """Add the command `classes` to what `add_subparsers` returned."""
    about = "find the word class of each token in English text; needs TextBlob"
    command = commands.add_parser("classes", help=about, description=about, allow_abbrev=False)
    command.add_argument(
        "--text",
        type=Path,
        required=True,
        help="text like the one that models are to write (.txt or .xz), each record ended by a line <|endoftext|>",
    )
    command.add_argument(
        "--model",
        default="bundled",
        help="whose tokens: a catalogue entry, a checkpoint folder, or a hub name (default: %(default)s)",
    )
    add_out_flag(command, NAME)
    command.set_defaults(run=_make)


def _make(args: argparse.Namespace, load: object) -> int:
    from models.adapt.classes import make, textblob  # it imports transformers

    try:
        source = models.find(args.model)
        if source is None:
            raise InfillError("the toy's letters have classes already; give a checkpoint folder or a hub name")
        folder = models.fetch(source)
        made, out = make(args.text, folder, textblob()), args.out or folder / NAME
    except ValueError as error:
        raise InfillError(str(error)) from error
    try:
        write_classes(out, made.pieces)
    except OSError as error:
        raise InfillError(f"cannot write '{out}': {error.strerror}") from None
    sizes = ", ".join(f"{len(pieces)} {name}" for name, pieces in made.pieces.items())
    print(f"{out}: {sizes}; {made.agreeing:.1%} of {made.tokens:,} tokens have the class of their word there")
    return 0
