"""A page on a scripted model, served in this process, and a browser to look at it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import pytest
import torch

from models.denoiser import BeliefCache, Query
from models.networks.reduction import reduce
from models.prediction import Prediction

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported


class ByteTokenizer:
    """One token per byte of UTF-8, so that a character outside ASCII is spread over several tokens."""

    mask_id, begin, special_ids, size = 257, (256,), frozenset({256, 257}), 258
    frequencies = None
    classes = None

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        return list(text.encode())

    def token_bytes(self, token: int) -> bytes:
        return bytes([token]) if token < 256 else b""


class ScriptedDenoiser:
    """Believes that the gap reads as `script`, over and over; the surer, the nearer the gap's start."""

    name, context, notices, judge = "scripted", 512, (), None
    tokenizer = ByteTokenizer()

    def __init__(self) -> None:
        self.script = b" abcdefghijklmnopqrstuvwxyz"
        self.delay = 0.0
        self.forwards = 0
        self._last = sys.maxsize  # forward pass after which the next one waits for `go_on`
        self._moved = threading.Condition()
        self.starts: WeakKeyDictionary[BeliefCache, int] = WeakKeyDictionary()

    def hold_after(self, last: int) -> None:
        """Make passes up to number `last`; those after it wait, however slow the browser is, until `go_on`."""
        with self._moved:
            self._last = last
            self._moved.notify_all()

    def go_on(self) -> None:
        self.hold_after(sys.maxsize)

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        self.forwards += 1
        number = self.forwards
        with self._moved:
            self._moved.wait_for(lambda: number <= self._last, timeout=60)
        time.sleep(self.delay)
        return [self._believe(query) for query in queries]

    def _believe(self, query: Query) -> Prediction:
        start = int(query.positions[0])
        if query.cache is not None:  # it tells apart the runs that go on at the same time; a probe belongs to none
            start = self.starts.setdefault(query.cache, start)
        logits = torch.zeros(len(query.positions), 258)
        for row, position in enumerate(query.positions):
            place = int(position) - start
            logits[row, self.script[place % len(self.script)]] = 8.0 - 3.0 * place / 130
            logits[row, ord("?")] += 4.0
        logits[:, [256, 257, *query.sampling.banned]] = float("-inf")
        return reduce(logits, query, forwards=len(query.rows))


@pytest.fixture(scope="session")
def denoiser() -> ScriptedDenoiser:
    return ScriptedDenoiser()


@pytest.fixture(autouse=True)
def _as_new(denoiser: ScriptedDenoiser) -> None:
    fresh = ScriptedDenoiser()
    denoiser.script, denoiser.delay, denoiser.forwards = fresh.script, 0.0, 0
    denoiser.go_on()


@pytest.fixture(scope="session")
def serve(denoiser: ScriptedDenoiser) -> Iterator[Callable[..., str]]:
    """Serve a page and return its address; `pool` is what goes to `ModelPool`, the rest to `build`."""
    from app.ui.page import build, launch_options
    from app.ui.pool import ModelPool
    from models.serve.lazy import LazyDenoiser

    pages = []

    def start(pool: Mapping[str, Any] | None = None, **settings: Any) -> str:
        page = build(ModelPool(LazyDenoiser(lambda: denoiser), **(pool or {})), **settings)
        _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
        pages.append(page)
        return address

    yield start
    for page in pages:
        page.close(verbose=False)


@pytest.fixture(scope="session")
def address(serve: Callable[..., str]) -> str:
    return serve()


@pytest.fixture
def me(browser, address: str, denoiser: ScriptedDenoiser):
    """A person at the page whose gaps read as the alphabet."""
    from tests.ui.person import a_person

    denoiser.script = b"abcdefghijklmnopqrstuvwxyz"
    with a_person(browser, address) as person:
        yield person
