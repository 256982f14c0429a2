"""Looks at a text that is no run: over HTTP, with a model that reads, and when the server has no time."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import models
from app.errors import InfillError
from app.infill import infill
from app.sampling.request import InfillRequest
from app.ui import looks
from app.ui.looks import LONGEST, Looks
from app.ui.pool import ModelPool
from models.serve.lazy import LazyDenoiser
from tests.models.random_weights import denoiser as random_weights
from tests.models.random_weights import network
from tests.ui.visitor import Visitor, run


@pytest.fixture(scope="module")
def visitor(address: str) -> Iterator[Visitor]:
    opened = Visitor(address)
    yield opened
    opened.close()


def looking(model: Any) -> Looks:
    pool = ModelPool(LazyDenoiser(lambda: model), name="first", merge=False)
    pool.first()
    return Looks(pool)


def test_every_word_has_a_belief_and_its_place_in_utf_16(visitor: Visitor, denoiser) -> None:
    denoiser.script = b"cat "
    visitor.fill(run())  # so that the model is loaded
    before = denoiser.forwards
    words = visitor.ask("proofread", {"parts": ["cat ", 2, " 𝄞 dog"], "model": ""})["words"]
    assert denoiser.forwards == before + 1
    assert [(word["from"], word["to"], word["tokens"]) for word in words] == [(0, 3, 3), (8, 11, 3)]
    assert words[1]["belief"] < words[0]["belief"] < 0


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (None, "must be a list"),
        ([], "must be a list"),
        (["a", True], "text or a number of masks, not True"),
        (["a", 129], "text or a number of masks"),
        ([["a"]], "text or a number of masks"),
        (["."], "no word"),
        (["a" * 20_001], "20,000 characters"),
        (["a " * LONGEST], f"at most {LONGEST} tokens"),
        (["a", *[128] * 9], "reads 512 at once"),
    ],
)
def test_what_is_no_text_or_too_long_is_refused(visitor: Visitor, parts: Any, why: str) -> None:
    visitor.fill(run())
    assert why in visitor.ask("proofread", {"parts": parts, "model": ""})["error"]


@pytest.mark.parametrize("function", ["proofread", "reads"])
@pytest.mark.parametrize("asked", [None, 3, [], {}, {"run": ["a"], "parts": {}}, {"parts": ["a"], "model": 7}])
def test_nonsense_is_answered_with_a_message(visitor: Visitor, function: str, asked: Any) -> None:
    answer = visitor.ask(function, asked)
    assert set(answer) == {"error"}
    assert answer["error"]


def test_a_model_without_attention_says_so_and_a_step_must_exist(visitor: Visitor) -> None:
    name = visitor.fill(run())[-1][0]["run"]
    assert "no transformer" in visitor.ask("reads", {"run": name, "step": 1})["error"]
    for step in (-1, 99, "1", True, None):
        assert "has no step" in visitor.ask("reads", {"run": name, "step": step})["error"]


def test_the_shares_of_a_state_sum_to_one_and_are_those_of_the_network() -> None:
    model = models.load("bundled")
    *_, trace = infill(InfillRequest(text="Tom saw a [[3]] in the park.", steps=3), model)
    found = looking(model).reads({"step": 1}, trace)
    tokens = [text for part in found["given"] for text, _ in part]
    assert "".join(tokens) == "Tom saw a in the park."
    assert len(found["slots"]) == 3
    shares = [share for part in found["given"] for _, share in part] + found["slots"]
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    ended = looking(model).reads({"step": 3}, trace)
    assert ended["slots"] != found["slots"], "at the end the written tokens ask"


def test_a_trace_of_another_vocabulary_is_refused() -> None:
    *_, trace = infill(InfillRequest(text="Tom saw [[3]].", steps=3), models.load("bundled"))
    small = random_weights(network("llama"))
    small.name = "bundled"
    with pytest.raises(InfillError, match="does not fit"):
        looking(small).reads({"step": 1}, trace)


def test_a_model_that_is_not_loaded_is_loaded_for_the_next_press() -> None:
    pool = ModelPool(LazyDenoiser(lambda: models.load("toy")), name="toy", merge=False)
    asked = {"parts": ["a cat"], "model": ""}
    with pytest.raises(InfillError, match=r"toy is being loaded\. Press again when it is ready"):
        Looks(pool).proofread(asked)
    pool.first()
    assert len(Looks(pool).proofread(asked)["words"]) == 2
    with pytest.raises(InfillError, match="lends its GPU to runs only"):
        Looks(pool, zero_gpu=True).proofread(asked)


def test_looks_wait_for_each_other_and_are_refused_when_it_takes_too_long(monkeypatch) -> None:
    monkeypatch.setattr(looks, "PATIENCE", 0.01)
    inside, go_on = threading.Semaphore(0), threading.Event()

    class Slow:
        name, context, notices, judge, tokenizer = "slow", 64, (), None, models.load("toy").tokenizer

        def predict(self, queries):
            inside.release()
            go_on.wait(20)
            return models.load("toy").predict(queries)

    slow, asked = looking(Slow()), {"parts": ["a cat"], "model": ""}
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(slow.proofread(asked))) for _ in range(looks.AT_ONCE)]
    for thread in threads:
        thread.start()
    for _ in threads:
        inside.acquire()
    with pytest.raises(InfillError, match="busy with other visitors"):
        slow.proofread(asked)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(answers) == looks.AT_ONCE
    assert np.isfinite([math.exp(word["belief"]) for word in answers[0]["words"]]).all()
    assert slow.proofread(asked) == answers[0]
