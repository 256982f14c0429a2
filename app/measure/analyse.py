"""`python -m app analyse`: all measures of a recorded run, or when words are decided over many problems."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app import cli
from app.analysis import report
from app.errors import InfillError
from app.flags import add_model_flags, model_settings
from app.measure import emergence
from app.measure.map.command import facts_of, report_progress, source_of
from app.measure.map.figures import take_picture, write_page
from app.measure.map.runs import Rows, random_order
from app.measure.problems import read_problems
from app.trace import recording
from models.denoiser import Denoiser
from models.terminal import plain

KEY = "emergence"


def add_command(commands: Any) -> None:
    """Add the command `analyse` to what `add_subparsers` returned."""
    about = "measure a recorded run without a model, or fill problems and measure when words are decided"
    command = commands.add_parser("analyse", help=about, description=about, allow_abbrev=False)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("file", nargs="?", metavar="FILE", help="what `infill --json` printed, or - for standard input")
    what.add_argument("--problems", type=Path, metavar="FILE.jsonl", help="JSON lines with prefix, middle, suffix")
    command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    many = command.add_argument_group("with --problems")
    many.add_argument(
        "--out", type=Path, metavar="FOLDER", help="folder for rows, table and figure; a killed run resumes from it"
    )
    many.add_argument("--limit", type=int, metavar="N", help="use only the first N problems")
    many.add_argument("--minutes", type=float, help="begin no further problem after this time")
    add_model_flags(many)
    command.set_defaults(run=_analyse, text=None)


def _analyse(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    if args.file is None:
        return _run_problems(args, load)
    if args.out or args.limit or args.minutes:
        raise InfillError("--out, --limit and --minutes go with --problems; a recorded run is only read")
    found = report.measure(recording.load(cli.read(args.file)))
    print(json.dumps(plain(found)) if args.json else report.as_table(found))
    return 0


def _run_problems(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    """Run what is missing, then write `emergence.md`, `.json`, `.html` and the picture."""
    if args.out is None:
        raise InfillError("--problems needs --out FOLDER for its rows, table and figure")
    if args.limit is not None and args.limit < 1:
        raise InfillError(f"--limit must be 1 or more, not {args.limit}")
    source, problems = source_of(args), read_problems(args.problems)[: args.limit]
    denoiser = load(args.model, **model_settings(args))
    controls = emergence.controls_of(denoiser)
    tables = hashlib.sha256(b"".join(each.of.tobytes() for each in controls)).hexdigest()
    rows = Rows(args.out, facts_of(args, source) | {"classes": tables})
    left = [number for number in random_order(problems) if not rows.has(number, KEY, [0])]
    began = time.monotonic()
    for done, number in enumerate(left, start=1):
        if time.monotonic() - began > 60 * (float("inf") if args.minutes is None else args.minutes):
            break
        before = time.process_time()
        row = emergence.run_problem(problems[number], denoiser, controls) | {"key": KEY, "seed": 0}
        spent = {"computed": row["nfe"], "seconds": time.process_time() - before}
        rows.add({"problem": number, **spent, "rows": [plain(row)]})
        report_progress(done, len(left), time.monotonic() - began)
    complete = rows.complete(len(problems), [KEY], [0])
    if not complete:
        raise InfillError("no problem was run in that time; give more --minutes")
    kept = [rows.by_problem[number][KEY][0] for number in complete]
    found = emergence.summarise([{k: v for k, v in row.items() if k not in ("key", "seed")} for row in kept])
    facts = {"model": denoiser.name, "passes": rows.computed, "seconds": round(rows.seconds, 1)}
    _write(found, facts, args.out)
    print(json.dumps(_as_data(found, facts)) if args.json else emergence.report(found))
    return 0


def _as_data(found: emergence.Summary, facts: dict[str, Any]) -> dict[str, Any]:
    claims = [asdict(one) | {"holds": one.holds} for one in found.claims]
    return plain({**facts, **asdict(found), "claims": claims})


def _write(found: emergence.Summary, facts: dict[str, Any], out: Path) -> None:
    """Write the tables, the numbers and the figure. Raises InfillError if that fails."""
    figure = emergence.draw(found)
    try:
        (out / "emergence.md").write_text(emergence.markdown(found), encoding="utf-8")
        (out / "emergence.json").write_text(json.dumps(_as_data(found, facts), indent=1) + "\n", encoding="utf-8")
        write_page(figure, out / "emergence.html")
    except OSError as error:
        raise InfillError(f"cannot write into '{out}': {error.strerror}") from None
    if not take_picture(figure, out / "emergence.png"):
        print("the picture was not taken: it needs Chromium or Chrome", file=sys.stderr)
