"""`python -m app bench`: compare strategies on the same problems; print a table or JSON, draw a figure."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app import presets
from app.errors import InfillError, quoted
from app.flags import add_model_flags, model_settings
from app.measure import exact, lossless, page_speed, speed
from app.measure.cached import REFRESHES, run_cached
from app.measure.loops import FILLED, compare_loops
from app.measure.map.command import FLAGS as MAP_FLAGS
from app.measure.map.command import add_map_flags, run_map
from app.measure.map.figures import symbol, write_page
from app.measure.problems import Problem, read_problems, without_rouge
from app.measure.run import Row, cache_facts, measure_strategy
from app.strategies.registry import find, strategies
from models.denoiser import Denoiser
from models.terminal import as_text, plain, table

PROBLEMS = Path(__file__).parents[2] / "assets" / "problems.jsonl"
_COLUMNS = {  # heading and format of each number of a Row
    "nfe": ("NFE", ".1f"),
    "seconds": ("seconds", ".3f"),
    "tokens_per_second": ("tokens/s", ".1f"),
    "rouge1": ("R-1", ".1f"),
    "rouge2": ("R-2", ".1f"),
    "rougeL": ("R-L", ".1f"),
    "exact": ("exact %", ".1f"),
    "bigram_entropy": ("entropy", ".3f"),
    "risk": ("risk", ".2f"),
    "left_to_right": ("tau", ".2f"),
}
_OVERHEAD = {
    "nfe": ("NFE", ".1f"),
    "seconds": ("seconds", ".4f"),
    "model_seconds": ("in model", ".4f"),
    "overhead": ("elsewhere %", ".2f"),
}
_SHARED = {"out": ("all", "cached", "exact"), "minutes": ("all", "cached")}  # modes with flags of --all
_SPEED_FLAGS = ("dtypes", "contexts", "gaps")
_CACHE = "dual cache, refreshed every {refresh} passes: {share:.0%} of the positions computed"
_CACHE_ERROR = (
    "; error in {compared} cases: KL {mean_kl:.4f} nats on average and {worst_kl:.4f} at most, total variation "
    "{worst_variation:.3f} at most"
)


def draw_quality(rows: Sequence[Row], path: Path) -> None:
    """Draw quality against forward passes as one HTML file that needs no network; symbols and labels tell rows apart.

    Raises InfillError if the file cannot be written.
    """
    import plotly.graph_objects as go  # takes a second to import

    figure = go.Figure()
    names = dict.fromkeys(row.strategy for row in rows)
    for number, name in enumerate(names):
        mine = [row for row in rows if row.strategy == name]
        figure.add_scatter(
            x=[row.nfe for row in mine],
            y=[row.rougeL for row in mine],
            text=[name if row.steps is None else f"{name} T={row.steps}" for row in mine],
            name=name,
            mode="lines+markers+text",
            line={"dash": "dot", "width": 1},
            marker={"size": 11, "symbol": symbol(number)},
            textposition=("top center", "bottom center", "middle right", "middle left")[number % 4],
        )
    figure.update_layout(
        title="Quality against cost",
        xaxis_title="forward passes (mean NFE)",
        yaxis_title="ROUGE-L",
        template="plotly_white",
    )
    try:
        write_page(figure, path)
    except OSError as error:
        raise InfillError(f"cannot write '{path}': {error.strerror}") from None


def add_command(commands: Any) -> None:
    """Add the command `bench` to what `add_subparsers` returned."""
    about = "compare strategies on problems with known answers"
    command = commands.add_parser("bench", help=about, description=about, allow_abbrev=False)
    command.add_argument("--strategies", help="names, separated by commas (default: all)")
    command.add_argument(
        "--steps",
        help="budgets T, separated by commas (default: one step per mask); with --all also N/2 and the like",
    )
    command.add_argument(
        "--problems", type=Path, default=PROBLEMS, help="JSON lines with prefix, middle, suffix (default: 24 passages)"
    )
    command.add_argument("--limit", type=int, metavar="N", help="use only the first N problems")
    command.add_argument("--temperature", type=float, default=0.0, help="(default: %(default)s)")
    command.add_argument("--top-p", type=float, default=1.0, help="(default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    command.add_argument("--repeat", type=int, help="runs per problem (default: 1; with --baseline 5 per loop)")
    add_model_flags(command)
    command.add_argument(
        "--compare-cache",
        action="store_true",
        help="with --dual-cache: spend a further pass at every refresh to measure how far off its beliefs are",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command.add_argument("--plot", type=Path, metavar="FILE.html", help="also draw quality against forward passes")
    _add_modes(command)
    sizes = command.add_argument_group("with --random-weights")
    sizes.add_argument(
        "--dtypes", help="fp32, bf16, fp16, int8, nf4, separated by commas (default: bf16,int8,nf4 on a GPU, else fp32)"
    )
    sizes.add_argument("--contexts", help="tokens, separated by commas (default: 128,512,2048)")
    sizes.add_argument("--gaps", help="masks, separated by commas (default: 16,64)")
    draws = command.add_argument_group("with --exact", "--out writes the table, its numbers and a figure to a folder.")
    draws.add_argument("--runs", type=int, metavar="R", help=f"texts to draw for each row (default: {exact.RUNS})")
    add_map_flags(command)
    command.set_defaults(run=_bench)


def _add_modes(command: Any) -> None:
    """Add the flags that measure something else instead; at most one can be given."""
    mode = command.add_mutually_exclusive_group()
    mode.add_argument("--all", action="store_true", help="map every strategy, budget and preset, with intervals")
    mode.add_argument("--baseline", action="store_true", help="time `random` against the plain reference loop")
    mode.add_argument(
        "--lossless",
        action="store_true",
        help="check that `speculate` writes the same as `low_confidence`, in fewer calls",
    )
    mode.add_argument(
        "--exact", action="store_true", help="measure how far what is written is from the true joint of a small toy"
    )
    mode.add_argument(
        "--cached",
        nargs="?",
        const=REFRESHES,
        metavar="R,R,…",
        help=f"compare dual caches, refreshed every R passes, with exact passes (default: {REFRESHES}); needs --out",
    )
    mode.add_argument("--page", action="store_true", help="time the page in a headless Chromium")
    mode.add_argument("--overhead", action="store_true", help="show where the time goes, streaming and figure included")
    mode.add_argument(
        "--random-weights", metavar="SHAPE", help="time a network of random weights: diffullama, diffugpt-m, …"
    )


def _bench(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    names = list(strategies()) if args.strategies is None else [find(name).name for name in args.strategies.split(",")]
    _check(args)
    if args.random_weights is not None:
        return _time_networks(args)
    if args.all:
        return run_map(args, load, names=names, presets=presets.presets(args.model))
    if args.cached is not None:
        return run_cached(args, load)
    budgets = _numbers(args, "steps")
    if args.exact:
        exact.run_exact(names, budgets=budgets, runs=args.runs, seed=args.seed, out=args.out, as_json=args.json)
        return 0
    if args.page:
        rows = page_speed.time_page()
        print(json.dumps(rows) if args.json else page_speed.report(rows))
        return 0
    if args.plot and not args.plot.parent.is_dir():
        raise InfillError(f"there is no folder '{args.plot.parent}' for the plot; create it first")
    problems = read_problems(args.problems)[: args.limit]
    compared = {"compare_cache": True} if args.compare_cache else {}
    denoiser = load(args.model, **model_settings(args), **compared)
    if args.baseline:
        found = compare_loops(problems, denoiser, seed=args.seed, repeat=args.repeat or 5)
        facts = {"model": denoiser.name, "seed": args.seed}
        print(json.dumps(facts | found) if args.json else _loops_report(found))
    elif args.lossless:
        found = lossless.compare_greedy(problems, denoiser, steps=budgets[0] if budgets else None)
        print(json.dumps({"model": denoiser.name} | found) if args.json else lossless.report(found))
    else:
        _compare_strategies(args, denoiser, problems, names, budgets or [None])
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raise InfillError for a number that is too small, or flags that do not go together."""
    for flag in ("limit", "repeat"):
        if getattr(args, flag) is not None and getattr(args, flag) < 1:
            raise InfillError(f"--{flag} must be 1 or more, not {getattr(args, flag)}")
    for flag in _SPEED_FLAGS:
        if getattr(args, flag) and args.random_weights is None:
            raise InfillError(f"--{flag} needs --random-weights SHAPE; without it a trained model is measured")
    if args.runs is not None and not args.exact:
        raise InfillError("--runs needs --exact; for runs per problem use --repeat")
    if args.exact and (args.temperature, args.top_p) not in ((0.0, 1.0), (1.0, 1.0)):
        raise InfillError("--exact draws at temperature 1 and top-p 1; leave out --temperature and --top-p")
    for flag in MAP_FLAGS:
        modes = _SHARED.get(flag, ("all",))
        if getattr(args, flag) is not None and not any(getattr(args, mode) for mode in modes):
            needed = " or ".join(f"--{mode}" for mode in modes)
            raise InfillError(f"--{flag} needs {needed}; without it strategies are only timed and compared")
    if args.compare_cache and args.dual_cache is None:
        raise InfillError("--compare-cache needs --dual-cache R: without a cache there is nothing to compare")


