"""`python -m app topics`: make the topic vectors that `python -m app differences` compares texts with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import models
from app.errors import InfillError
from app.flags import add_out_flag
from models.checkpoints.topics import NAME, write_topics


def add_command(commands: Any) -> None:
    """Add the command `topics` to what `add_subparsers` returned."""
    about = "make topic vectors of tokens from a text, for `differences`"
    command = commands.add_parser("topics", help=about, description=about, allow_abbrev=False)
    command.add_argument(
        "--text",
        type=Path,
        required=True,
        help="the training text (.txt or .xz), each record ended by a line <|endoftext|>",
    )
    command.add_argument(
        "--model",
        default="bundled",
        help="whose tokens to describe: a catalogue entry, a checkpoint folder, or a hub name (default: %(default)s)",
    )
    add_out_flag(command, NAME)
    command.set_defaults(run=_make)


def _make(args: argparse.Namespace, load: object) -> int:
    from models.adapt.topics import make_topics  # it imports transformers

    try:
        source = models.find(args.model)
        if source is None:
            raise InfillError("the toy's letters have no topics; give a checkpoint folder or a hub name")
        folder = models.fetch(source)
        vectors, out = make_topics(args.text, folder), args.out or folder / NAME
    except ValueError as error:
        raise InfillError(str(error)) from error
    try:
        write_topics(out, vectors)
    except OSError as error:
        raise InfillError(f"cannot write '{out}': {error.strerror}") from None
    print(f"{out}: {vectors.shape[1]} numbers for each of {len(vectors)} tokens, {vectors.any(1).sum()} of them seen")
    return 0
