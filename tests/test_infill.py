"""The single way in: from a request to a stream of traces."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models
from app import sampler
from app.errors import InfillError
from app.infill import before, infill
from app.sampling import decode as decode_module
from app.sampling.request import InfillRequest
from app.sampling.start import Start
from app.strategies.registry import Strategy
from app.trace.recording import dump, load
from app.trace.trace import Origin, Trace
from models.denoiser import Denoiser


@pytest.fixture(scope="module")
def toy() -> Denoiser:
    return models.load("toy")


def run(denoiser: Denoiser, *, time_limit: float = float("inf"), **asked) -> list[Trace]:
    return list(infill(InfillRequest(**asked), denoiser, time_limit=time_limit))


@pytest.mark.parametrize("prefix", ["", "the cat ", "the cat"])
@pytest.mark.parametrize("suffix", ["", "sat", ", then"])
@pytest.mark.parametrize("length", [1, 5])
def test_a_gap_is_filled_whatever_stands_around_it(toy, prefix, suffix, length):
    trace = run(toy, prefix=prefix, suffix=suffix, length=length, steps=length)[-1]
    assert trace.ended == "complete"
    assert None not in trace.pieces(len(trace.steps))
    assert trace.text == prefix.rstrip(" ") + trace.fill + trace.request.parts[1]


def test_the_first_trace_is_the_start_and_each_one_adds_a_step(toy):
    traces = run(toy, length=6, steps=3)
    assert [len(trace.steps) for trace in traces] == [0, 1, 2, 3]
    assert [trace.ended for trace in traces] == ["running"] * 3 + ["complete"]
    assert [trace.nfe for trace in traces] == [0, 1, 2, 3]
    assert traces[-1].steps[:2] == traces[2].steps


def test_the_same_seed_gives_the_same_trace_and_another_one_does_not(toy):
    asked = {"length": 12, "steps": 6, "strategy": "random", "temperature": 1.0}
    first, second, other = (run(toy, **asked, seed=seed)[-1] for seed in (5, 5, 6))
    assert first.canvas.ids.tolist() == second.canvas.ids.tolist()
    assert first.order.tolist() == second.order.tolist()
    assert first.canvas.ids.tolist() != other.canvas.ids.tolist()


def test_the_lexicon_names_every_token_of_the_trace(toy):
    trace = run(toy, prefix="ab", suffix="c", length=8, steps=4)[-1]
    for step in trace.steps:
        for token in {*step.canvas.ids.tolist(), *step.prediction.top_tokens.flat} - {-1}:
            assert trace.lexicon[int(token)] == toy.tokenizer.token_bytes(int(token))


@pytest.mark.parametrize("strategy", ["low_confidence", "random"])
def test_special_tokens_are_never_written(toy, strategy):
    for seed in range(5):
        trace = run(toy, length=20, steps=2, strategy=strategy, temperature=5.0, seed=seed)[-1]
        assert not toy.tokenizer.special_ids & set(trace.canvas.ids[trace.canvas.span].tolist())


def test_the_time_limit_ends_the_run_and_the_trace_says_so(toy, monkeypatch):
    clock = iter(np.arange(1000.0))  # every look at the clock is a second later
    monkeypatch.setattr(decode_module.time, "perf_counter", lambda: next(clock))
    trace = run(toy, length=10, steps=10, time_limit=9.0)[-1]
    assert trace.ended == "time limit"
    assert 0 < trace.masks_left[-1] < 10
    assert trace.seconds < 9.0  # the limit counts the time between the steps too


def test_a_run_that_finishes_as_the_limit_passes_is_complete(toy):
    assert run(toy, length=4, steps=1, time_limit=0.0)[-1].ended == "complete"
    assert run(toy, length=4, steps=4, time_limit=0.0)[-1].masks_left == [4, 3]


def test_closing_the_stream_ends_the_run_before_the_next_forward_pass(toy, monkeypatch):
    calls = []
    predict = toy.predict
    monkeypatch.setattr(toy, "predict", lambda queries: calls.append(1) or predict(queries))
    traces = infill(InfillRequest(length=5, steps=5), toy)
    next(traces)
    assert not calls
    next(traces)
    assert isinstance(traces, Generator)
    traces.close()
    assert len(calls) == 1


def test_while_a_length_is_chosen_every_pass_is_shown_and_can_be_prevented(toy, monkeypatch):
    calls = []
    predict = toy.predict
    monkeypatch.setattr(toy, "predict", lambda queries: calls.append(1) or predict(queries))
    seen, passes = [], []
    for trace in infill(InfillRequest(prefix="the ", suffix=" was", length=None, steps=40), toy):
        seen.append(trace)
        passes.append(len(calls))
        if trace.begun:
            break
    *choosing, begun = seen
    assert passes == sorted(passes)
    assert np.diff(passes[:-1]).max() == 1
    assert len(choosing) >= begun.choices[0].calls
    assert not any(trace.begun or trace.steps or trace.ended != "running" for trace in choosing)
    assert {*begun.choices[0].tried.tolist()} <= {len(trace.start.slots) for trace in choosing}

    calls.clear()
    traces = infill(InfillRequest(prefix="the ", suffix=" was", length=None, steps=40), toy)
    for _ in range(3):
        next(traces)
    assert isinstance(traces, Generator)
    traces.close()
    assert len(calls) == 2


def test_the_time_limit_holds_while_a_length_is_chosen(toy):
    (trace,) = run(toy, text="a [[auto]] b [[auto]]", steps=9, time_limit=0.0)
    assert (trace.ended, trace.begun, trace.nfe) == ("time limit", False, 0)
    assert load(dump(trace)).ended == "time limit"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"strategy": "low_confidance"}, "did you mean 'low_confidence'"),
        ({"strategy": "random", "knobs": {"blocks": 2}}, "no knobs"),
        ({"knobs": {"block": 2}}, "did you mean 'blocks'"),
        ({"knobs": {"blocks": 0}}, "from 1 to 16"),
        ({"length": 128}, "masks do not fit"),
        ({"length": None, "strategy": "gibbs", "knobs": {"energy": 1.0}}, "no autoregressive parent"),
        ({"strategy": "saber", "knobs": {"every": 8}, "steps": 11}, "needs 12 steps or more"),
    ],
)
def test_a_mistake_is_told_before_anything_is_computed(toy, monkeypatch, asked, words):
    monkeypatch.setattr(toy, "predict", None)
    monkeypatch.setattr(toy, "context", 100)
    with pytest.raises(InfillError, match=words):
        next(infill(InfillRequest(**asked), toy))


def test_an_auto_run_binds_checks_and_encodes_once(monkeypatch):
    """However many lengths it looks at and writes out."""
    counts: Counter[str] = Counter()

    def counted(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def count(*args: Any, **settings: Any) -> Any:
            counts[name] += 1
            return original(*args, **settings)

        monkeypatch.setattr(owner, name, count)

    denoiser = models.load("toy")
    for owner, name in ((Strategy, "bind"), (sampler, "forbidden_tokens"), (denoiser.tokenizer, "encode")):
        counted(owner, name)
    text = "the cat [[auto|2:an]] was [[3]] and [[auto]]."
    *_, trace = infill(InfillRequest(text=text, steps=64, banned="dog"), denoiser)
    assert trace.ended == "complete"
    assert len(trace.choices[0].tried) > 1
    assert counts == {"bind": 1, "forbidden_tokens": 1, "encode": 5}  # four parts and a pin


def test_a_branch_says_what_it_comes_from_in_every_trace_and_counts_its_own_passes(toy):
    start = Start(gaps=((1, None, None, 2),), locked=(3,))
    request = InfillRequest(prefix="the cat", suffix="sat", length=4, steps=2, start=start)
    traces = list(infill(request, toy, origin=Origin("first", 2)))
    assert [trace.nfe for trace in traces] == [0, 1, 2]
    assert {trace.origin for trace in traces} == {Origin("first", 2)}
    assert before(request, toy, "wait", origin=Origin("first", 2)).origin == Origin("first", 2)
    assert before(request, toy, "wait").pieces(0) == ["b", None, None, "c"]


def test_a_locked_token_is_read_by_the_model_and_never_changed(toy):
    def first(token):
        start = Start(gaps=((None, token, None),), locked=(1,))
        return list(infill(InfillRequest(prefix="the ", length=3, steps=9, strategy="gibbs", start=start), toy))

    for token in range(5):
        assert all(trace.canvas.ids[trace.start.slots[1]] == token for trace in first(token))
    assert len({first(token)[-1].text[5:] for token in range(5)}) > 1


def linked(source: Path, folder: Path) -> Path:
    """Make a folder that holds links to the files of another one, so that it can be removed."""
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).symlink_to(file)
    return folder


def test_without_the_models_folder_numbers_fill_and_auto_says_what_is_missing(tmp_path, monkeypatch):
    bundled = models.CATALOGUE["bundled"]
    own, parent = linked(models.BUNDLED, tmp_path / "own"), linked(models.PARENT, tmp_path / "parent")
    monkeypatch.setitem(models.CATALOGUE, "bundled", replace(bundled, folder=own, parent=parent))
    denoiser = models.load("bundled")
    text, auto = "Tom saw a [[2]] today.", "Tom saw a [[auto]] today."
    shutil.rmtree(parent)
    with pytest.raises(InfillError, match=r"the autoregressive parent of 'bundled' cannot be read: .* Put its"):
        run(denoiser, text=auto)
    with pytest.raises(InfillError, match="parent of 'bundled' cannot be read"):
        run(denoiser, text=text, steps=12, strategy="gibbs", knobs={"energy": 1.0})
    shutil.rmtree(own)
    with pytest.raises(InfillError, match=r"the folder of 'bundled' is gone, and 'auto' needs .* give a number"):
        run(denoiser, text=auto)
    assert run(denoiser, text=text, steps=2)[-1].ended == "complete"
