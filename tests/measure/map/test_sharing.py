"""Configurations that share a network's states give the same runs and NFE as alone."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

import models
from app.measure.map.configurations import configurations
from app.measure.map.runs import run_problem
from app.measure.problems import as_request, gold, oracle_length
from app.measure.run import run_to_end
from app.strategies.registry import find, strategies
from app.trace import metrics
from app.trace.trace import Trace
from models.bench.shared_states import SharedStates
from models.denoiser import BeliefCache, Query
from models.networks.transformer import TransformerDenoiser

SETTINGS = {"temperature": 0.0, "top_p": 1.0, "seed": 3}


class OneByOne(TransformerDenoiser):
    """The network without sharing, row by row: in a batch, the last digits of a row differ."""

    def __init__(self, exact: TransformerDenoiser) -> None:
        vars(self).update(vars(exact))
        self.computed = 0

    def _forward(self, queries):
        self.computed += len(queries)
        return [part for query in queries for part in super(OneByOne, self)._forward([query])]


def content(trace: Trace) -> list:
    """Return everything that a run did and predicted, except its seconds."""
    found = []
    for step in trace.steps:
        arrays = [getattr(step.prediction, field.name) for field in fields(step.prediction) if field.name != "forwards"]
        arrays += [step.canvas.ids, step.canvas.masked, step.selection.commit, step.selection.remask]
        found.append((step.nfe, dict(step.selection.notes), [np.asarray(array).tobytes() for array in arrays]))
    return found


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_every_strategy_gives_the_same_trace_and_nfe_as_alone(network, few, temperature):
    settings = SETTINGS | {"temperature": temperature}
    shared, asked = SharedStates(network), 0
    for configuration in configurations(strategies(), {}):
        least = find(configuration.strategy).least_steps(configuration.knobs)
        steps = max(least, configuration.steps(oracle_length(few[0], network)))
        request = as_request(few[0], network, strategy=configuration.strategy, steps=steps, **settings)
        single = OneByOne(network)
        alone, together = run_to_end(request, single), run_to_end(request, shared)
        assert content(together) == content(alone), configuration.label
        assert (together.nfe, together.calls) == (alone.nfe, alone.calls)
        assert single.computed == alone.nfe, configuration.label
        asked += alone.nfe
    assert shared.computed < asked


def test_a_batch_counts_what_its_own_cache_lacks_even_if_others_asked_before(network):
    ids = np.array([28, 3, 29, 29, 5])
    positions = np.array([2, 3])

    def ask(cache: BeliefCache | None, *texts: np.ndarray) -> list[int]:
        queries = [Query(ids=text, positions=positions, uniforms=np.zeros(2), cache=cache) for text in texts]
        return [prediction.forwards for prediction in shared.predict(queries)]

    shared, other = SharedStates(network), np.array([28, 4, 29, 29, 5])
    first, second = BeliefCache(1), BeliefCache(1)
    assert ask(first, ids) == [1]
    assert ask(second, ids, other, ids) == [1, 1, 1]  # nothing was cached when it asked
    assert ask(second, ids, other) == [0, 1]  # it keeps one state, the last
    assert ask(None, ids, other) == [1, 1]
    assert shared.computed == 2


def test_predictions_that_depend_on_the_run_are_not_shared(network):
    from models.networks.dual_cache import DualCacheDenoiser

    with pytest.raises(ValueError, match="cannot be shared"):
        SharedStates(DualCacheDenoiser(network, refresh=2))


@pytest.mark.parametrize("kind", ["toy", "network"])
def test_a_row_has_the_same_numbers_as_a_run_alone(kind, few, request):
    denoiser = models.load("toy") if kind == "toy" else request.getfixturevalue("network")
    chosen = configurations(["random", "klass", "reference"], {"klass": {"fast": {"tau": 0.1, "epsilon": 1.0}}})
    rows, computed = run_problem(few[0], [(one, 3) for one in chosen], denoiser, SETTINGS)
    true, *rows = rows
    assert true["fill"] == gold(few[0], denoiser)
    for row, one in zip(rows, chosen, strict=True):
        asked = as_request(
            few[0],
            denoiser,
            strategy=one.strategy,
            knobs=one.knobs,
            steps=one.steps(oracle_length(few[0], denoiser)),
            **SETTINGS,
        )
        alone = run_to_end(asked, denoiser)
        assert (row["key"], row["seed"]) == (one.key, 3)
        assert row["fill"] == alone.canvas.ids[alone.canvas.span].tolist()
        assert (row["nfe"], row["risk"], row["tau"]) == (
            alone.nfe,
            metrics.independence_risk(alone),
            metrics.left_to_right(alone),
        )
        assert {name: row[name] for name in metrics.ROUGE} == metrics.rouge(alone.fill, few[0].middle)
    asked = sum(row["nfe"] for row in rows)
    assert computed == asked if kind == "toy" else computed < asked
