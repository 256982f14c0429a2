"""`python -m app proofread`: which words of a text look wrong to the model, and how well that finds wrong ones."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from app import cli
from app.errors import InfillError
from app.flags import add_model_flags, model_settings
from app.measure.bootstrap import Estimate
from app.measure.problems import read_problems
from app.measure.proofreading import LOWEST, Found, measure_proofreading
from app.proofread import Word, least_believed, proofread
from app.sampling import template
from app.watching import MASK
from models.denoiser import Denoiser
from models.terminal import plain, progress

SHARE = 0.1
"""Share of the words that are marked."""


def add_command(commands: Any) -> None:
    """Add the command `proofread` to what `add_subparsers` returned."""
    about = "mark the words of a text that the model believes least, from one forward pass"
    command = commands.add_parser("proofread", help=about, description=about, allow_abbrev=False)
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", help="the text; [[3]] stands for 3 tokens that are not known")
    source.add_argument("file", nargs="?", metavar="FILE", help="a file with the text, or - for standard input")
    source.add_argument(
        "--problems", type=Path, help="instead, measure how well swapped words and redrawn tokens are found"
    )
    command.add_argument(
        "--share", type=float, default=SHARE, help="share of the words to mark, 0 to 1 (default: %(default)s)"
    )
    command.add_argument("--limit", type=int, default=100, help="with --problems: the first N (default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="with --problems (default: %(default)s)")
    command.add_argument(
        "--json", action="store_true", help="print every word with its belief, or the figures, as JSON"
    )
    add_model_flags(command)
    command.set_defaults(run=_proofread)


def _proofread(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    if not 0 <= args.share <= 1:
        raise InfillError(f"--share must be from 0 to 1, not {args.share}")
    if args.limit < 1:
        raise InfillError(f"--limit must be 1 or more, not {args.limit}")
    if args.problems is not None:
        problems = read_problems(args.problems)[: args.limit]
        denoiser = load(args.model, **model_settings(args))
        found = measure_proofreading(problems, denoiser, seed=args.seed, progress=partial(progress, what="problems"))
        print(json.dumps(plain(asdict(found))) if args.json else report(found))
        return 0
    parts = read_parts(args.text if args.text is not None else cli.read(args.file))
    words = proofread(parts, load(args.model, **model_settings(args)))
    marked = least_believed(words, args.share)
    if args.json:
        print(json.dumps([{**asdict(word), "marked": word in marked} for word in words], ensure_ascii=False))
    else:
        print(mark(parts, marked))
    return 0


def read_parts(text: str) -> list[str | int]:
    """Return a text as stretches and numbers of masks. Raises InfillError for a gap that is malformed or `auto`."""
    if "[[" not in text:
        return [text]
    read = template.read(text)
    if any(gap.length is None for gap in read.gaps):
        raise InfillError("a gap that is auto has no length yet: write a number of masks, as in [[3]]")
    parts: list[str | int] = [read.given[0]]
    for gap, after in zip(read.gaps, read.given[1:], strict=True):
        parts += [gap.length or 0, after]
    return parts


def mark(parts: Sequence[str | int], marked: Sequence[Word]) -> str:
    """Return the text with marked words between underscores, and a line for each: belief, tokens, word."""
    text, at, read = "", 0, 0
    for part in parts:
        if isinstance(part, int):
            text += MASK * part
            continue
        for word in marked:
            if read <= word.start < read + len(part):
                text += part[at - read : word.start - read] + f"_{word.text}_"
                at = word.stop
        text += part[max(0, at - read) :]
        read += len(part)
        at = max(at, read)
    lines = [
        f"{100 * math.exp(word.belief):7.3f} %  {word.text}" + f"  ({word.tokens} tokens)" * (word.tokens > 1)
        for word in sorted(marked, key=lambda word: word.belief)
    ]
    return "\n".join([text.rstrip("\n"), "", *lines])


def report(found: Found) -> str:
    """Return the figures as text."""
    return "\n".join(
        [
            f"swapped words among the {LOWEST} least believed of their sentence: {_share(found.in_sentence)}"
            f" ({found.sentences} sentences of {found.words:.1f} words; by chance {found.by_chance:.0%})",
            f"among the {LOWEST} least believed of the passage: {_share(found.in_passage)}",
            f"area under the ROC curve for redrawn tokens: {found.auc.mean:.3f} [{found.auc.low:.3f},"
            f" {found.auc.high:.3f}] ({found.redrawn} tokens in {found.texts} texts)",
        ]
    )


def _share(found: Estimate) -> str:
    return f"{found.mean:.0%} [{found.low:.0%}, {found.high:.0%}]"
