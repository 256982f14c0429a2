"""`python -m app bench --cached`: what the dual cache saves, and what it changes, against exact fills of problems."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from app.errors import InfillError
from app.flags import model_settings
from app.measure.bootstrap import Estimate, Median, Numbers, draw_counts, estimate_means, estimate_median
from app.measure.likelihood import nats_per_token
from app.measure.map.command import facts_of, report_progress, source_of
from app.measure.map.configurations import YARDSTICK, Configuration, part_of
from app.measure.map.runs import Rows, random_order
from app.measure.problems import Problem, as_request, oracle_length, read_problems, without_rouge
from app.measure.run import run_to_end
from app.trace import metrics
from models.denoiser import Denoiser
from models.terminal import as_text, plain, table

if TYPE_CHECKING:  # it imports torch
    from models.networks.transformer import TransformerDenoiser

BUDGETS = ("N", "N/2")
REFRESHES = "never,8,4,2"
SEED = 0  # of every run; at temperature 0 it draws nothing
EXACT, NEVER = 1, 2**30
"""Passes between refreshes: each pass computes the whole text, or only the first one does."""


@dataclass(frozen=True, kw_only=True)
class Third:
    """How many times faster the cached fill was, for a third of the problems by length."""

    shortest: int  # tokens of the whole text, the gap included
    longest: int
    faster: Median


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Fills with a dual cache against exact fills of the same problems, by `low_confidence` at temperature 0."""

    budget: str  # T: N, N/2, or a number of steps
    refresh: int
    problems: int
    nfe: float  # mean of the cached fills
    exact_nfe: float
    computed: float  # percent of the positions that as many whole passes would have computed
    seconds: float  # median of a cached fill
    exact_seconds: float
    faster: Median  # exact seconds / cached seconds, problem by problem
    thirds: tuple[Third, ...]
    same_text: Estimate  # percent of the problems
    same_tokens: Estimate  # percent of a fill's tokens that are the exact fill's at the same place
    rougeL: Estimate  # noqa: N815 - cached less exact, against the true middle
    nats: Estimate  # cached less exact: the parent's nats a token of the fill; NaN without a parent
    nats_after: Estimate  # the same of the tokens after the fill, which the parent reads after it


