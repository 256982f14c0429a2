"""Several threads that share one model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

import models
from app.infill import infill
from app.sampling.request import InfillRequest
from app.trace.trace import Trace
from models.denoiser import BeliefCache, Query
from models.serve.batching import BatchingDenoiser
from tests.models.random_weights import ARCHITECTURES, MASK, ask, denoiser, difference, network
from tests.models.serve.threads import PATIENCE, Held, in_this_order, letters, outcome, same, started


def test_calls_that_come_while_a_pass_goes_on_share_the_next_one():
    held = Held(models.load("toy"))
    calls = [letters("a_"), letters("b_c"), letters("_dd", "e__"), letters("f_")]
    futures = outcome(calls, held)
    assert held.passes == [calls[0], [*calls[1], *calls[2], *calls[3]]]
    assert all(same(future, held.inner.predict(call)) for future, call in zip(futures, calls, strict=True))


@pytest.mark.parametrize(
    ("sizes", "passes"),
    [
        ([1, 1, 1, 1, 1, 1], [[0], [1, 2, 3], [4, 5]]),
        ([1, 2, 2, 1], [[0], [1], [2, 3]]),
        ([1, 2, 5, 1, 1], [[0], [1], [2], [3, 4]]),  # a small call does not overtake a large one
        ([5, 1, 1], [[0], [1, 2]]),
        ([1, 0, 3, 1], [[0], [1, 2], [3]]),
    ],
)
def test_first_come_first_served_and_no_call_is_split_or_overtaken(sizes, passes):
    held = Held(models.load("toy"))
    calls = [letters(*["a_"] * size) for size in sizes]
    futures = outcome(calls, held, most=3)
    assert held.passes == [[query for number in each for query in calls[number]] for each in passes]
    assert [len(future.result(PATIENCE)) for future in futures] == sizes


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_what_a_call_gets_is_what_it_would_get_alone(architecture, temperature):
    model = denoiser(network(architecture))
    texts = [[3, MASK], [3, 8, MASK, MASK, 5, 6], [1, MASK, 2], [4, 5, MASK, MASK, 7, 8, 9, 10, MASK, 12, 13]]
    queries = [ask(text, temperature=temperature, top_p=0.9) for text in texts]
    held = Held(model)
    futures = outcome([[query] for query in queries], held)
    assert [len(each) for each in held.passes] == [1, 3]
    for future, query in zip(futures, queries, strict=True):
        assert difference(future.result(PATIENCE)[0], model.predict([query])[0]) < 1e-5


def summary(trace: Trace) -> list[Any]:
    commits = [[step.selection.commit.tolist(), step.canvas.ids.tolist(), step.nfe] for step in trace.steps]
    return [trace.text, trace.ended, trace.order.tolist(), commits]


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "toy"])
@pytest.mark.parametrize("strategy", ["low_confidence", "entropy_bound", "random", "reference"])
def test_the_same_seed_gives_the_same_trace_whatever_other_runs_there_are(architecture, strategy):
    toy = architecture == "toy"
    model = models.load("toy") if toy else denoiser(network(architecture))
    sides = [("the cat", "sat"), ("", "x"), ("a", "")] if toy else [("3 8", "5 6"), ("", "7"), ("1 2 3 4", "")]
    requests = [
        InfillRequest(
            prefix=prefix, suffix=suffix, length=8 + seed, steps=6, strategy=strategy, temperature=0.9, seed=seed
        )
        for seed, (prefix, suffix) in enumerate(sides)
    ]
    alone = [summary(list(infill(request, model))[-1]) for request in requests]
    held = Held(model)
    shared = BatchingDenoiser(held)
    runs = [lambda request=request: list(infill(request, shared))[-1] for request in requests]
    futures = in_this_order(shared, held, runs)
    assert [summary(future.result(PATIENCE)) for future in futures] == alone
    assert len(held.passes[0]) == 1 < len(held.passes[1]), "no pass was shared"


def test_runs_do_not_share_caches():
    held = Held(denoiser(network("llama")))
    caches = [BeliefCache(), BeliefCache()]
    text = [3, MASK, 5]
    calls = [[ask(text, cache=cache)] for cache in (caches[0], caches[0], caches[1])]
    futures = outcome(calls, held)
    assert [future.result(PATIENCE)[0].forwards for future in futures] == [1, 0, 1]


def test_an_error_reaches_only_the_caller_that_caused_it(caplog):
    held = Held(denoiser(network("gpt2")))
    wrong = ask([3, MASK, 400])
    calls = [[ask([1, MASK])], [ask([2, MASK])], [wrong], [ask([4, MASK, 5])]]
    futures = outcome(calls, held)
    with pytest.raises(IndexError):
        futures[2].result(PATIENCE)
    for number in (0, 1, 3):
        (prediction,) = futures[number].result(PATIENCE)
        assert difference(prediction, held.inner.predict(calls[number])[0]) < 1e-5
    assert [len(each) for each in held.passes] == [1, 3, 1, 1, 1]
    assert "3 calls failed in one pass" in caplog.text


def test_a_batch_that_does_not_fit_into_memory_is_served_one_by_one(caplog):
    def fails(queries: list[Query]) -> None:
        if len(queries) > 1:
            raise MemoryError("out of memory")

    held = Held(models.load("toy"), fails)
    calls = [letters("a_"), letters("b_"), letters("c_")]
    futures = outcome(calls, held)
    assert all(same(future, held.inner.predict(call)) for future, call in zip(futures, calls, strict=True))
    assert "out of memory" in caplog.text


@pytest.mark.parametrize(("error", "sizes"), [(MemoryError, [1, 2, 2]), (IndexError, [1, 4])])
def test_after_a_batch_that_does_not_fit_into_memory_batches_are_half_as_large(error, sizes):
    def fails(queries: list[Query]) -> None:
        if len(queries) > 3:
            raise error("at the first time")

    held = Held(models.load("toy"), fails)
    shared = BatchingDenoiser(held)
    works = [lambda text=text: shared.predict(letters(text)) for text in ("a_", "b_", "c_", "d_", "e_")]
    for future in in_this_order(shared, held, works):
        future.result(PATIENCE)
    assert [len(each) for each in held.passes] == [1, 4, 1, 1, 1, 1]
    held.passes, held.fails = [], lambda queries: None
    held.begun.clear()
    held.go.clear()
    for future in in_this_order(shared, held, works):
        future.result(PATIENCE)
    assert [len(each) for each in held.passes] == sizes


def test_a_caller_that_is_interrupted_while_it_waits_withdraws(monkeypatch):
    held = Held(models.load("toy"))
    shared = BatchingDenoiser(held)
    real, here = shared._changed.wait, threading.current_thread()

    def interrupted(timeout: float | None = None) -> bool:
        if threading.current_thread() is here:
            raise KeyboardInterrupt
        return real(timeout)

    monkeypatch.setattr(shared._changed, "wait", interrupted)
    first = started(lambda: shared.predict(letters("a_")))
    assert held.begun.wait(PATIENCE)
    with pytest.raises(KeyboardInterrupt):
        shared.predict(letters("x_"))
    held.go.set()
    assert len(first.result(PATIENCE)) == 1
    assert len(started(lambda: shared.predict(letters("b_"))).result(PATIENCE)) == 1
    assert [len(each) for each in held.passes] == [1, 1], "the model worked for a caller that had left"


def test_a_leader_that_is_interrupted_leaves_the_others_to_the_next_one():
    def fails(queries: list[Query]) -> None:
        if len(held.passes) == 2:
            raise KeyboardInterrupt

    held = Held(models.load("toy"), fails)
    calls = [letters("a_"), letters("b_"), letters("c_"), letters("d_")]
    futures = outcome(calls, held)
    with pytest.raises(KeyboardInterrupt):
        futures[1].result(PATIENCE)
    assert all(same(futures[number], held.inner.predict(calls[number])) for number in (0, 2, 3))
    assert [len(each) for each in held.passes] == [1, 3, 2]


def test_a_run_closed_half_way_does_not_delay_others():
    held = Held(models.load("toy"))
    shared = BatchingDenoiser(held)

    def closed_after(steps: int, traces: Iterator[Trace]) -> int:
        *_, last = islice(traces, steps + 1)
        traces.close()  # pyright: ignore[reportAttributeAccessIssue] - it is a generator
        return len(last.steps)

    long, short = (InfillRequest(length=length, steps=length) for length in (40, 6))
    runs = [lambda: closed_after(2, infill(long, shared)), lambda: list(infill(short, shared))[-1].ended]
    futures = in_this_order(shared, held, runs)
    assert [future.result(PATIENCE) for future in futures] == [2, "complete"]
    assert [sum(len(query.ids) > 40 for each in held.passes for query in each)] == [2]


def test_no_caller_waits_forever_and_each_gets_its_own_results():
    toy = models.load("toy")
    held = Held(toy)
    held.go.set()
    shared = BatchingDenoiser(held, most=4)

    def visitor(number: int) -> int:
        dice, right = np.random.default_rng(number), 0
        for _ in range(20):
            texts = ["".join(dice.choice(list("abc_"), 5)) + "_" for _ in range(dice.integers(0, 6))]
            queries = letters(*("a" + text for text in texts), temperature=1.0)
            if dice.random() < 0.1:
                queries.append(Query(ids=np.array([0]), positions=np.array([7]), uniforms=np.array([0.5])))
                with pytest.raises(IndexError):
                    shared.predict(queries)
                right += 1
            else:
                found = shared.predict(queries)
                expected = toy.predict(queries)
                right += all(difference(one, two) < 1e-12 for one, two in zip(found, expected, strict=True))
        return right

    futures = [started(lambda number=number: visitor(number)) for number in range(8)]
    assert [future.result(PATIENCE) for future in futures] == [20] * 8
    assert not shared._waiting
    assert shared._leader is None
    assert len(held.threads) == 1, "what torch keeps for a thread was made more than once"
