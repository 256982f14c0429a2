"""Run every configuration on every problem, on all cores; a killed run can be resumed."""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import models
from app.errors import InfillError
from app.measure.likelihood import nats_per_token
from app.measure.map.configurations import TRUTH, YARDSTICK, Configuration
from app.measure.map.references import BEST, ORACLE, Run, is_reference, run_best_of, run_oracle
from app.measure.problems import Problem, as_request, gold
from app.measure.run import run_to_end
from app.sampling.layout import lay_out
from app.trace import metrics
from models.denoiser import Denoiser

Settings = Mapping[str, Any]
"""Settings of every request but the seed: temperature, top_p."""


def run_problem(
    problem: Problem, chosen: Iterable[Asked], denoiser: Denoiser, settings: Settings
) -> tuple[list[dict[str, Any]], int]:
    """Run the configurations on one problem; return their rows and the forward passes computed for all of them.

    A transformer's states are shared by all configurations, but the NFE in a row is what the run would take alone. The
    first row is about the true middle. If the denoiser has an autoregressive parent, rows have its nats a token.
    """
    from models.bench.shared_states import SharedStates  # imports torch
    from models.networks.transformer import TransformerDenoiser

    shared = SharedStates(denoiser) if isinstance(denoiser, TransformerDenoiser) else None
    true = gold(problem, denoiser)
    rows = [_true_row(problem, true)]
    rows += [_row(problem, one, seed, true, shared or denoiser, settings) for one, seed in chosen]
    computed = sum(row.get("nfe", 0) for row in rows) if shared is None else shared.computed
    if (judge := denoiser.judge) is not None:
        fills = list(dict.fromkeys(tuple(row["fill"]) for row in rows if "fill" in row))
        canvas, _ = lay_out(as_request(problem, denoiser), denoiser)
        scores = dict(zip(fills, nats_per_token(canvas, fills, judge), strict=True))
        for row in rows:
            if "fill" in row:
                found = scores[tuple(row["fill"])]
                row |= {"nats": found.fill} | ({} if math.isnan(found.after) else {"nats_after": found.after})
    return rows, computed


def _true_row(problem: Problem, true: Sequence[int]) -> dict[str, Any]:
    rouge = dict.fromkeys(metrics.ROUGE, 100.0) if metrics.has_rouge(problem.middle) else {}
    return {"key": TRUTH, "seed": 0, "masks": len(true), "exact": 100.0, "fill": list(true), **rouge}


def run_configuration(
    problem: Problem, one: Configuration, seed: int, true: Sequence[int], denoiser: Denoiser, settings: Settings
) -> Run:
    """Run one configuration on a problem whose middle has the tokens `true`.

    Raises InfillError if it cannot run, for example with too few steps.
    """
    request = as_request(
        problem,
        denoiser,
        steps=one.steps(len(true)),
        strategy=YARDSTICK if is_reference(one.strategy) else one.strategy,
        knobs=one.knobs,
        **({"redraw": True} if one.redraw else {}),
        **{**settings, "seed": seed},
    )
    if one.strategy == ORACLE:
        canvas, _ = lay_out(request, denoiser)
        targets = canvas.ids.copy()
        targets[canvas.span] = true
        return run_oracle(request, denoiser, targets)
    if one.strategy in BEST:
        return run_best_of(request, denoiser, BEST[one.strategy])
    trace = run_to_end(request, denoiser)
    return Run(trace, trace.nfe, trace.calls)


def _row(
    problem: Problem, one: Configuration, seed: int, true: Sequence[int], denoiser: Denoiser, settings: Settings
) -> dict[str, Any]:
    """Return the row of one run; if the strategy cannot run, its key and the error."""
    try:
        run = run_configuration(problem, one, seed, true, denoiser, settings)
    except InfillError as error:
        return {"key": one.key, "seed": seed, "failed": str(error)}
    trace = run.trace
    return {
        "key": one.key,
        "seed": seed,
        "masks": len(true),
        "nfe": run.nfe,
        "calls": run.calls,
        **(metrics.rouge(trace.fill, problem.middle) if metrics.has_rouge(problem.middle) else {}),
        "exact": 100.0 * metrics.exact_match(trace.fill, problem.middle),
        "risk": metrics.independence_risk(trace),
        "tau": metrics.left_to_right(trace),
        "fill": trace.canvas.ids[trace.canvas.span].tolist(),
    }


class Rows:
    """The rows in a folder's `rows.jsonl`, one line per problem, so that a killed run loses little."""

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Read the rows. Raises InfillError if they were made with other `facts`, the inputs that rows depend on."""
        self._file, recorded = folder / "rows.jsonl", folder / "facts.json"
        self.by_problem: dict[int, dict[str, dict[int, dict[str, Any]]]] = {}
        """The rows by problem, configuration and seed."""
        self.times: dict[int, dict[str, float]] = {}
        """The seconds of one run by problem and configuration, of the problems that were timed."""
        self.computed, self.seconds = 0, 0.0  # forward passes and processor time of all rows
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if recorded.exists() and json.loads(recorded.read_text(encoding="utf-8")) != facts:
                raise InfillError(f"'{folder}' has rows of another model, file or setting; give another --out")
            recorded.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
            whole = self._file.read_text(encoding="utf-8").rpartition("\n")[0] if self._file.exists() else ""
            self._file.write_text(whole + "\n" * bool(whole), encoding="utf-8")  # drop a line that a kill cut off
            for line in filter(None, whole.split("\n")):  # JSON may contain other line breaks, such as U+2028
                self._keep(json.loads(line))
        except OSError as error:
            raise InfillError(f"cannot write into '{folder}': {error.strerror}") from None

    def _keep(self, found: dict[str, Any]) -> None:
        rows = self.by_problem.setdefault(found["problem"], {})
        for row in found["rows"]:
            rows.setdefault(row["key"], {})[row["seed"]] = row
        if found.get("times"):
            self.times.setdefault(found["problem"], {}).update(found["times"])
        self.computed += found["computed"]
        self.seconds += found["seconds"]

    def add(self, found: dict[str, Any]) -> None:
        """Write a result of `run_tasks` to the file, and keep it."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
        self._keep(found)

    def has(self, problem: int, key: str, seeds: Iterable[int]) -> bool:
        """Check whether a problem was run with a configuration and each of the seeds."""
        return set(seeds) <= self.by_problem.get(problem, {}).get(key, {}).keys()

    def complete(self, problems: int, keys: Iterable[str], seeds: Sequence[int]) -> list[int]:
        """Return the numbers of the first `problems` problems that have a row for every key and seed."""
        wanted = set(keys)
        return [number for number in range(problems) if all(self.has(number, key, seeds) for key in wanted)]