def run_cached(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    """Run what is missing in `rows.jsonl` of the folder --out, then print the comparisons."""
    from models.checkpoints.placement import machine  # imports torch
    from models.networks.transformer import TransformerDenoiser

    refreshes = parse_refreshes(args.cached)
    budgets = BUDGETS if args.steps is None else tuple(budget.strip() for budget in args.steps.split(","))
    for budget in budgets:
        part_of(budget)  # raises for a wrong one
    if args.out is None:
        raise InfillError("--cached needs --out FOLDER for its rows; a killed run resumes from it")
    if args.static or args.dual_cache is not None:
        raise InfillError("--cached compares dual caches with exact passes; leave out --static and --dual-cache")
    source, problems = source_of(args), read_problems(args.problems)[: args.limit]
    denoiser = load(args.model, **model_settings(args))
    if not isinstance(denoiser, TransformerDenoiser):
        raise InfillError(f"the dual cache needs a transformer, which '{denoiser.name}' is not; choose another --model")
    rows = Rows(args.out, facts_of(args, source) | {"machine": machine(denoiser.device)})
    keys = {budget: [_key(budget, refresh) for refresh in (EXACT, *refreshes)] for budget in budgets}
    left = [  # all fills at a budget are run again if one is missing: only times of the same minute are compared
        (number, missing)
        for number in random_order(problems)
        if (missing := [b for b in budgets if not all(rows.has(number, key, [SEED]) for key in keys[b])])
    ]
    if left:
        fill_problem(problems[0], denoiser, budgets[:1], refreshes, number=0)  # warm-up
    began = time.monotonic()
    for done, (number, missing) in enumerate(left, start=1):
        if time.monotonic() - began > 60 * (float("inf") if args.minutes is None else args.minutes):
            break
        before = time.process_time()
        found = fill_problem(problems[number], denoiser, missing, refreshes, number=number)
        spent = {"computed": sum(row["nfe"] for row in found), "seconds": time.process_time() - before}
        rows.add({"problem": number, **spent, "rows": found})
        report_progress(done, len(left), time.monotonic() - began)
    complete = rows.complete(len(problems), (key for some in keys.values() for key in some), [SEED])
    if not complete:
        raise InfillError("no problem was run in that time; give more --minutes")
    if notice := without_rouge([problems[number] for number in complete]):
        print(notice, file=sys.stderr)
    found = [{key: by_seed[SEED] for key, by_seed in rows.by_problem[number].items()} for number in complete]
    comparisons = [compare(found, budget, refresh) for budget in budgets for refresh in refreshes]
    if args.json:
        facts = {"model": denoiser.name, "machine": machine(denoiser.device), "problems": len(complete)}
        print(json.dumps(plain(facts | {"rows": [asdict(one) for one in comparisons]})))
    else:
        print(report(comparisons))
    return 0


def parse_refreshes(text: str) -> list[int]:
    """Return the passes between refreshes. Raises InfillError for other text than numbers from 2 and 'never'."""
    names = [name.strip() for name in text.split(",")]
    if not all(name == "never" or (name.isdecimal() and int(name) > EXACT) for name in names):
        raise InfillError(f"--cached takes numbers from 2 on and 'never', separated by commas, not '{text}'")
    return list(dict.fromkeys(NEVER if name == "never" else int(name) for name in names))


def fill_problem(
    problem: Problem, exact: TransformerDenoiser, budgets: Sequence[str], refreshes: Sequence[int], *, number: int
) -> list[dict[str, Any]]:
    """Fill a problem exactly and with each cache, at each budget, and return the rows.

    The order is drawn for each problem by its `number`, so that other work on the machine slows all fills alike. On a
    CPU seconds are processor time: that of one thread is what a fill takes on a free core.
    """
    from models.networks.dual_cache import DualCacheDenoiser

    rows, canvases = [], []
    masks, drawn = oracle_length(problem, exact), random.Random(number)
    clock = time.process_time if exact.device.type == "cpu" else time.perf_counter
    for budget in budgets:
        steps = Configuration(strategy=YARDSTICK, budget=budget).steps(masks)
        request = as_request(problem, exact, steps=steps, strategy=YARDSTICK)
        every = (EXACT, *refreshes)
        for refresh in drawn.sample(every, len(every)):
            cached = DualCacheDenoiser(exact, refresh=refresh)  # of its own, for its meter
            began = clock()
            trace = run_to_end(request, cached)
            seconds = clock() - began
            canvases.append(trace.canvas)
            rows.append(
                {
                    "key": _key(budget, refresh),
                    "seed": SEED,
                    "tokens": len(trace.canvas),
                    "nfe": trace.nfe,
                    "computed": 100.0 if refresh == EXACT else 100 * cached.meter.share,
                    "seconds": seconds,
                    "text": trace.fill,
                    "fill": trace.canvas.ids[trace.canvas.span].tolist(),
                    "rougeL": metrics.rouge(trace.fill, problem.middle)["rougeL"],
                }
            )
    if (judge := exact.judge) is not None:
        fills = list(dict.fromkeys(tuple(row["fill"]) for row in rows))  # equal fills get the very same numbers
        scores = dict(zip(fills, nats_per_token(canvases[0], fills, judge), strict=True))
        for row in rows:
            found = scores[tuple(row["fill"])]
            row |= {"nats": found.fill, "nats_after": found.after}
    return [plain(row) for row in rows]


def _key(budget: str, refresh: int) -> str:
    return f"T={budget} R={refresh}"


def compare(problems: Sequence[Mapping[str, Mapping[str, Any]]], budget: str, refresh: int) -> Comparison:
    """Compare the cached with the exact fills at a budget; `problems` are the rows of each problem, by key."""
    pairs = [(rows[_key(budget, EXACT)], rows[_key(budget, refresh)]) for rows in problems]

    def both(name: str) -> Numbers:
        """Return a number of the exact and the cached fill [problems, 2]; NaN if it could not be measured."""
        return np.array([[one.get(name) for one in pair] for pair in pairs], dtype=np.float64)

    seconds, nfe, tokens = both("seconds"), both("nfe"), both("tokens")[:, 0]
    faster = seconds[:, 0] / seconds[:, 1]
    same = [np.array(exact["fill"]) == np.array(cached["fill"]) for exact, cached in pairs]
    columns = (
        [100.0 * (exact["text"] == cached["text"]) for exact, cached in pairs],
        [100.0 * one.mean() for one in same],
        *(np.diff(both(name))[:, 0] for name in ("rougeL", "nats", "nats_after")),
    )
    estimates = estimate_means(np.column_stack(columns), draw_counts(len(pairs)))
    return Comparison(
        budget=budget,
        refresh=refresh,
        problems=len(pairs),
        nfe=float(nfe[:, 1].mean()),
        exact_nfe=float(nfe[:, 0].mean()),
        computed=statistics.mean(cached["computed"] for _, cached in pairs),
        seconds=float(np.median(seconds[:, 1])),
        exact_seconds=float(np.median(seconds[:, 0])),
        faster=estimate_median(faster),
        thirds=tuple(
            Third(
                shortest=int(tokens[part].min()), longest=int(tokens[part].max()), faster=estimate_median(faster[part])
            )
            for part in np.array_split(np.argsort(tokens, kind="stable"), 3)
            if len(part)
        ),
        **dict(zip(("same_text", "same_tokens", "rougeL", "nats", "nats_after"), estimates, strict=True)),
    )


def report(comparisons: Sequence[Comparison]) -> str:
    """Return the comparisons as two tables: over all problems, and the gain in time by length."""
    names = [(f"T={one.budget}", "never" if one.refresh == NEVER else str(one.refresh)) for one in comparisons]
    whole = table(
        [
            (
                *name,
                f"{one.nfe:.1f}",
                f"{one.computed:.0f}",
                _times(one.faster),
                _mean(one.same_text, ".1f"),
                _mean(one.same_tokens, ".1f"),
                _mean(one.rougeL, "+.2f"),
                _mean(one.nats, "+.3f"),
                _mean(one.nats_after, "+.3f"),
            )
            for name, one in zip(names, comparisons, strict=True)
        ],
        header=(
            "budget", "refresh", "NFE", "computed %", "times faster", "same text %", "same tokens %", "ROUGE-L",
            "nats/token", "after the fill",
        ),
    )  # fmt: skip
    lengths = [f"{third.shortest} to {third.longest} tokens" for third in comparisons[0].thirds]
    thirds = table(
        [
            (*name, *(_times(third.faster) for third in one.thirds))
            for name, one in zip(names, comparisons, strict=True)
        ],
        header=("times faster", "refresh", *lengths),
    )
    return f"{comparisons[0].problems} problems; exact passes are the yardstick\n{whole}\n\n{thirds}"


def _times(found: Median) -> str:
    return f"{found.median:.2f} [{as_text(found.low, '.2f')}, {as_text(found.high, '.2f')}]"


def _mean(found: Estimate, form: str) -> str:
    return f"{as_text(found.mean, form)} [{as_text(found.low, form)}, {as_text(found.high, form)}]"
