"""`python -m app length`: fit a checkpoint's length prior, and measure the lengths it chooses."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from app.errors import InfillError
from app.flags import add_model_flags, add_out_flag, beside_weights, model_settings
from app.length.choose import TRIES
from app.length.prior import FILE, prior_of, read, write
from app.length.probe import LONGEST, candidates
from app.measure import length_fit
from app.measure.bootstrap import Estimate
from app.measure.length_gain import NEAR, LengthGain, measure_lengths
from app.measure.problems import read_problems, without_rouge
from app.sampling.forwards import judge_of
from app.strategies.registry import find as find_strategy
from models.corpus import read_records
from models.denoiser import Denoiser
from models.terminal import as_text, plain, progress, table


def add_command(commands: Any) -> None:
    """Add the command `length` and its parts to what `add_subparsers` returned."""
    about = "fit a checkpoint's length prior, or measure the lengths it chooses"
    command = commands.add_parser("length", help=about, description=about, allow_abbrev=False)
    parts = command.add_subparsers(title="parts", metavar="PART", dest="part", required=True)

    about = "fit the length prior of a checkpoint: minutes on one core"
    part = parts.add_parser("fit", help=about, description=about, allow_abbrev=False)
    part.add_argument(
        "--text", type=Path, required=True, help="text (.txt or .xz), each record ended by a line <|endoftext|>"
    )
    add_out_flag(part, FILE)
    part.add_argument("--holes", type=int, default=length_fit.HOLES, help="holes to probe (default: %(default)s)")
    part.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    add_model_flags(part)
    part.set_defaults(run=_fit)

    about = "compare chosen lengths with the true ones"
    part = parts.add_parser("measure", help=about, description=about, allow_abbrev=False)
    part.add_argument("--problems", type=Path, required=True, help="JSON lines with prefix, middle, suffix")
    part.add_argument("--limit", type=int, metavar="N", help="use only the first N problems")
    part.add_argument("--fit", type=Path, help="a length prior (default: the checkpoint's)")
    part.add_argument("--rank", choices=("parent", "elbo"), help="what ranks fills (default: parent if there is one)")
    part.add_argument("--tries", type=int, default=TRIES, help="lengths to fill and rank (default: %(default)s)")
    part.add_argument("--longest", type=int, default=LONGEST, help="most masks to try (default: %(default)s)")
    part.add_argument("--strategy", default="low_confidence", help="(default: %(default)s)")
    part.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    add_model_flags(part)
    part.add_argument("--json", action="store_true", help="print JSON instead of a table")
    part.set_defaults(run=_measure)


def _fit(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    if args.holes < 20:
        raise InfillError(f"--holes must be 20 or more, not {args.holes}")
    try:
        records = read_records(args.text)
    except ValueError as error:
        raise InfillError(str(error)) from None
    denoiser = load(args.model, **model_settings(args))
    out = beside_weights(args, FILE)
    found = length_fit.fit(
        records, denoiser, holes=args.holes, seed=args.seed, progress=partial(progress, what="holes")
    )
    write(found, out)
    print(
        f"{found.holes} holes: log tokens of a missing sentence = {found.intercept:.2f} + {found.slope:.2f} x typical"
        f" ± {found.spread:.2f}; weights of (phi, seam): ({found.whole[0]:.2f}, {found.whole[1]:.2f}) if a whole"
        f" sentence is missing, else ({found.part[0]:.2f}, {found.part[1]:.2f}); written to {out}"
    )
    return 0


def _measure(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    for flag in ("limit", "tries"):
        if getattr(args, flag) is not None and getattr(args, flag) < 1:
            raise InfillError(f"--{flag} must be 1 or more, not {getattr(args, flag)}")
    find_strategy(args.strategy)
    problems = read_problems(args.problems)[: args.limit]
    denoiser = load(args.model, **model_settings(args))
    prior, notices = (read(args.fit), ()) if args.fit else prior_of(args.model)
    for notice in filter(None, (*notices, without_rouge(problems))):
        print(notice, file=sys.stderr)
    candidates(denoiser, args.longest)
    judge = None if args.rank == "elbo" else judge_of(denoiser)
    if args.rank == "parent" and judge is None:
        raise InfillError(
            f"--rank parent needs an autoregressive parent, and '{denoiser.name}' has none; use --rank elbo"
        )
    found = measure_lengths(
        problems,
        denoiser,
        prior,
        judge=judge,
        tries=args.tries,
        longest=args.longest,
        strategy=args.strategy,
        seed=args.seed,
        progress=partial(progress, what="problems"),
    )
    rule = found.choices[0].rule
    if args.json:
        facts = {"model": denoiser.name, "problems": len(problems), "strategy": args.strategy, "rule": rule}
        data = {"gain": asdict(found.gain), "forwards": found.forwards, "calls": found.calls}
        print(json.dumps(plain(facts | data | {"rows": [asdict(row) for row in found.rows]})))
    else:
        print(_report(found, rule))
    return 0


def _report(found: LengthGain, rule: str) -> str:
    rows = [
        (row.way, *(_with_interval(estimate, ".1f") for estimate in (row.near, row.error, row.rougeL)))
        for row in found.rows
    ]
    gain = _with_interval(found.gain, "+.1f")
    return "\n".join(
        [
            table(rows, header=("length", f"within {NEAR} (%)", "off by", "ROUGE-L")),
            f"auto less fixed, ROUGE-L: {gain}; 95 % intervals, bootstrapped",
            f"cost of a choice, ranked by {rule}: {found.forwards:.1f} rows in {found.calls:.1f} forward passes",
        ]
    )


def _with_interval(estimate: Estimate, form: str) -> str:
    mean, low, high = (as_text(value, form) for value in (estimate.mean, estimate.low, estimate.high))
    return mean if mean == "–" else f"{mean} ({low} to {high})"
