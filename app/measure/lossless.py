"""Whether speculation changes anything: `speculate` against the greedy order that it claims to reproduce."""

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


def compare_greedy(
    problems: Sequence[Problem],
    denoiser: Denoiser,
    *,
    steps: int | None = None,
    ahead: int = 4,
) -> dict[str, float]:
    """`speculate` and `low_confidence` in turns on every problem, at temperature 0 and `steps` (None: one a token).

    `identical` counts the problems with the same tokens in the same steps; for the others `closest` and `widest` say by
    how much the surest two positions, or the best two tokens, differed where they parted (0 where none did). The rest
    are sums over all problems, and ratios of these.
    """
    compare = dict.fromkeys(
        ("identical", "same_text", "calls", "greedy_calls", "rows", "seconds", "greedy_seconds"), 0.0
    )
    ties: list[float] = []
    for number, problem in enumerate([problems[0], *problems]):  # the first turn warms up and is not counted
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
    """The first step in which two traces commit other positions, or other tokens; None where there is none."""
    for number, (one, other) in enumerate(zip(first.steps, second.steps, strict=False)):
        same = one.selection.commit.tolist() == other.selection.commit.tolist()
        if not same or one.canvas.ids.tolist() != other.canvas.ids.tolist():
            return number
    return None if len(first.steps) == len(second.steps) else min(len(first.steps), len(second.steps))


def tie(trace: Trace, step: int) -> float:
    """How much another choice would have had to differ in a step: in confidence of positions, or of tokens."""
    before = (trace.start if step == 0 else trace.steps[step - 1].canvas).masks
    taken = trace.steps[step]
    chosen = taken.selection.commit
    rest = np.setdiff1d(before, chosen)
    confidence = taken.prediction.confidence
    lead = float(confidence[chosen].min() - confidence[rest].max()) if len(rest) else float("inf")
    return min(lead, float(taken.prediction.margin[chosen].min()))


def report(found: dict[str, float]) -> str:
    """The comparison in words."""
    told = (
        f"{found['identical']:.0f} of {found['problems']:.0f} problems: the same tokens in the same steps; "
        f"{found['same_text']:.0f} the same text\n"
    )
    if found["identical"] < found["problems"]:
        told += f"the others parted at a tie of {found['closest']:.1e} to {found['widest']:.1e}\n"
    return told + (
        f"{'T = N, temperature 0':<24}{'calls':>8}{'rows':>8}{'seconds':>10}\n"
        f"{'low_confidence':<24}{found['greedy_calls']:>8.0f}{found['greedy_calls']:>8.0f}"
        f"{found['greedy_seconds']:>10.2f}\n"
        f"{'speculate, ahead ' + format(found['ahead'], '.0f'):<24}{found['calls']:>8.0f}{found['rows']:>8.0f}"
        f"{found['seconds']:>10.2f}\n"
        f"{'ratio':<24}{found['calls_ratio']:>7.2f}x{'':>8}{found['seconds_ratio']:>9.2f}x"
    )
