"""`python -m app differences`: how texts of a diffusion model differ from those of its parent."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
from app.errors import InfillError
from app.flags import add_model_flags, model_settings
from app.measure.differences import report
from app.measure.differences.texts import FIRST_SAMPLE, PROMPT, WAYS, cut_prompts, own_prompts, write_texts
from app.measure.map.runs import Rows
from app.sampling.request import MAX_LENGTH
from models.checkpoints.topics import read_topics
from models.corpus import read_records
from models.denoiser import Denoiser

if TYPE_CHECKING:  # it imports torch
    from models.networks.autoregressive import AutoregressiveModel

SAMPLES = (
    "On a cold and windy morning, Mia put on her yellow boots and walked down to the river. She wanted to find",
    "The old clock in the kitchen had stopped. Grandpa took it from the wall, opened the back and saw",
    "Once there was a little bear who did not like honey. Every day his brother asked him why, and",
)
"""Prompts whose texts are shown unedited. They were written for this and are in no corpus."""


def add_command(commands: Any) -> None:
    """Add the command `differences` to what `add_subparsers` returned."""
    about = "compare texts of the model in several orders with those of its autoregressive parent (arXiv:2605.12522)"
    command = commands.add_parser("differences", help=about, description=about, allow_abbrev=False)
    command.add_argument(
        "--text",
        type=Path,
        required=True,
        help="held-out text (.txt or .xz), each record ended by a line <|endoftext|>: its beginnings are the prompts",
    )
    command.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder for the texts, differences.json, differences.md and, with Chromium, differences.png; a killed run "
        "resumes from it",
    )
    command.add_argument("--texts", type=int, default=128, metavar="R", help="texts a row (default: %(default)s)")
    command.add_argument("--length", type=int, default=64, metavar="G", help="tokens a text (default: %(default)s)")
    command.add_argument("--batch", type=int, default=8, help="runs that share a pass (default: %(default)s)")
    command.add_argument("--minutes", type=float, default=float("inf"), help="begin no further texts after this time")
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_model_flags(command)
    command.set_defaults(run=_compare)


def _compare(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    for flag in ("texts", "length", "batch"):
        if getattr(args, flag) < 1:
            raise InfillError(f"--{flag} must be 1 or more, not {getattr(args, flag)}")
    source = models.find(args.model)
    if source is None or source.parent is None or source.folder is None:
        raise InfillError(f"'{args.model}' has no autoregressive parent to compare it with; choose bundled")
    try:
        records = read_records(args.text)
        denoiser = load(args.model, **model_settings(args))
        topics = read_topics(source.folder, denoiser.tokenizer.size)
    except ValueError as error:
        raise InfillError(str(error)) from None
    parent = models.load_parent(source.parent)
    _check(args, denoiser, parent, records)
    facts = {
        "model": denoiser.name,
        "settings": model_settings(args),
        "text": hashlib.sha256("\n".join(records).encode()).hexdigest()[:16],
        "length": args.length,
    }
    prompts = cut_prompts(records, denoiser, length=args.length, count=args.texts)
    rows = Rows(args.out, facts)
    wanted = {FIRST_SAMPLE + number: prompt for number, prompt in enumerate(own_prompts(SAMPLES, denoiser))}
    wanted |= dict(enumerate(prompts))
    left = [
        (number, prompt, [way for way in WAYS if not rows.has(number, way.key, [0])])
        for number, prompt in wanted.items()
    ]
    left = [task for task in left if task[2]]
    until = time.time() + 60 * args.minutes
    for found in write_texts(left, denoiser, parent, length=args.length, batch=args.batch, until=until):
        rows.add(found)
        if sys.stderr.isatty():
            print(f"{len(rows.by_problem)} of {len(wanted)} prompts", file=sys.stderr)
    made = report.build(rows, SAMPLES, len(prompts), args.length, topics, denoiser)
    report.write(made, args.out)
    print(report.as_json(made) if args.json else report.as_table(made))
    return 0


def _check(args: argparse.Namespace, denoiser: Denoiser, parent: AutoregressiveModel, records: Sequence[str]) -> None:
    """Raise InfillError if the texts do not fit the models, or if parent and child read them as other tokens."""
    longest = min(MAX_LENGTH, min(denoiser.context, parent.context) - PROMPT)
    if args.length > longest:
        raise InfillError(f"--length must be at most {longest} for '{denoiser.name}', not {args.length}")
    for text in (*SAMPLES, *records[:100]):
        if list(parent.tokenizer.encode(text)) != list(denoiser.tokenizer.encode(text)):
            raise InfillError(f"'{denoiser.name}' and its parent read text as other tokens: their texts do not compare")
