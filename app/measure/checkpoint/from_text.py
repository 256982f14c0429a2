"""Commands that read a text and write a file about a checkpoint's tokens beside its weights.

`frequencies` counts how common each token is, `topics` makes topic vectors, `classes` finds word classes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import models
from app.errors import InfillError
from app.flags import add_out_flag
from models.checkpoints import classes, frequencies, topics

Made = tuple[Callable[[Path], None], str]
"""The function that writes the file, and the line to print about it."""


@dataclass(frozen=True)
class FromText:
    """One of the commands. `make` reads a text with the tokenizer in a folder; it may raise ValueError."""

    name: str
    about: str
    file: str
    toy: str  # why the toy has none
    make: Callable[[Path, Path], Made]


def _count(text: Path, folder: Path) -> Made:
    from models.adapt.frequencies import count  # imports transformers

    counts = count(text, folder)
    said = f"{counts.total()} tokens, {len(counts)} of them different"
    return lambda out: frequencies.write_frequencies(out, counts), said


def _make_topics(text: Path, folder: Path) -> Made:
    from models.adapt.topics import make_topics  # imports transformers

    vectors = make_topics(text, folder)
    said = f"{vectors.shape[1]} numbers for each of {len(vectors)} tokens, {vectors.any(1).sum()} of them seen"
    return lambda out: topics.write_topics(out, vectors), said


def _find_classes(text: Path, folder: Path) -> Made:
    from models.adapt.classes import make, textblob  # imports transformers

    made = make(text, folder, textblob())
    sizes = ", ".join(f"{len(pieces)} {name}" for name, pieces in made.pieces.items())
    said = f"{sizes}; {made.agreeing:.1%} of {made.tokens:,} tokens have the class of their word there"
    return lambda out: classes.write_classes(out, made.pieces), said


COMMANDS = (
    FromText(
        "frequencies",
        "count how common each token is in a text",
        frequencies.NAME,
        "the toy's letters are not counted",
        _count,
    ),
    FromText(
        "topics",
        "make topic vectors of tokens from the training text, for `differences`",
        topics.NAME,
        "the toy's letters have no topics",
        _make_topics,
    ),
    FromText(
        "classes",
        "find the word class of each token in English text; needs TextBlob",
        classes.NAME,
        "the toy's letters have classes already",
        _find_classes,
    ),
)


def add_command(commands: Any) -> None:
    """Add the COMMANDS to what `add_subparsers` returned."""
    for each in COMMANDS:
        command = commands.add_parser(each.name, help=each.about, description=each.about, allow_abbrev=False)
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
        add_out_flag(command, each.file)
        command.set_defaults(run=partial(_run, each))


def _run(asked: FromText, args: argparse.Namespace, load: object) -> int:
    try:
        source = models.find(args.model)
        if source is None:
            raise InfillError(f"{asked.toy}; give a checkpoint folder or a hub name")
        folder = models.fetch(source)
        write, said = asked.make(args.text, folder)
    except ValueError as error:
        raise InfillError(str(error)) from error
    out = args.out or folder / asked.file
    try:
        write(out)
    except OSError as error:
        raise InfillError(f"cannot write '{out}': {error.strerror}") from None
    print(f"{out}: {said}")
    return 0
