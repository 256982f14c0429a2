"""Small trace files that grow when they are read or shown; `python -m tests.trace.bombs` measures what each costs."""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import models
from app.errors import InfillError
from app.infill import infill
from app.sampling.request import InfillRequest
from app.trace import messages, recording

_LENGTH, _STEPS = 128, 12


def recorded(length: int = _LENGTH, steps: int = _STEPS, **asked: Any) -> dict[str, Any]:
    """Return the content of a trace of the toy model."""
    *_, trace = infill(InfillRequest(prefix="the ", length=length, steps=steps, **asked), models.load("toy"))
    return json.loads(recording.dump(trace))


def long_tokens(characters: int = 45_000) -> str:
    """Return a trace in which every candidate of every step is the same long token."""
    data = recorded()
    data["lexicon"]["1"] = "x" * characters
    data["classes"]["of"] = [0] * len(data["lexicon"])
    every = list(range(_LENGTH))
    for step in data["steps"]:
        step |= {"asked": every, "candidates": [1] * _LENGTH, "confidence": [0.0] * _LENGTH, "entropy": [0.0] * _LENGTH}
        step |= {"top_tokens": [[1] * 5] * _LENGTH, "top_probs": [[0.0] * 5] * _LENGTH}
        step |= {"class_probs": [[0, 0, 0]] * _LENGTH}
    return _written(data)


def long_text(characters: int = 45_000) -> str:
    """Return a trace in which every token that is written is the same long one."""
    data = recorded()
    data["lexicon"]["1"] = "x" * characters
    data["classes"]["of"] = [0] * len(data["lexicon"])
    for step in data["steps"]:
        step["tokens"] = [1] * len(step["tokens"])
    return _written(data)


def large_lexicon(entries: int = 100_000) -> str:
    """Return a trace with the texts of many tokens that no step shows."""
    data = recorded(8, 8)
    data["lexicon"] |= {str(token): f"{token:0100d}" for token in range(1000, 1000 + entries)}
    return _written(data)


def many_notes(notes: int = 200_000) -> str:
    """Return a trace whose only step has many numbers of the strategy's own."""
    data = recorded(8, 1)
    data["steps"][0]["notes"] = {f"n{number}": 1.0 for number in range(notes)}
    return _written(data)


def many_notices(notices: int = 200_000) -> str:
    """Return a trace with many notices."""
    return _written(recorded(8, 8) | {"notices": [f"notice {number}" for number in range(notices)]})


def many_choices(choices: int = 10_000) -> str:
    """Return a trace with the choice of a length for gaps that it does not have."""
    *_, trace = infill(InfillRequest(prefix="the ", length="auto", steps=40), models.load("toy"))
    data = json.loads(recording.dump(trace))
    data["choices"] |= {str(gap): data["choices"]["0"] for gap in range(choices)}
    return _written(data)


def many_knobs(knobs: int = 200_000) -> str:
    """Return a trace whose request has many knobs."""
    data = recorded(8, 8)
    data["request"]["knobs"] = {f"knob{number}": 1 for number in range(knobs)}
    return _written(data)


def large_canvas(tokens: int = 2_300, steps: int = 250) -> str:
    """Return a trace of as many steps and tokens as are allowed; all that most of the steps do is to be there."""
    data = recorded(1, steps)
    data["given_ids"][1] = [0] * tokens
    empty = {name: [] for name, value in data["steps"][0].items() if isinstance(value, list)}
    counts = {"notes": {}, "nfe": 0, "calls": 0, "seconds": 0.0, "model_seconds": 0.0}
    data["steps"] = [{**data["steps"][0], **empty, **counts}] * (steps - 1) + data["steps"]
    return _written(data)


def empty_lists(number: int = 5_000_000) -> str:
    """Return JSON that takes far more memory than characters: lists with nothing in them."""
    return _written(recorded(8, 8) | {"given_ids": "HERE"}).replace('"HERE"', "[" + "[]," * number + "[]]")


BOMBS: dict[str, Callable[..., str]] = {
    each.__name__: each
    for each in (
        long_tokens,
        long_text,
        large_lexicon,
        many_notes,
        many_notices,
        many_choices,
        many_knobs,
        large_canvas,
        empty_lists,
    )
}


def _written(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _open(content: str) -> tuple[str, int, int]:
    """Open a trace as the page does, and ask for its replay; return what became of it, and the sizes of both answers.

    What is kept meanwhile is what a server keeps.
    """
    try:
        trace = recording.load(content)
        closing = json.dumps(messages.build_closing(trace, "run"), ensure_ascii=False)
        replay = json.dumps(messages.build_replay(trace, "run"), ensure_ascii=False)
    except InfillError as error:
        return str(error), 0, 0
    return "opened", len(closing), len(replay)


def _measure(name: str) -> None:
    """Print a line of figures about one of the traces; only a process of its own shows the most memory that it took."""
    content = BOMBS[name]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    outcome, closing, replay = _open(content)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sizes = f"answers {closing / 1e6:6.1f} and {replay / 1e6:6.1f} MB" if replay else outcome[:160]
    print(f"{name:14} {len(content) / 1e3:8.0f} kB  +{(after - before) / 1e3:6.0f} MB  {seconds:5.1f} s  {sizes}")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or BOMBS:
        process = multiprocessing.get_context("spawn").Process(target=_measure, args=(chosen,))
        process.start()
        process.join()
