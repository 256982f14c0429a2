"""The benchmark command: every strategy on the same problems, as a table, as JSON, as a figure."""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app import presets
from app.errors import InfillError
from app.flags import add_model_flags, model_settings
from app.measure import lossless, speed
from app.measure.loops import compare_loops
from app.measure.map.command import FLAGS, add_map_flags, run_map
from app.measure.map.figures import symbol, write_page
from app.measure.problems import read_problems
from app.measure.run import Row, cache_facts, measure_strategy
from app.strategies.registry import find, strategies
from models.denoiser import Denoiser

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
_CACHE = (
    "dual cache, refreshed every {refresh} passes: {share:.0%} of the positions computed; beliefs off by {mean_kl:.4f} "
    "nats (KL) on average, {worst_kl:.4f} at most, and {worst_variation:.3f} of their mass at most, in {compared} cases"
)


def plot(rows: Sequence[Row], path: Path) -> None:
    """Quality against forward passes as one HTML file that needs no network; told apart by shape and label too."""
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
    """`commands` is what `add_subparsers` gave."""
    command = commands.add_parser(
        "bench", help="compare strategies on problems whose answer is known", allow_abbrev=False
    )
    command.add_argument("--strategies", help="names, separated by commas (default: all)")
    command.add_argument("--steps", help="budgets T, separated by commas (default: as many as there are masks)")
    command.add_argument("--problems", type=Path, default=PROBLEMS, help="JSON lines with prefix, middle, suffix")
    command.add_argument("--limit", type=int, help="only the first so many problems")
    command.add_argument("--temperature", type=float, default=0.0, help="(default: %(default)s)")
    command.add_argument("--top-p", type=float, default=1.0, help="(default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    command.add_argument("--repeat", type=int, help="runs of each problem (default: 1; of each loop: 5)")
    add_model_flags(command)
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command.add_argument("--plot", type=Path, metavar="FILE.html", help="also draw quality against forward passes")
    mode = command.add_mutually_exclusive_group()
    mode.add_argument("--all", action="store_true", help="map every strategy, budget and preset, with intervals")
    mode.add_argument("--baseline", action="store_true", help="time `random` against the plain reference loop instead")
    mode.add_argument(
        "--lossless", action="store_true", help="whether `speculate` writes what `low_confidence` does, in fewer calls"
    )
    mode.add_argument("--page", action="store_true", help="time the page in a headless Chromium instead")
    mode.add_argument("--overhead", action="store_true", help="show where the time goes, streaming and figure included")
    mode.add_argument(
        "--random-weights", metavar="SHAPE", help="time a network of random weights instead: diffullama, diffugpt-m, …"
    )
    sizes = command.add_argument_group("with --random-weights")
    sizes.add_argument(
        "--dtypes", help="fp32, bf16, fp16, int8, nf4, separated by commas (default: bf16,int8,nf4 on a GPU)"
    )
    sizes.add_argument("--contexts", help="tokens, separated by commas (default: 128,512,2048)")
    sizes.add_argument("--gaps", help="masks, separated by commas (default: 16,64)")
    add_map_flags(command)
    command.set_defaults(run=_bench)


def _bench(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    names = list(strategies()) if args.strategies is None else [find(name).name for name in args.strategies.split(",")]
    budgets = [None] if args.steps is None else [_whole("--steps", text) for text in args.steps.split(",")]
    for flag in ("limit", "repeat"):
        if getattr(args, flag) is not None and getattr(args, flag) < 1:
            raise InfillError(f"--{flag} must be 1 or more, not {getattr(args, flag)}")
    if args.random_weights is not None:
        return _speed(args)
    for flag in ("dtypes", "contexts", "gaps"):
        if getattr(args, flag):
            raise InfillError(f"--{flag} goes with --random-weights SHAPE; without it a trained model is measured")
    for flag in FLAGS:
        if getattr(args, flag) is not None and not args.all:
            raise InfillError(f"--{flag} goes with --all; without it strategies are only timed and compared")
    if args.all:
        steps = None if args.steps is None else [_whole("--steps", text) for text in args.steps.split(",")]
        return run_map(args, load, names=names, budgets=steps, presets=presets.presets(args.model))
    if args.page:  # a process of its own: this module knows no gradio
        return subprocess.call([sys.executable, "-m", "app.measure.page_speed", *["--json"] * args.json])
    if args.plot and not args.plot.parent.is_dir():
        raise InfillError(f"there is no folder '{args.plot.parent}' for the plot")
    problems = read_problems(args.problems)[: args.limit]
    denoiser = load(args.model, **model_settings(args))
    facts = {"model": denoiser.name, "problems": len(problems), "temperature": args.temperature, "seed": args.seed}
    if args.baseline:
        found = compare_loops(problems, denoiser, seed=args.seed, repeat=args.repeat or 5)
        print(json.dumps({"model": denoiser.name, "seed": args.seed} | found) if args.json else _two_loops(found))
        return 0
    if args.lossless:
        found = lossless.compare_greedy(problems, denoiser, steps=budgets[0])
        print(json.dumps({"model": denoiser.name} | found) if args.json else lossless.report(found))
        return 0
    settings = {"temperature": args.temperature, "top_p": args.top_p, "seed": args.seed, "shown": args.overhead}
    measure_strategy(names[0], budgets[0], problems[:1], denoiser, **settings)  # warm-up
    columns = _OVERHEAD if args.overhead else _COLUMNS
    if not args.json:
        print(f"{'strategy':<20}{'T':>4}" + "".join(f"  {heading:>7}" for heading, _ in columns.values()))
    rows = []
    for name, steps in itertools.product(names, budgets):
        if sys.stderr.isatty():
            print(f"{name} …", end="\r", file=sys.stderr)
        rows.append(measure_strategy(name, steps, problems, denoiser, repeat=args.repeat or 1, **settings))
        if not args.json:
            numbers = "".join(
                f"  {getattr(rows[-1], key):>{max(7, len(heading))}{form}}" for key, (heading, form) in columns.items()
            )
            print(f"{name:<20}{steps or 'N':>4}{numbers}", flush=True)
    if args.dual_cache is not None:
        facts["dual_cache"] = cache_facts(denoiser)
        if not args.json:
            print(_CACHE.format(**facts["dual_cache"]))
    if args.json:
        print(json.dumps(facts | {"rows": [asdict(row) for row in rows]}))
    if args.plot:
        plot(rows, args.plot)
    return 0


def _speed(args: argparse.Namespace) -> int:
    def whole(flag: str) -> list[int] | None:
        given = getattr(args, flag)
        return None if given is None else [_whole(f"--{flag}", text) for text in given.split(",")]

    plan = speed.SpeedPlan(
        shape=args.random_weights,
        device=args.device,
        numbers=None if args.dtypes is None else args.dtypes.split(","),
        contexts=whole("contexts"),
        gaps=whole("gaps"),
        static=args.static,
        repeat=args.repeat or 10,
        seed=args.seed,
    )
    speed.time_networks(plan, as_json=args.json)
    return 0


def _whole(flag: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InfillError(f"{flag} takes whole numbers separated by commas, not '{text}'") from None


def _two_loops(found: dict[str, float]) -> str:
    return (
        f"{'16 masks, T = 64':<20}{'NFE':>8}{'seconds':>10}\n"
        f"{'random':<20}{found['nfe']:>8.1f}{found['seconds']:>10.3f}\n"
        f"{'reference loop':<20}{found['plain_nfe']:>8.1f}{found['plain_seconds']:>10.3f}\n"
        f"{'ratio':<20}{found['nfe_ratio']:>7.2f}x{found['seconds_ratio']:>9.2f}x"
    )
