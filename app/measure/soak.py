"""`python -m app soak`: load a page with visitors; report speed, waits, memory and whether runs stay the same."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.errors import InfillError
from app.measure import soak_lessons, soak_memory
from app.measure.soak_page import a_page, component, rest
from app.measure.soak_visitors import Crowd, Tally, middle, nearly_all, record_solo
from app.trace.examples import ASSETS, read_examples
from models.terminal import as_text, processor, table

_COLUMNS = {  # heading and format of each number of a Stage
    "visitors": ("visitors", "d"),
    "steps_per_second": ("steps/s", ".1f"),
    "ratio": ("to first", ".2f"),
    "cpu_ms_per_step": ("CPU ms/step", ".1f"),
    "fills": ("fills", "d"),
    "first_p50": ("first p50", ".2f"),
    "first_p95": ("p95", ".2f"),
    "end_p50": ("end p50", ".2f"),
    "end_p95": ("p95", ".2f"),
    "refused": ("refused", "d"),
    "unserved": ("unserved", "d"),
    "different": ("different", "d"),
    "errors": ("errors", "d"),
    "megabytes": ("MB", ".0f"),
    "threads": ("threads", "d"),
    "files": ("files", "d"),
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What was measured while a number of visitors kept coming; times in seconds, memory and threads after it."""

    visitors: int
    seconds: float
    steps_per_second: float  # denoising steps that reached the visitors
    ratio: float  # to the first stage of the same run
    cpu_ms_per_step: float  # of the server, all threads: what a step costs, however busy the machine is otherwise
    fills: int  # that were read to their end
    first_p50: float  # from the call to the first state
    first_p95: float
    end_p50: float  # from the call to the end
    end_p95: float
    served_p95: float  # from the first try to the end, refusals included
    refused: int
    unserved: int  # visitors none of whose fills was served
    different: int  # fills whose states were not those of the same run alone
    errors: int
    megabytes: float
    threads: int
    files: int  # temporary files
    done: dict[str, int]


def soak(
    address: str, server: psutil.Process, folder: Path, *, visitors: Sequence[int], seconds: float, seed: int = 0
) -> Iterator[Stage]:
    """Measure one stage after the other; `server` is the process whose memory counts, `folder` its temporary files.

    Raises InfillError, with the first message, if a run fails while it is alone.
    """
    page = component(address)
    trace = read_examples()[0].recording(ASSETS).read_text(encoding="utf-8")
    try:
        solo = asyncio.run(record_solo(address))
    except (RuntimeError, httpx.HTTPError) as error:
        raise InfillError(f"the page cannot be measured: a run failed while it was alone: {error}") from None
    crowd, first = Crowd(address, solo, page=page, trace=trace), 0.0
    for number in visitors:
        before = sum(server.cpu_times()[:2])
        tally = asyncio.run(crowd.stay(number, seconds, seed=seed + number))
        spent = sum(server.cpu_times()[:2]) - before
        megabytes = rest(server)
        for error in list(dict.fromkeys(tally.errors))[:5]:
            print(error, file=sys.stderr)
        first = first or tally.steps
        yield _stage(number, seconds, tally, first, spent, megabytes, server, folder)


def _stage(
    visitors: int,
    seconds: float,
    tally: Tally,
    first: float,
    spent: float,
    megabytes: float,
    server: psutil.Process,
    folder: Path,
) -> Stage:
    return Stage(
        visitors=visitors,
        seconds=seconds,
        steps_per_second=tally.steps / seconds,
        ratio=tally.steps / first if first else float("nan"),
        cpu_ms_per_step=1000 * spent / tally.steps if tally.steps else float("nan"),
        fills=tally.done["fill"],
        first_p50=middle(tally.first),
        first_p95=nearly_all(tally.first),
        end_p50=middle(tally.ended),
        end_p95=nearly_all(tally.ended),
        served_p95=nearly_all(tally.served),
        refused=tally.done["refused"],
        unserved=tally.without,
        different=len(tally.different),
        errors=len(tally.errors),
        megabytes=megabytes,
        threads=server.num_threads(),
        files=sum(path.is_file() for path in folder.rglob("*")),
        done=dict(tally.done),
    )


