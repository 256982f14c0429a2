"""Strategies measured on problems whose answer is known."""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from app.errors import InfillError
from app.infill import infill
from app.sampling.request import InfillRequest
from app.trace import messages, metrics
from app.trace.trace import Trace
from models.denoiser import Denoiser, Reader


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A passage whose middle is to be found again; single spaces join the parts."""

    prefix: str
    middle: str
    suffix: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One strategy at one budget: means over all runs; times are medians."""

    strategy: str
    steps: int | None  # T; None: as many as there are masks
    runs: int
    nfe: float
    seconds: float  # from the request to the finished trace
    model_seconds: float
    overhead: float  # percent of the seconds not spent in the denoiser
    tokens_per_second: float
    rouge1: float
    rouge2: float
    rougeL: float  # noqa: N815 - the measure's own name
    exact: float  # percent
    bigram_entropy: float
    risk: float
    left_to_right: float


def read_problems(path: Path) -> list[Problem]:
    """The problems of a JSONL file. Raises InfillError, naming the line, where one is broken."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InfillError(f"cannot read the problems in '{path}': {error}") from None
    names = [field.name for field in fields(Problem)]
    problems = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InfillError(f"line {number} of '{path}' is not JSON: {error}") from None
        if not isinstance(data, dict) or not all(isinstance(data.get(name), str) for name in names):
            raise InfillError(f"line {number} of '{path}' must be an object with the texts {', '.join(names)}")
        if not data["middle"].strip():
            raise InfillError(f"line {number} of '{path}' has an empty middle; there is nothing to find")
        problems.append(Problem(**{name: data[name] for name in names}))
    if not problems:
        raise InfillError(f"there is no problem in '{path}'; give JSON lines with {', '.join(names)}")
    return problems


def gold(problem: Problem, reader: Reader) -> list[int]:
    """The tokens of the middle where it stands."""
    return reader.tokenizer.encode(" " * bool(problem.prefix) + problem.middle.strip(" "))


def oracle_length(problem: Problem, reader: Reader) -> int:
    """How many tokens the middle takes; all strategies are told."""
    return len(gold(problem, reader))


def as_request(problem: Problem, reader: Reader, *, steps: int | None = None, **settings: Any) -> InfillRequest:
    """The problem with its oracle length; `steps` None: as many as there are masks.

    Raises InfillError, quoting the problem, where it asks for more than a request may.
    """
    length = oracle_length(problem, reader)
    try:
        return InfillRequest(
            prefix=problem.prefix,
            suffix=problem.suffix,
            length=length,
            steps=length if steps is None else steps,
            **settings,
        )
    except InfillError as error:
        raise InfillError(f"the problem with the middle '{problem.middle[:60]}' cannot be run: {error}") from None


def measure(
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

    `shown` runs do what the page does: the message of every step, the closing one, and the figure of the open tab.
    `progress` is what the requests are drawn through: it may count them.
    """
    settings = {"steps": steps, "strategy": strategy, "temperature": temperature, "top_p": top_p}
    requests = [
        as_request(problem, denoiser, seed=seed + shift, **settings)
        for shift, problem in itertools.product(range(repeat), problems)
    ]
    traces, seconds = [], []
    for request in progress(requests):
        began = time.perf_counter()
        traces.append(run(request, denoiser, shown=shown))
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
        **{name: statistics.mean(score[name] for score in scores) for name in metrics.ROUGE},
    )


def run(request: InfillRequest, denoiser: Denoiser, *, shown: bool = False) -> Trace:
    """The finished trace of one run; see `measure`."""
    traces = infill(request, denoiser)
    trace = next(traces)
    for trace in traces:
        if shown:
            json.dumps(messages.build_live(trace, "run"))
    if shown:
        from app.views.palette import LIGHT  # plotly takes a moment to import
        from app.views.registry import views

        json.dumps(messages.build_closing(trace, "run"))
        views()["confidence_map"].draw(trace, LIGHT).to_json()  # the dearest one
    return trace


def cache_facts(denoiser: Denoiser) -> dict[str, float]:
    """What the dual cache of a denoiser saved, and how far off it was, over all its runs so far."""
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
