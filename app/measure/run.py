"""Run strategies on problems with known answers, and summarise the runs."""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.infill import infill
from app.measure.problems import Problem, as_request
from app.sampling.request import InfillRequest
from app.sampling.step import Policy
from app.trace import messages, metrics
from app.trace.trace import Trace
from models.denoiser import Denoiser


@dataclass(frozen=True, kw_only=True)
class Row:
    """One strategy at one budget: means over all runs; times are medians over runs."""

    strategy: str
    steps: int | None  # T; None: one step per mask
    runs: int
    nfe: float
    seconds: float  # from the request to the finished trace
    model_seconds: float
    overhead: float  # percent of the seconds not spent in the denoiser
    tokens_per_second: float
    rouge1: float  # the means of ROUGE are over the runs for which it can be measured, and NaN without any
    rouge2: float
    rougeL: float  # noqa: N815 - the measure's own name
    exact: float  # percent
    bigram_entropy: float
    risk: float
    left_to_right: float


def measure_strategy(
    strategy: str,
    steps: int | None,
    problems: Sequence[Problem],
    denoiser: Denoiser,
    *,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    repeat: int = 1,
    shown: bool = False,
    progress: Callable[[Sequence[InfillRequest]], Iterable[InfillRequest]] = iter,
) -> Row:
    """Run one strategy at one budget on every problem, `repeat` times with seeds from `seed` on.

    `shown` adds the work of the page: a message for every step, the closing message, and the figure of the open tab.
    `progress` wraps the requests, for example to count them.
    """
    settings = {"steps": steps, "strategy": strategy, "temperature": temperature, "top_p": top_p}
    requests = [
        as_request(problem, denoiser, seed=seed + shift, **settings)
        for shift, problem in itertools.product(range(repeat), problems)
    ]
    traces, seconds = [], []
    for request in progress(requests):
        began = time.perf_counter()
        traces.append(run_to_end(request, denoiser, shown=shown))
        seconds.append(time.perf_counter() - began)
    golds = [problem.middle for problem in problems] * repeat
    scores = [metrics.rouge(trace.fill, gold) for trace, gold in zip(traces, golds, strict=True)]
    model_seconds = [trace.steps[-1].model_seconds for trace in traces]
    return Row(
        strategy=strategy,
        steps=steps,
        runs=len(traces),
        nfe=statistics.mean(trace.nfe for trace in traces),
        seconds=statistics.median(seconds),
        model_seconds=statistics.median(model_seconds),
        overhead=100
        * statistics.median(1 - inside / all_ for inside, all_ in zip(model_seconds, seconds, strict=True)),
        tokens_per_second=statistics.median(len(t.start.slots) / s for t, s in zip(traces, seconds, strict=True)),
        exact=100 * statistics.mean(metrics.exact_match(t.fill, g) for t, g in zip(traces, golds, strict=True)),
        bigram_entropy=metrics.ngram_entropy([t.canvas.ids[t.canvas.span].tolist() for t in traces], 2),
        risk=statistics.mean(map(metrics.independence_risk, traces)),
        left_to_right=statistics.mean(map(metrics.left_to_right, traces)),
        **metrics.mean_rouge(scores),
    )


def run_to_end(
    request: InfillRequest, denoiser: Denoiser, *, policy: Policy | None = None, shown: bool = False
) -> Trace:
    """Run a request to its end and return the trace.

    `policy` is explained at `infill`, and `shown` at `measure_strategy`.
    """
    traces = infill(request, denoiser, policy=policy)
    trace = next(traces)
    for trace in traces:
        if shown:
            json.dumps(messages.build_live(trace, "run"))
    if shown:
        from app.views.palette import LIGHT  # plotly takes a moment to import
        from app.views.registry import views

        json.dumps(messages.build_closing(trace, "run"))
        views()["confidence_map"].draw(trace, LIGHT).to_json()  # the most expensive view
    return trace


def cache_facts(denoiser: Denoiser) -> dict[str, float]:
    """Return what a denoiser's dual cache saved and how large its errors were, over all runs so far."""
    from models.networks.dual_cache import DualCacheDenoiser

    assert isinstance(denoiser, DualCacheDenoiser)
    meter = denoiser.meter
    return {
        "refresh": denoiser.refresh,
        "share": meter.share,
        "compared": meter.compared,
        "mean_kl": meter.mean_kl,
        "worst_kl": meter.worst_kl,
        "worst_variation": meter.worst_variation,
    }
