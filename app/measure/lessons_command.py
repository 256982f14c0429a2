"""`python -m app lessons`: record the runs and tables of the lessons, or check them."""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.errors import InfillError, unknown
from app.lessons.handout import handout
from app.lessons.lesson import Lesson, read_lessons
from app.lessons.tables import MEASURED, make_table
from app.measure.examples_command import compare
from app.measure.run import run_to_end
from app.sampling.request import InfillRequest
from app.trace import recording
from app.trace.trace import Trace
from models.denoiser import Denoiser


def add_command(commands: Any) -> None:
    """Add the command `lessons` to what `add_subparsers` returned."""
    about = "record the runs and tables of the lessons again, or print a handout"
    command = commands.add_parser("lessons", help=about, description=about, allow_abbrev=False)
    command.add_argument("ids", nargs="*", metavar="ID", help="ids of lessons, such as masks (default: all)")
    command.add_argument(
        "--check", action="store_true", help="write nothing; end with exit code 1 if something differs"
    )
    command.add_argument("--handout", type=Path, metavar="FILE.html", help="write a page to print for a class instead")
    command.add_argument("--language", default="en", metavar="CODE", help="of the handout, such as zh (default: en)")
    command.add_argument("--answers", action="store_true", help="mark the right answers on the handout")
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    if (args.answers or args.language != "en") and not args.handout:
        raise InfillError("--answers and --language are for the handout: name its file with --handout FILE.html")
    if not args.handout:
        return _record(args, load)
    from app.ui.language import language  # imports plotly

    messages = {} if args.language == "en" else language(args.language)["messages"]
    page = handout(
        read_lessons(),
        answers=args.answers,
        translate=lambda text: messages.get(text, text),
        language=args.language,
    )
    try:
        args.handout.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InfillError(f"'{args.handout}' cannot be written: {error}") from None
    print(f"{args.handout}: print it from a browser, on A4")
    return 0


def _record(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    lessons = {lesson.id: lesson for lesson in read_lessons()}
    for name in args.ids:
        if name not in lessons:
            raise unknown("lesson", name, lessons)
    # In float32 on a CPU, so that the machine does not matter.
    model = functools.cache(lambda: load("bundled", device="cpu", dtype="float32"))
    differing = sum(
        _record_run(lesson, run, model(), write=not args.check)
        for lesson in (lessons[name] for name in args.ids or lessons)
        for run, asked in lesson.runs.items()
        if not isinstance(asked, str)
    )
    differing += sum(
        _record_table(lesson, name, model(), write=not args.check)
        for lesson in (lessons[name] for name in args.ids or lessons)
        for name, asked in lesson.tables.items()
        if "make" in asked and not (args.check and asked["make"] in MEASURED)
    )
    return int(args.check and differing > 0)


def _record_run(lesson: Lesson, run: str, denoiser: Denoiser, *, write: bool) -> bool:
    request, by = lesson.request(run)
    trace = run_to_end(request, denoiser) if by == "diffusion" else _by_parent(request, by)
    trace = replace(trace, classes=(), class_of={})  # no lesson shows word classes, which are a quarter of a file
    file = lesson.recording(run)
    difference = compare(trace, file)
    if difference is None:
        return False
    print(f"lesson {lesson.number}, {run}: ", end="")
    if not write:
        print(difference)
        return True
    file.write_text(recording.dump(trace), encoding="utf-8")
    print(f"recorded, {file.stat().st_size / 1000:.0f} kB: {trace.fill.strip()}")
    return True


def _by_parent(request: InfillRequest, by: str) -> Trace:
    import models  # it takes a moment to import torch
    from app.ui.gate import Gate
    from app.ui.parent import ParentRuns

    *_, trace = ParentRuns(models.load_parent, float("inf")).run(request, by, Gate())  # pyright: ignore[reportArgumentType]
    return trace


def _record_table(lesson: Lesson, name: str, denoiser: Denoiser, *, write: bool) -> bool:
    asked = lesson.tables[name]
    made = make_table(asked, denoiser)
    file = lesson.table_file(name)
    try:
        same = json.loads(file.read_text(encoding="utf-8")) == made
    except (OSError, ValueError):
        same = False
    if same:
        return False
    print(f"lesson {lesson.number}, table {name}: ", end="")
    if write:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
        print(f"made, {file.stat().st_size / 1000:.0f} kB")
    else:
        print("not as the model makes it now")
    return True
