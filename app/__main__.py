"""`python -m app`: the command line's commands, and how their mistakes are told."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Any

from app import cli
from app.errors import InfillError
from app.measure import bench, calibrate
from app.measure import length_command as length
from app.space import command as space
from models import load
from models.denoiser import Denoiser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 2 for a mistake that the user can put right, 130 after Ctrl-C."""
    try:
        return _run(sys.argv[1:] if arguments is None else list(arguments))
    except InfillError as error:
        print(f"error: {cli.one_line(str(error))}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"error: {cli.one_line(str(error)) or 'there is too little memory for this'}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(arguments: list[str]) -> int:
    parser = cli.Parser(
        prog="python -m app",
        description="How masked diffusion language models fill a gap in a text.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    strategy = cli.chosen_strategy(arguments)
    cli.add_commands(commands, strategy)
    bench.add_command(commands)
    calibrate.add_command(commands)
    length.add_command(commands)
    space.add_command(commands)
    args, left = parser.parse_known_args(arguments)
    if left:
        raise cli.unknown_arguments(args.command, left, strategy)
    return args.run(args, _load)


def _load(name: str, **settings: Any) -> Denoiser:
    try:
        return load(name, **settings)
    except ValueError as error:
        raise InfillError(str(error)) from error


def _main() -> int:
    """`main` before a terminal or a pipe that may lack characters, or end before everything is told."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains as it ends
        return 1
    return code


if __name__ == "__main__":
    sys.exit(_main())
