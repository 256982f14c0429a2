"""`python -m app bench --all`: the flags of the map, and the files that it writes."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import models
from app import presets
from app.errors import InfillError
from app.flags import model_settings
from app.measure.map import figures, table
from app.measure.map.configurations import Configuration, Presets, configurations
from app.measure.map.runs import Rows, remaining_tasks, run_tasks
from app.measure.map.statistics import Summary, summarise
from app.measure.problems import Problem, read_problems, without_rouge
from models.denoiser import Denoiser

FLAGS = ("out", "configurations", "jobs", "minutes", "list")


def add_map_flags(command: Any) -> None:
    """Add the flags of the map to the parser of `bench`."""
    group = command.add_argument_group("with --all")
    group.add_argument(
        "--out", type=Path, metavar="FOLDER", help="folder for rows, tables and figures; a killed run resumes from it"
    )
    group.add_argument(
        "--configurations",
        metavar="PATTERNS",
        help="run only those whose name matches one, e.g. 'klass *,* T=N'; see --list",
    )
    group.add_argument("--list", action="store_true", default=None, help="print the configurations and exit")
    group.add_argument("--jobs", type=int, help="processes of one thread each (default: one per core)")
    group.add_argument(
        "--minutes", type=float, help="begin no further problem after this time; the tables use the complete problems"
    )


def run_map(
    args: argparse.Namespace,
    load: Callable[..., Denoiser],
    *,
    names: Sequence[str],
    budgets: Sequence[int] | None,
    presets: Presets,
) -> int:
    """Run what is missing, then write `map.md`, `front.md`, `map.csv`, `map.json`, `map.html` and `map.png`."""
    only = [pattern.strip() for pattern in (args.configurations or "").split(",") if pattern.strip()]
    chosen = configurations(names, presets, budgets=budgets, only=only)
    if args.list:
        print("\n".join(one.label for one in chosen))
        return 0
    if args.out is None:
        raise InfillError("--all needs --out FOLDER for its rows and tables")
    jobs = _cores() if args.jobs is None else args.jobs
    if jobs < 1 or not (args.minutes or 1) > 0:
        raise InfillError("--jobs must be 1 or more, and --minutes above 0")
    problems = read_problems(args.problems)[: args.limit]
    settings = {"temperature": args.temperature, "top_p": args.top_p, "seed": args.seed}
    how = model_settings(args)
    if "dual_cache" in how:
        raise InfillError("--all computes exactly; leave out --dual-cache")
    rows = Rows(args.out, _facts(args) | settings)
    began, left = time.monotonic(), remaining_tasks(problems, chosen, rows)
    results = run_tasks(
        left,
        settings,
        load=lambda: load(args.model, **how),
        model=(args.model, how),
        jobs=jobs,
        minutes=float("inf") if args.minutes is None else args.minutes,
    )
    for number, found in enumerate(results, start=1):
        rows.add(found)
        _report_progress(number, len(left), time.monotonic() - began)
    return _write(args, problems, chosen, rows)


def _report_progress(number: int, total: int, seconds: float) -> None:
    """Print the progress: after every problem on a terminal, else after every tenth."""
    line = f"{number} of {total} problems, {seconds:.0f} s, about {seconds / number * (total - number):.0f} s left"
    if sys.stderr.isatty():
        print(line, end="\r" if number < total else "\n", file=sys.stderr)
    elif number % 10 == 0 or number == total:
        print(line, file=sys.stderr, flush=True)


def _write(args: argparse.Namespace, problems: Sequence[Problem], chosen: Sequence[Configuration], rows: Rows) -> int:
    complete = rows.complete(len(problems), (one.key for one in chosen))
    if not complete:
        raise InfillError("no problem was run by every configuration in that time; give more --minutes")
    if notice := without_rouge([problems[number] for number in complete]):
        print(notice, file=sys.stderr)
    found = summarise(chosen, rows.by_problem, complete)
    # NFE without sharing, over all problems that were run; each key once.
    spent = sum(row.get("nfe", 0) for mine in rows.by_problem.values() for row in mine.values())
    facts = {
        "model": args.model,
        "problems": len(complete),
        "of": len(problems),
        "temperature": args.temperature,
        "seed": args.seed,
        "nfe": spent,
        "computed": rows.computed,
        "seconds": round(rows.seconds, 1),
    }
    out: Path = args.out
    (out / "map.md").write_text(table.markdown(found), encoding="utf-8")
    (out / "front.md").write_text(table.markdown(front(found)), encoding="utf-8")
    table.write_csv(found, out / "map.csv")
    table.write_json(facts, found, out / "map.json")
    title = f"{args.model}, {len(complete)} problems, temperature {args.temperature:g}"
    figure = figures.draw_map(found, title=title)
    figures.write_page(figure, out / "map.html")
    if not figures.take_picture(figure, out / "map.png"):
        print("map.png was not written: it needs Chromium or Chrome", file=sys.stderr)
    print(json.dumps(facts) if args.json else table.markdown(found) + f"\n{_spent(facts)}")
    return 0


def front(rows: Sequence[Summary]) -> list[Summary]:
    """Return the Pareto front, fewest forward passes first."""
    return sorted((row for row in rows if row.front), key=lambda row: row.nfe)


def _spent(facts: dict[str, Any]) -> str:
    return (
        f"{facts['problems']} of {facts['of']} problems; {facts['nfe']} forward passes, of which the denoiser"
        f" computed {facts['computed']}, in {facts['seconds']:.0f} s of processor time"
    )


def _facts(args: argparse.Namespace) -> dict[str, Any]:
    """Return what rows depend on, besides the code. Raises InfillError if there is no such model."""
    try:
        source = models.find(args.model)
    except ValueError as error:
        raise InfillError(str(error)) from error
    return {
        "model": args.model,
        **model_settings(args),
        "weights": presets.fingerprint(source.folder) if source and source.folder else "",
        "problems": hashlib.sha256(args.problems.read_bytes()).hexdigest(),
    }


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