Asked = tuple[Configuration, int]
"""A configuration and a seed."""
Task = tuple[int, Problem, Sequence[Asked]]


def remaining_tasks(
    problems: Sequence[Problem], chosen: Iterable[Configuration], seeds: Sequence[int], rows: Rows
) -> list[Task]:
    """Return what is still to be run, in a fixed random order, so that a partial run is a random sample."""
    unique = {one.key: one for one in chosen}.values()
    left = [
        (n, [(one, seed) for one in unique for seed in seeds if not rows.has(n, one.key, [seed])])
        for n in random_order(problems)
    ]
    return [(number, problems[number], missing) for number, missing in left if missing]


def untimed_tasks(
    problems: Sequence[Problem], chosen: Iterable[Configuration], seed: int, count: int, rows: Rows
) -> list[Task]:
    """Return the first `count` problems of the random order that are not timed yet with these configurations."""
    unique = {one.key: one for one in chosen}.values()
    left = [
        (number, [(one, seed) for one in unique])
        for number in random_order(problems)[:count]
        if not {one.key for one in unique} <= rows.times.get(number, {}).keys()
    ]
    return [(number, problems[number], missing) for number, missing in left]


def random_order(problems: Sequence[Problem]) -> list[int]:
    """Return the problems' numbers in a fixed random order."""
    return random.Random(0).sample(range(len(problems)), len(problems))


def run_tasks(
    left: Sequence[Task],
    settings: Settings,
    *,
    load: Callable[[], Denoiser],
    model: tuple[str, Mapping[str, Any]],
    jobs: int,
    timed: bool = False,
    minutes: float = float("inf"),
) -> Iterator[dict[str, Any]]:
    """Run the tasks and yield results for `Rows.add`; after `minutes` no further task begins.

    With one job, the tasks run in this process with the denoiser from `load`. With more, they run in processes of one
    thread each, which load `model` (a name, and settings for `models.load`) themselves. `timed` tasks are not scored
    but timed, one by one, always in one process of one thread.
    """
    until = time.time() + 60 * minutes
    if not left:
        return
    if jobs == 1 and not timed:
        denoiser = load()
        yield from filter(None, (_run_task(task, denoiser, settings, until, timed) for task in left))
        return
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # inherited by the processes; this one computes nothing
    spawn, jobs = multiprocessing.get_context("spawn"), 1 if timed else jobs
    with ProcessPoolExecutor(jobs, spawn, initializer=_start_worker, initargs=(model, settings, until, timed)) as pool:
        try:
            for done in as_completed([pool.submit(_run_task_in_worker, task) for task in left]):
                if (found := done.result()) is not None:
                    yield found
        finally:  # also after an error or Ctrl-C: waiting tasks do not begin
            pool.shutdown(wait=False, cancel_futures=True)


def _run_task(task: Task, denoiser: Denoiser, settings: Settings, until: float, timed: bool) -> dict[str, Any] | None:
    if time.time() > until:
        return None
    number, problem, chosen = task
    began = time.process_time()
    if timed:
        found = {"computed": 0, "rows": [], "times": time_problem(problem, chosen, denoiser, settings)}
    else:
        rows, computed = run_problem(problem, chosen, denoiser, settings)
        found = {"computed": computed, "rows": rows}
    return {"problem": number, "seconds": time.process_time() - began} | found


def time_problem(problem: Problem, chosen: Sequence[Asked], denoiser: Denoiser, settings: Settings) -> dict[str, float]:
    """Return the seconds of a whole run of each configuration that can run, alone and in a random order.

    The order is drawn for each problem, so that other work on the machine slows all of them alike. The first
    configuration is run once before, untimed.
    """
    true = gold(problem, denoiser)
    found = {}
    for one, seed in [chosen[0], *random.Random(problem.middle).sample(list(chosen), len(chosen))]:
        began = time.perf_counter()
        with contextlib.suppress(InfillError):
            run_configuration(problem, one, seed, true, denoiser, settings)
            found[one.key] = time.perf_counter() - began
    return found


_process: dict[str, Any] = {}  # the state of a worker process


def _start_worker(model: tuple[str, Mapping[str, Any]], settings: Settings, until: float, timed: bool) -> None:
    name, how = model
    _process.update(denoiser=models.load(name, **how), settings=settings, until=until, timed=timed)


def _run_task_in_worker(task: Task) -> dict[str, Any] | None:
    return _run_task(task, **_process)
