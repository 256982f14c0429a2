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
from app.measure.map.configurations import TRUTH, Configuration, Presets, configurations, references
from app.measure.map.runs import Rows, remaining_tasks, run_tasks, untimed_tasks
from app.measure.map.statistics import Summary, summarise
from app.measure.problems import Problem, cut_gaps, read_problems, without_rouge
from models.catalogue import Source
from models.corpus import read_records
from models.denoiser import Denoiser

FLAGS = ("out", "configurations", "jobs", "minutes", "list", "seeds", "redraw", "seconds", "text", "gap")


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
    group.add_argument("--seeds", type=int, metavar="N", help="runs of each configuration, with seeds from --seed on")
    group.add_argument(
        "--redraw",
        action="store_true",
        default=None,
        help="also run what ranks by drafted tokens with redraw (above temperature 0)",
    )
    group.add_argument(
        "--text",
        type=Path,
        metavar="FILE",
        help="held-out text (.txt or .xz), each record ended by <|endoftext|>: problems are cut out of it; with --gap",
    )
    group.add_argument("--gap", type=int, metavar="TOKENS", help="length of the gaps cut out of --text")
    group.add_argument(
        "--seconds", type=int, metavar="N", help="also time N problems: each configuration alone, one thread, in turns"
    )
    group.add_argument("--jobs", type=int, help="processes of one thread each (default: one per core)")
    group.add_argument(
        "--minutes", type=float, help="begin no further problem after this time; the tables use the complete problems"
    )


def run_map(args: argparse.Namespace, load: Callable[..., Denoiser], *, names: Sequence[str], presets: Presets) -> int:
    """Run what is missing, then write `map.md`, `front.md`, `map.csv`, `map.json`, `map.html` and the pictures."""
    only = [pattern.strip() for pattern in (args.configurations or "").split(",") if pattern.strip()]
    _check(args)
    source = source_of(args)
    budgets = None if args.steps is None else [budget.strip() for budget in args.steps.split(",")]
    above = references(budgets or ("N", "N/2", "N/4"), judged=source is not None and source.parent is not None)
    chosen = configurations(
        names,
        presets,
        budgets=budgets,
        only=only,
        redraw=bool(args.redraw),
        more=above if args.strategies is None else (),
    )
    if args.list:
        print("\n".join(one.label for one in chosen))
        return 0
    if args.out is None:
        raise InfillError("--all needs --out FOLDER for its rows and tables")
    jobs = _cores() if args.jobs is None else args.jobs
    settings = {"temperature": args.temperature, "top_p": args.top_p}
    how = model_settings(args)
    problems = (_cut(args, load, how) if args.text else read_problems(args.problems))[: args.limit]
    seeds = range(args.seed, args.seed + (args.seeds or 1))
    rows = Rows(args.out, facts_of(args, source) | settings)
    began = time.monotonic()
    work = [(remaining_tasks(problems, chosen, seeds, rows), False)]
    if args.seconds:
        work.append((untimed_tasks(problems, chosen, args.seed, args.seconds, rows), True))
    for left, timed in work:
        results = run_tasks(
            left,
            settings,
            load=lambda: load(args.model, **how),
            model=(args.model, how),
            jobs=jobs,
            timed=timed,
            minutes=float("inf") if args.minutes is None else args.minutes,
        )
        for number, found in enumerate(results, start=1):
            rows.add(found)
            report_progress(number, len(left), time.monotonic() - began)
    return _write(args, problems, chosen, seeds, rows)


def _check(args: argparse.Namespace) -> None:
    """Raise InfillError for a number that is too small, or flags that do not go together."""
    for flag in ("jobs", "seeds", "seconds", "gap"):
        if getattr(args, flag) is not None and getattr(args, flag) < 1:
            raise InfillError(f"--{flag} must be 1 or more, not {getattr(args, flag)}")
    if args.minutes is not None and not args.minutes > 0:
        raise InfillError("--minutes must be above 0")
    if (args.text is None) != (args.gap is None):
        raise InfillError("--text and --gap go together: the text, and how many tokens to take out of each record")
    if args.redraw and not args.temperature > 0:
        raise InfillError("--redraw needs a --temperature above 0; at 0 nothing is drawn")
    if "dual_cache" in model_settings(args):
        raise InfillError("--all computes exactly; leave out --dual-cache")


