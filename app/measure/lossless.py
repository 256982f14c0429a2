"""Check that `speculate` changes nothing: compare it with the greedy order that it must reproduce."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from app.measure.problems import Problem, as_request
from app.measure.run import run_to_end
from app.trace.trace import Trace
from models.denoiser import Denoiser
from models.terminal import table


def compare_greedy(
    problems: Sequence[Problem],
    denoiser: Denoiser,
    *,
    steps: int | None = None,
    ahead: int = 4,
) -> dict[str, float]:
    """Run `speculate` and `low_confidence` in turns on every problem, at temperature 0; `steps` None is one per token.

    `identical` counts the problems with the same tokens in the same steps. For the others, `closest`, `typical` and
    `widest` are the least, median and largest lead (see `tie`) at the first step that differs; 0 if all are identical.
    The rest are sums over all problems, and ratios of these sums.
    """
    compare = dict.fromkeys(
        ("identical", "same_text", "calls", "greedy_calls", "rows", "seconds", "greedy_seconds"), 0.0
    )
    ties: list[float] = []
    for number, problem in enumerate([problems[0], *problems]):  # the first turn is a warm-up and is left out
        began = time.perf_counter()
        greedy = run_to_end(as_request(problem, denoiser, steps=steps, strategy="low_confidence"), denoiser)
        between = time.perf_counter()
        request = as_request(problem, denoiser, steps=steps, strategy="speculate", knobs={"ahead": ahead})
        ours = run_to_end(request, denoiser)
        ended = time.perf_counter()
        if number == 0:
            continue
        parted = parting(greedy, ours)
        if parted is not None:
            ties.append(tie(greedy, parted))
        found: dict[str, Any] = {
            "identical": parted is None,
            "same_text": greedy.fill == ours.fill,
            "calls": ours.steps[-1].calls,
            "greedy_calls": greedy.steps[-1].calls,
            "rows": ours.nfe,
            "seconds": ended - between,
            "greedy_seconds": between - began,
        }
        compare = {name: total + found[name] for name, total in compare.items()}
    return compare | {
        "problems": len(problems),
        "ahead": ahead,
        "calls_ratio": compare["greedy_calls"] / compare["calls"],
        "seconds_ratio": compare["greedy_seconds"] / compare["seconds"],
        "closest": min(ties, default=0.0),
        "typical": statistics.median(ties) if ties else 0.0,
        "widest": max(ties, default=0.0),
    }


def parting(first: Trace, second: Trace) -> int | None:
    """Return the first step in which two traces commit different positions or tokens; None if there is none."""
    for number, (one, other) in enumerate(zip(first.steps, second.steps, strict=False)):
        same = one.selection.commit.tolist() == other.selection.commit.tolist()
        if not same or one.canvas.ids.tolist() != other.canvas.ids.tolist():
            return number
    return None if len(first.steps) == len(second.steps) else min(len(first.steps), len(second.steps))


def tie(trace: Trace, step: int) -> float:
    """Return by how much a step's choice led: the smaller of the leads, in confidence, of its positions and tokens."""
    before = (trace.start if step == 0 else trace.steps[step - 1].canvas).masks
    taken = trace.steps[step]
    chosen = taken.selection.commit
    rest = np.setdiff1d(before, chosen)
    confidence = taken.prediction.confidence
    lead = float(confidence[chosen].min() - confidence[rest].max()) if len(rest) else float("inf")
    return min(lead, float(taken.prediction.margin[chosen].min()))


def report(found: dict[str, float]) -> str:
    """Return the comparison as text."""
    text = (
        f"{found['identical']:.0f} of {found['problems']:.0f} problems have the same tokens in the same steps; "
        f"{found['same_text']:.0f} have the same text\n"
    )
    if found["identical"] < found["problems"]:
        text += f"the others differ first at a near-tie: the lead was {found['closest']:.1e} to {found['widest']:.1e}\n"
    greedy_calls = f"{found['greedy_calls']:.0f}"  # each of one row
    rows = [
        ("low_confidence", greedy_calls, greedy_calls, f"{found['greedy_seconds']:.2f}"),
        (
            f"speculate, ahead {found['ahead']:.0f}",
            f"{found['calls']:.0f}",
            f"{found['rows']:.0f}",
            f"{found['seconds']:.2f}",
        ),
        ("ratio", f"{found['calls_ratio']:.2f}x", "", f"{found['seconds_ratio']:.2f}x"),
    ]
    return text + table(rows, header=("T = N, temperature 0", "calls", "rows", "seconds"))
