"""Write a trace into files of other forms: the flags of `python -m app replay`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.errors import InfillError
from app.strategies.registry import strategies
from app.trace.messages import build_replay
from app.trace.trace import Trace

FORMS = {
    "html": "one page that replays the run in a browser, without a server",
    "gif": "an animated GIF of the text, one frame a state",
    "csv": "a table of the order, one row a token",
    "svg": "a picture of the order map",
}


def add_flags(command: argparse.ArgumentParser) -> None:
    """Add a flag for each form, and `--font` for the GIF."""
    for form, about in FORMS.items():
        command.add_argument(f"--{form}", metavar="OUT", help=f"write {about}; - is standard output")
    command.add_argument(
        "--font", metavar="FILE", help="a .ttf or .otf file for the GIF's text (default: Latin letters)"
    )


def is_wanted(args: argparse.Namespace) -> bool:
    """Return whether any form is asked for. Raises InfillError for flags that contradict each other."""
    wanted = any(getattr(args, form) is not None for form in FORMS)
    if args.font is not None and args.gif is None:
        raise InfillError("--font is for the GIF's text; add --gif OUT")
    if wanted and args.step is not None:
        raise InfillError("--step shows one state, and a file holds all of them; leave out --step")
    return wanted


def write(trace: Trace, args: argparse.Namespace) -> None:
    """Write every form that is asked for; a file that exists is replaced when the new one is complete.

    Raises InfillError if there is nothing to show or a file cannot be written.
    """
    if not trace.steps:
        raise InfillError("this trace has no steps, so there is nothing to keep; let the run make at least one")
    for form in FORMS:
        out = getattr(args, form)
        if out is None:
            continue
        content = _MAKERS[form](trace, args)
        data = content.encode() if isinstance(content, str) else content
        try:
            if out == "-":
                sys.stdout.buffer.write(data)
                continue
            _put(Path(out), data)
        except OSError as error:
            raise InfillError(f"cannot write '{out}': {error.strerror}") from None
        print(f"wrote {out} ({len(data) / 1000:,.0f} kB)", file=sys.stderr)


def _put(out: Path, data: bytes) -> None:
    """Write a file completely or not at all. Raises OSError."""
    if out.exists() and not out.is_file():  # a device, or a pipe
        out.write_bytes(data)
        return
    out = out.resolve()  # a link stays one
    fresh = out.with_name(f"{out.name}.writing")
    try:
        fresh.write_bytes(data)
        fresh.replace(out)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _title(trace: Trace) -> str:
    """Return the strategy's name in plain words."""
    strategy = strategies().get(trace.request.strategy)
    return strategy.title if strategy else trace.request.strategy


def _html(trace: Trace, args: argparse.Namespace) -> str:
    from app.export.web_page import web_page

    return web_page(build_replay(trace, "replay"))


def _gif(trace: Trace, args: argparse.Namespace) -> bytes:
    from app.export.gif import Font, gif_of

    font = Font(Path(args.font)) if args.font is not None else Font()
    pieces = (piece for number in range(len(trace.steps) + 1) for piece in trace.pieces(number) if piece is not None)
    lacking = font.lacks("".join([*trace.given, *pieces]))
    if lacking:
        shown = " ".join(lacking[:10]) + (" …" if len(lacking) > 10 else "")
        print(f"the GIF's font lacks {shown}; name a font that has them with --font FILE", file=sys.stderr)
    return gif_of(trace, title=_title(trace), font=font)


def _csv(trace: Trace, args: argparse.Namespace) -> str:
    from app.export.order_csv import csv_of

    return csv_of(trace)


def _svg(trace: Trace, args: argparse.Namespace) -> str:
    from app.export.picture import svg_of

    return svg_of(trace, title=_title(trace))


_MAKERS: dict[str, Callable[[Trace, Any], str | bytes]] = {"html": _html, "gif": _gif, "csv": _csv, "svg": _svg}
