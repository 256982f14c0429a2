"""Run every configuration on every problem, on all cores; a killed run can be resumed."""

from __future__ import annotations

import json
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
from app.measure.map.configurations import Configuration
from app.measure.problems import Problem, as_request, oracle_length
from app.measure.run import run_to_end
from app.trace import metrics
from models.denoiser import Denoiser

Settings = Mapping[str, Any]
"""Settings of every request: temperature, top_p, seed."""


def run_problem(
    problem: Problem, chosen: Iterable[Configuration], denoiser: Denoiser, settings: Settings
) -> tuple[list[dict[str, Any]], int]:
    """Run the configurations on one problem; return their rows and the forward passes computed for all of them.

    A transformer's states are shared by all configurations, but the NFE in a row is what the run would take alone.
    """
    from models.bench.shared_states import SharedStates  # imports torch
    from models.networks.transformer import TransformerDenoiser

    shared = SharedStates(denoiser) if isinstance(denoiser, TransformerDenoiser) else None
    masks = oracle_length(problem, denoiser)
    rows = [_row(problem, configuration, masks, shared or denoiser, settings) for configuration in chosen]
    return rows, sum(row.get("nfe", 0) for row in rows) if shared is None else shared.computed


def _row(
    problem: Problem, configuration: Configuration, masks: int, denoiser: Denoiser, settings: Settings
) -> dict[str, Any]:
    """Return the row of one run; if the strategy cannot run, its key and the error."""
    try:
        request = as_request(
            problem,
            denoiser,
            steps=configuration.steps(masks),
            strategy=configuration.strategy,
            knobs=configuration.knobs,
            **settings,
        )
        trace = run_to_end(request, denoiser)
    except InfillError as error:
        return {"key": configuration.key, "failed": str(error)}
    return {
        "key": configuration.key,
        "masks": masks,
        "nfe": trace.nfe,
        "calls": trace.calls,
        **(metrics.rouge(trace.fill, problem.middle) if metrics.has_rouge(problem.middle) else {}),
        "exact": 100.0 * metrics.exact_match(trace.fill, problem.middle),
        "risk": metrics.independence_risk(trace),
        "tau": metrics.left_to_right(trace),
    }


class Rows:
    """The rows in a folder's `rows.jsonl`, one line per problem, so that a killed run loses little."""

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Read the rows. Raises InfillError if they were made with other `facts`, the inputs that rows depend on."""
        self._file, recorded = folder / "rows.jsonl", folder / "facts.json"
        self.by_problem: dict[int, dict[str, dict[str, Any]]] = {}
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
        rows.update({row["key"]: row for row in found["rows"]})
        self.computed += found["computed"]
        self.seconds += found["seconds"]

    def add(self, found: dict[str, Any]) -> None:
        """Write a result of `run_tasks` to the file, and keep it."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
        self._keep(found)

    def complete(self, problems: int, keys: Iterable[str]) -> list[int]:
        """Return the numbers of the first `problems` problems that have a row for every key."""
        wanted = set(keys)
        return [number for number in range(problems) if wanted <= self.by_problem.get(number, {}).keys()]


Task = tuple[int, Problem, Sequence[Configuration]]


def remaining_tasks(problems: Sequence[Problem], chosen: Iterable[Configuration], rows: Rows) -> list[Task]:
    """Return what is still to be run, in a fixed random order, so that a partial run is a random sample."""
    unique = list({one.key: one for one in chosen}.values())
    order = random.Random(0).sample(range(len(problems)), len(problems))
    left = [(n, [one for one in unique if one.key not in rows.by_problem.get(n, {})]) for n in order]
    return [(number, problems[number], missing) for number, missing in left if missing]


def run_tasks(
    left: Sequence[Task],
    settings: Settings,
    *,
    load: Callable[[], Denoiser],
    model: tuple[str, Mapping[str, Any]],
    jobs: int,
    minutes: float = float("inf"),
) -> Iterator[dict[str, Any]]:
    """Run the tasks and yield results for `Rows.add`; after `minutes` no further task begins.

    With one job, the tasks run in this process with the denoiser from `load`. With more, they run in processes of one
    thread each, which load `model` (a name, and settings for `models.load`) themselves.
    """
    until = time.time() + 60 * minutes
    if not left:
        return
    if jobs == 1:
        denoiser = load()
        yield from filter(None, (_run_task(task, denoiser, settings, until) for task in left))
        return
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # inherited by the processes; this one computes nothing
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, initializer=_start_worker, initargs=(model, settings, until)) as pool:
        try:
            for done in as_completed([pool.submit(_run_task_in_worker, task) for task in left]):
                if (found := done.result()) is not None:
                    yield found
        finally:  # also after an error or Ctrl-C: waiting tasks do not begin
            pool.shutdown(wait=False, cancel_futures=True)


def _run_task(task: Task, denoiser: Denoiser, settings: Settings, until: float) -> dict[str, Any] | None:
    if time.time() > until:
        return None
    number, problem, chosen = task
    began = time.process_time()
    rows, computed = run_problem(problem, chosen, denoiser, settings)
    return {"problem": number, "computed": computed, "seconds": time.process_time() - began, "rows": rows}


_process: dict[str, Any] = {}  # the state of a worker process


def _start_worker(model: tuple[str, Mapping[str, Any]], settings: Settings, until: float) -> None:
    name, how = model
    _process.update(denoiser=models.load(name, **how), settings=settings, until=until)


def _run_task_in_worker(task: Task) -> dict[str, Any] | None:
    return _run_task(task, **_process)