def add_command(commands: Any) -> None:
    """Add the command `soak` to what `add_subparsers` returned."""
    about = "load a page with many visitors, who fill, cancel, leave and stall, and measure how it holds"
    command = commands.add_parser("soak", help=about, description=about, allow_abbrev=False)
    command.add_argument("--visitors", type=int, nargs="+", default=[1, 4, 16, 50], help="a stage for each number")
    command.add_argument("--minutes", type=float, default=1.0, help="how long each stage lasts (default: %(default)s)")
    command.add_argument(
        "--memory",
        type=int,
        nargs="?",
        const=1000,
        metavar="RUNS",
        help="instead, whether memory stays flat over so many runs (default: %(const)s), and a tenth as many uploads "
        "and refused bodies",
    )
    command.add_argument(
        "--class",
        dest="students",
        type=int,
        metavar="N",
        help="instead, what a class of so many waits for that works through the lessons for --minutes",
    )
    command.add_argument("--model", default="bundled", help="the model of the page (default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="what visitors do depends on it (default: %(default)s)")
    command.add_argument("--json", action="store_true", help="print the figures as JSON")
    command.set_defaults(run=lambda args, load: _run(args))


def _run(args: argparse.Namespace) -> int:
    if min(args.visitors) < 1 or args.minutes <= 0:
        raise InfillError("--visitors must be 1 or more, and --minutes above 0")
    if args.memory is not None and args.memory < 100:
        raise InfillError("--memory must be 100 runs or more")
    if args.students is not None and args.students < 1:
        raise InfillError("--class must be 1 or more")
    if args.students is not None:
        return _measure_class(args)
    return _measure_memory(args) if args.memory is not None else _measure_load(args)


def _measure_load(args: argparse.Namespace) -> int:
    stages = []
    with a_page(args.model) as (address, server, folder):
        for stage in soak(address, server, folder, visitors=args.visitors, seconds=60 * args.minutes, seed=args.seed):
            stages.append(stage)
            if not args.json:
                print(report(stages[-1:], header=len(stages) == 1), flush=True)
    if args.json:
        print(json.dumps({"machine": processor(), "stages": [*map(asdict, stages)]}))
    return int(any(stage.different or stage.errors for stage in stages))


def _measure_class(args: argparse.Namespace) -> int:
    with a_page(args.model) as (address, _, _):
        asyncio.run(record_solo(address))  # so that the model is loaded
        waits = soak_lessons.teach(address, args.students, 60 * args.minutes, seed=args.seed)
    for error in list(dict.fromkeys(waits.errors))[:5]:
        print(error, file=sys.stderr)
    if args.json:
        print(json.dumps({"machine": processor(), **asdict(waits)}))
    else:
        print(soak_lessons.report(waits))
    return int(bool(waits.errors))


def _measure_memory(args: argparse.Namespace) -> int:
    readings, runs = [], args.memory
    with a_page(args.model) as (address, server, _):
        found = soak_memory.readings(address, server, runs=runs, others=runs // 10, seed=args.seed)
        for reading in found:
            readings.append(reading)
            if not args.json:
                print(soak_memory.report(reading, readings[0], header=len(readings) == 1), flush=True)
    growth = soak_memory.growth(readings)
    if args.json:
        print(json.dumps({"machine": processor(), "growth": growth, "readings": [*map(asdict, readings)]}))
    else:
        print(f"at most {100 * (growth - 1):.1f} % above the memory after the warm-up ({soak_memory.MOST:.0%} allowed)")
    return int(growth > 1 + soak_memory.MOST)


def report(stages: Sequence[Stage], *, header: bool = True) -> str:
    """Return the figures as a table with a line for each stage."""
    wide = {key: max(8, len(name)) for key, (name, _) in _COLUMNS.items()}  # so that tables of one line are aligned
    rows = [
        [as_text(getattr(stage, key), form).rjust(wide[key]) for key, (_, form) in _COLUMNS.items()] for stage in stages
    ]
    return table(rows, header=[name.rjust(wide[key]) for key, (name, _) in _COLUMNS.items()] if header else None)