def _compare_strategies(
    args: argparse.Namespace,
    denoiser: Denoiser,
    problems: Sequence[Problem],
    names: Sequence[str],
    budgets: Sequence[int | None],
) -> None:
    """Measure each strategy at each budget; print each row when it is ready."""
    settings = {"temperature": args.temperature, "top_p": args.top_p, "seed": args.seed, "shown": args.overhead}
    measure_strategy(names[0], budgets[0], problems[:1], denoiser, **settings)  # warm-up
    columns = _OVERHEAD if args.overhead else _COLUMNS
    if notice := without_rouge(problems):
        print(notice, file=sys.stderr)
    if not args.json:
        print(_line("strategy", "T", *(heading for heading, _ in columns.values())))
    rows = []
    for name, steps in itertools.product(names, budgets):
        if sys.stderr.isatty():
            print(f"{name} …", end="\r", file=sys.stderr)
        row = measure_strategy(name, steps, problems, denoiser, repeat=args.repeat or 1, **settings)
        rows.append(row)
        if not args.json:
            numbers = (as_text(getattr(row, key), form).rjust(len(heading)) for key, (heading, form) in columns.items())
            print(_line(name, str(steps or "N"), *numbers), flush=True)
    facts = {"model": denoiser.name, "problems": len(problems), "temperature": args.temperature, "seed": args.seed}
    if args.dual_cache is not None:
        facts["dual_cache"] = cache_facts(denoiser)
        if not args.json:
            line = _CACHE + _CACHE_ERROR * args.compare_cache
            print(line.format(**facts["dual_cache"]))
    if args.json:
        print(json.dumps(plain(facts | {"rows": [asdict(row) for row in rows]})))
    if args.plot:
        draw_quality(rows, args.plot)


