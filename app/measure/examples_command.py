"""`python -m app examples`: record the examples of the page, or check that the model still repeats the recordings."""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.errors import InfillError, unknown
from app.measure.run import run_to_end
from app.trace import recording
from app.trace.examples import ASSETS, Example, read_examples
from app.trace.trace import Trace
from models.denoiser import Denoiser

TOLERANCE = 1e-3
"""Largest difference of a probability or a score that counts as rounding."""
_MACHINE = {"seconds", "model_seconds"}
_RUNNERS_UP = {"lexicon", "top_tokens"}  # two tokens of nearly the same probability may swap their ranks


def add_command(commands: Any) -> None:
    """Add the command `examples` to what `add_subparsers` returned."""
    about = "record the examples of the page again"
    command = commands.add_parser("examples", help=about, description=about, allow_abbrev=False)
    command.add_argument("ids", nargs="*", metavar="ID", help="ids of examples (default: all)")
    command.add_argument(
        "--check",
        action="store_true",
        help="write nothing; end with exit code 1 if a run differs from its recording",
    )
    command.set_defaults(run=_record)


def _record(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    # In float32 on a CPU, so that the machine does not matter.
    load = functools.cache(functools.partial(load, device="cpu", dtype="float32"))
    differing = 0
    for example in _chosen(args.ids):
        trace = run_to_end(example.request, load(example.model))
        difference = compare(trace, example.recording(ASSETS))
        if difference is None:
            print(f"{example.id}: the same as its recording")
            continue
        differing += 1
        if args.check:
            print(f"{example.id}: {difference}")
            continue
        file = example.recording(ASSETS)
        file.parent.mkdir(exist_ok=True)
        file.write_text(recording.dump(trace), encoding="utf-8")
        print(f"{example.id}: recorded, {file.stat().st_size / 1000:.0f} kB: {trace.fill.strip()}")
    if args.check and differing:
        print("Run `python -m app examples` to record them again, and read them before you commit them.")
    return int(args.check and differing > 0)


def _chosen(ids: list[str]) -> list[Example]:
    examples = {example.id: example for example in read_examples(ASSETS)}
    for name in ids:
        if name not in examples:
            raise unknown("example", name, examples)
    return [examples[name] for name in ids or examples]


def compare(trace: Trace, file: Path) -> str | None:
    """Say where a run first differs from its recording; None if it differs only by rounding and time."""
    try:
        content = file.read_text(encoding="utf-8")
        recording.load(content)
    except (OSError, InfillError) as error:
        return f"the recording '{file}' cannot be read: {error}"
    return _difference(json.loads(recording.dump(trace)), json.loads(content), "")


def _difference(new: Any, old: Any, place: str) -> str | None:
    """Compare two JSON values; `place` says where they are."""
    if isinstance(new, dict) and isinstance(old, dict):
        if new.keys() != old.keys():
            return f"{place or 'the recording'} has other fields"
        pairs = [(f"{place}.{name}".lstrip("."), new[name], old[name]) for name in new]
        pairs = [pair for pair, name in zip(pairs, new, strict=True) if name not in _MACHINE | _RUNNERS_UP]
    elif isinstance(new, list) and isinstance(old, list):
        if len(new) != len(old):
            return f"{place} has {len(new)} entries, in the recording {len(old)}"
        pairs = [(f"{place}[{number}]", *values) for number, values in enumerate(zip(new, old, strict=True))]
    elif isinstance(new, float) and isinstance(old, float):
        return None if abs(new - old) <= TOLERANCE else f"{place} is {new}, in the recording {old}"
    else:
        return None if new == old else f"{place} is {new!r}, in the recording {old!r}"
    found = (_difference(one, other, where) for where, one, other in pairs)
    return next((each for each in found if each), None)