def _cut(args: argparse.Namespace, load: Callable[..., Denoiser], how: dict[str, Any]) -> list[Problem]:
    try:
        records = read_records(args.text)
    except ValueError as error:
        raise InfillError(str(error)) from None
    return cut_gaps(records, load(args.model, **how), length=args.gap, seed=args.seed)


def report_progress(number: int, total: int, seconds: float) -> None:
    """Print the progress: after every problem on a terminal, else after every tenth."""
    line = f"{number} of {total} problems, {seconds:.0f} s, about {seconds / number * (total - number):.0f} s left"
    if sys.stderr.isatty():
        print(line, end="\r" if number < total else "\n", file=sys.stderr)
    elif number % 10 == 0 or number == total:
        print(line, file=sys.stderr, flush=True)


def _write(
    args: argparse.Namespace,
    problems: Sequence[Problem],
    chosen: Sequence[Configuration],
    seeds: Sequence[int],
    rows: Rows,
) -> int:
    complete = rows.complete(len(problems), (one.key for one in chosen), seeds)
    if not complete:
        raise InfillError("no problem was run by every configuration in that time; give more --minutes")
    if notice := without_rouge([problems[number] for number in complete]):
        print(notice, file=sys.stderr)
    chosen = [Configuration(strategy=TRUTH), *chosen]
    found = summarise(chosen, rows.by_problem, complete, seeds=seeds, times=rows.times)
    # NFE without sharing, over all problems that were run; each key once.
    runs = (run for mine in rows.by_problem.values() for by_seed in mine.values() for run in by_seed.values())
    facts = {
        "model": args.model,
        "problems": len(complete),
        "of": len(problems),
        "temperature": args.temperature,
        "top_p": args.top_p,
        "seeds": list(seeds),
        "gap": args.gap,
        "timed": len(rows.times),
        "nfe": sum(run.get("nfe", 0) for run in runs),
        "computed": rows.computed,
        "seconds": round(rows.seconds, 1),
    }
    out: Path = args.out
    (out / "map.md").write_text(table.markdown(found), encoding="utf-8")
    (out / "front.md").write_text(table.markdown(front(found)), encoding="utf-8")
    table.write_csv(found, out / "map.csv")
    table.write_json(facts, found, out / "map.json")
    title = _title(facts)
    drawn = {question.name: figures.draw(found, question, title=title) for question in figures.answerable(found)}
    figures.write_pages(list(drawn.values()), out / "map.html", title=f"Map: {title}")
    taken = [figures.take_picture(figure, out / f"{name}.png") for name, figure in drawn.items()]
    if not all(taken):
        print("the pictures were not taken: they need Chromium or Chrome", file=sys.stderr)
    print(json.dumps(facts) if args.json else table.markdown(found) + f"\n{_spent(facts)}")
    return 0


def _title(facts: dict[str, Any]) -> str:
    drawn = f"temperature {facts['temperature']:g}"
    if facts["temperature"] > 0:
        drawn += f", top-p {facts['top_p']:g}, {len(facts['seeds'])} seeds"
    gap = f", gaps of {facts['gap']} tokens" if facts["gap"] else ""
    return f"{facts['model']}, {facts['problems']} problems{gap}, {drawn}"


def front(rows: Sequence[Summary]) -> list[Summary]:
    """Return the rows on either Pareto front, fewest forward passes first."""
    return sorted((row for row in rows if row.front or row.nats_front), key=lambda row: row.nfe)


def _spent(facts: dict[str, Any]) -> str:
    return (
        f"{facts['problems']} of {facts['of']} problems; {facts['nfe']} forward passes, of which the denoiser"
        f" computed {facts['computed']}, in {facts['seconds']:.0f} s of processor time"
    )


def source_of(args: argparse.Namespace) -> Source | None:
    """Return where the model comes from; None for the toy. Raises InfillError if there is no such model."""
    try:
        return models.find(args.model)
    except ValueError as error:
        raise InfillError(str(error)) from error


def facts_of(args: argparse.Namespace, source: Source | None) -> dict[str, Any]:
    """Return what rows depend on, besides the code."""
    return {
        "model": args.model,
        **model_settings(args),
        "weights": presets.fingerprint(source.folder) if source and source.folder else "",
        "problems": hashlib.sha256((args.text or args.problems).read_bytes()).hexdigest(),
        **({"gap": args.gap, "cut by": args.seed} if args.text else {}),
    }


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