def _line(name: str, steps: str, *numbers: str) -> str:
    """Return a line of fixed widths: lines are printed one by one, and `table` would need them all."""
    return f"{name:<20}{steps:>4}" + "".join(f"  {number:>7}" for number in numbers)


def _time_networks(args: argparse.Namespace) -> int:
    plan = speed.SpeedPlan(
        shape=args.random_weights,
        device=args.device,
        numbers=None if args.dtypes is None else args.dtypes.split(","),
        contexts=_numbers(args, "contexts"),
        gaps=_numbers(args, "gaps"),
        static=args.static,
        repeat=args.repeat or 10,
        seed=args.seed,
    )
    speed.time_networks(plan, as_json=args.json)
    return 0


def _numbers(args: argparse.Namespace, flag: str) -> list[int] | None:
    """Return the whole numbers given with a flag; None without it. Raises InfillError for other text."""
    given = getattr(args, flag)
    try:
        return None if given is None else [int(text) for text in given.split(",")]
    except ValueError:
        raise InfillError(f"--{flag} must be whole numbers separated by commas, not {quoted(given)}") from None


def _loops_report(found: dict[str, float]) -> str:
    rows = [
        ("random", f"{found['nfe']:.1f}", f"{found['seconds']:.3f}"),
        ("reference loop", f"{found['plain_nfe']:.1f}", f"{found['plain_seconds']:.3f}"),
        ("ratio", f"{found['nfe_ratio']:.2f}x", f"{found['seconds_ratio']:.2f}x"),
    ]
    return table(rows, header=(f"{FILLED} masks, T = 64", "NFE", "seconds"))
