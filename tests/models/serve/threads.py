"""Threads that call a model in a known order, and a model that can be made to wait for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any

import models
from models.denoiser import Denoiser, Query
from models.prediction import Prediction
from models.serve.batching import BatchingDenoiser
from tests.models.random_weights import ask, difference

PATIENCE = 60.0
"""Seconds after which a thread is considered stuck."""


class Held:
    """A denoiser that records its queries, and waits in its first pass until `go` is set."""

    def __init__(self, inner: Denoiser, fails: Callable[[list[Query]], None] = lambda queries: None) -> None:
        self.name, self.tokenizer, self.context, self.notices = inner.name, inner.tokenizer, inner.context, ()
        self.inner, self.fails = inner, fails
        self.passes: list[list[Query]] = []
        self.threads: set[int] = set()
        self.begun, self.go, self.one = threading.Event(), threading.Event(), threading.Lock()

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        assert self.one.acquire(blocking=False), "two passes at once"
        try:
            self.passes.append(list(queries))
            self.threads.add(threading.get_ident())
            self.begun.set()
            assert self.go.wait(PATIENCE)
            self.fails(list(queries))
            return self.inner.predict(queries)
        finally:
            self.one.release()


class Arrivals(list):
    """A queue that signals when a call has arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Semaphore(0)

    def append(self, call: Any) -> None:
        super().append(call)
        self.came.release()


def started(work: Callable[[], Any]) -> Future:
    """Run the work in its own daemon thread, which ends with the tests even if it hangs."""
    future: Future = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised by `Future.result`
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def in_this_order(shared: BatchingDenoiser, held: Held, works: Sequence[Callable[[], Any]]) -> list[Future]:
    """Start each once the previous one waits, all during the first one's pass; then let that pass end."""
    shared._waiting = arrivals = Arrivals()
    futures = []
    for work in works:
        futures.append(started(work))
        assert arrivals.came.acquire(timeout=PATIENCE)
    assert held.begun.wait(PATIENCE)
    held.go.set()
    return futures


def outcome(calls: Sequence[Sequence[Query]], held: Held, **settings: int) -> list[Future]:
    shared = BatchingDenoiser(held, **settings)
    futures = in_this_order(shared, held, [lambda queries=queries: shared.predict(queries) for queries in calls])
    wait(futures, PATIENCE)
    return futures


def letters(*texts: str, **settings: Any) -> list[Query]:
    """Make queries for the toy; `_` is a mask."""
    toy = models.load("toy").tokenizer
    ids = [[toy.mask_id if letter == "_" else toy.encode(letter)[0] for letter in text] for text in texts]
    return [ask(each, mask_id=toy.mask_id, **settings) for each in ids]


def same(found: Future, expected: list[Prediction]) -> bool:
    pairs = zip(found.result(PATIENCE), expected, strict=True)
    return all(difference(one, other) < 1e-12 for one, other in pairs)
