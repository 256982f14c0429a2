"""`python -m app`, after `pip install .` also `infilling`: all commands, and how their errors are reported."""

from __future__ import annotations

import argparse
import io
import os
import sys
import tomllib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from app import branching, cli
from app.errors import InfillError
from app.measure import (
    adaptation,
    analyse,
    bench,
    calibrate,
    examples_command,
    length_command,
    lessons_command,
    proofread_command,
    soak,
)
from app.measure.checkpoint import evaluate, from_text, quantize, quantized
from app.measure.differences import command as differences
from app.space import command as space
from app.ui import launch
from app.watching import one_line
from models import disk, load
from models.denoiser import Denoiser

PACKAGE = "infilling-playground"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 2 for a mistake that the user can fix, 130 after Ctrl-C."""
    try:
        return _run(sys.argv[1:] if arguments is None else list(arguments))
    except InfillError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"error: {one_line(str(error)) or 'there is too little memory for this'}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(arguments: list[str]) -> int:
    parser = cli.Parser(
        prog="infilling" if Path(sys.argv[0]).stem == "infilling" else "python -m app",
        description="Show how masked diffusion language models fill gaps in a text, and measure how well.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    strategy = cli.chosen_strategy(arguments)
    launch.add_command(commands)
    cli.add_commands(commands, strategy)
    branching.add_command(commands, strategy)
    for module in (
        bench,
        calibrate,
        length_command,
        evaluate,
        quantized,
        quantize,
        from_text,
        adaptation,
        differences,
        proofread_command,
        analyse,
        examples_command,
        lessons_command,
        soak,
        space,
    ):
        module.add_command(commands)
    args, left = parser.parse_known_args(arguments)
    if left:
        raise cli.unknown_arguments(args.command, left, strategy)
    return args.run(args, _load)


class _Version(argparse.Action):
    """Print the version and exit; it is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *args: Any) -> None:
        print(version())
        parser.exit()


def version() -> str:
    """Return the version of the installed package, or in a checkout the one in pyproject.toml."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        settings = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
        return settings.get("project", {}).get("version", "unknown")


def _load(name: str, **settings: Any) -> Denoiser:
    try:
        return load(name, **settings)
    except ValueError as error:
        raise InfillError(str(error)) from error


def program() -> int:
    """Run `main` for a terminal, a pipe or a file, which may lack characters, close early, or be on a full disk."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        code = 1
    except OSError as error:
        if not disk.is_full(error):
            raise
        what = f"'{error.filename}'" if error.filename else "the output"
        print(f"error: cannot write {what}: {error.strerror}; make room on the disk, then try again", file=sys.stderr)
        code = 2
    else:
        return code
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains on exit
    return code


if __name__ == "__main__":
    sys.exit(program())
