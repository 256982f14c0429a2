"""Recorded traces: the round trip is exact, and everything else is refused."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import models
from app.errors import InfillError
from app.infill import infill
from app.sampling.request import InfillRequest
from app.sampling.start import Start
from app.trace.recording import dump, load
from app.trace.trace import Origin, Trace
from tests.trace.bombs import BOMBS

STARTED = Start(gaps=((1, None, 2), (None, None, 3, None)), locked=(0,), confidence=((0.5, 0, 0.1), (0, 0, 0.2, 0)))


def recorded(**asked: Any) -> Trace:
    *_, trace = infill(InfillRequest(**asked), models.load("toy"))
    return trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    return recorded(prefix="the ", suffix="was", length=8, steps=5, strategy="random", temperature=0.8, seed=3)


@pytest.fixture
def data(trace: Trace) -> dict[str, Any]:
    return json.loads(dump(trace))


@pytest.mark.parametrize(
    "asked",
    [
        {"length": 1, "steps": 1},
        {"length": 8, "steps": 4, "knobs": {"blocks": 2}},
        {"prefix": "שלום 👍 <b>&amp;</b>\n", "suffix": "\t'\"\\", "length": 4, "steps": 2, "space": False},
        {"length": 6, "steps": 6, "strategy": "reference", "temperature": 0.9, "top_p": 0.9},
        {"length": 16, "steps": 16, "strategy": "ahd"},  # uses drifts, which are not recorded
        {"prefix": "a" * 300, "suffix": "b" * 300, "length": 2, "steps": 1},
        {"text": "the [[3]] saw [[6|2:cat]][[2]].", "steps": 4, "banned": ["dog", "tom"], "one_line": True},
        {"text": "the [[3]] saw [[9|1:a,5:b]]", "steps": 4, "strategy": "reference", "temperature": 0.9},
        {"text": "the [[3]] saw [[4|2:b]]", "steps": 8, "strategy": "p2", "temperature": 2.0, "start": STARTED},
    ],
)
def test_the_round_trip_is_exact(asked):
    before = recorded(**asked)
    after = load(dump(before))
    assert dump(after) == dump(before)
    assert after.request == before.request
    assert after.order.tolist() == before.order.tolist()
    assert (after.text, after.fills, after.ended) == (before.text, before.fills, before.ended)
    assert after.start.gaps == before.start.gaps
    assert after.start.span.tolist() == before.start.span.tolist()
    for number in range(len(before.steps) + 1):
        assert after.pieces(number) == before.pieces(number)


def test_a_stopped_run_is_recorded_up_to_its_last_step(trace):
    stopped = replace(trace, steps=trace.steps[:2], ended="stopped")
    assert load(dump(stopped)).ended == "stopped"
    assert dump(load(dump(stopped))) == dump(stopped)
    start = replace(trace, steps=(), ended="stopped")
    assert dump(load(dump(start))) == dump(start)


def test_tokens_that_are_not_valid_text_survive_the_round_trip(trace):
    odd = replace(trace, lexicon={**trace.lexicon, 0: b"\xf0\x9f", 1: "👍".encode(), 2: b""})
    assert load(dump(odd)).lexicon == odd.lexicon


def put(*path: Any) -> Callable[[Any], None]:
    """Return a function that sets the item at this path; the last argument is the value."""
    *way, last, value = path

    def change(data: Any) -> None:
        for key in way:
            data = data[key]
        data[last] = value

    return change


BROKEN = {
    "an older version": put("version", 0),
    "a newer version": put("version", 5),
    "another format": put("format", "something else"),
    "a request that is a list": put("request", []),
    "a seed of too many digits": put("request", "seed", 10**30),
    "a temperature that is a text": put("request", "temperature", "hot"),
    "a control character": put("request", "prefix", "a\x1b[2J"),
    "a knob that is a list": put("request", "knobs", {"blocks": [1]}),
    "a strategy that is an object": put("request", "strategy", {}),
    "another length than requested": lambda data: data["gaps"][0].pop(),
    "more steps than requested": put("request", "steps", 1),
    "a mask id that is a text": put("mask_id", "30"),
    "a mask id below 0": put("mask_id", -1),
    "no token before the first gap": put("given_ids", 0, []),
    "too many tokens": put("given_ids", 1, [0] * 10_000),
    "a token id below 0": put("given_ids", 0, 0, -1),
    "a token id that is a text": put("given_ids", 0, 0, "3"),
    "a token id with a fraction": put("given_ids", 0, 0, 1.5),
    "a huge token id": put("given_ids", 0, 0, 10**40),
    "nested token ids": put("given_ids", 0, [[0, 1], [2, 3]]),
    "a number for a token's text": put("lexicon", "0", 10**12),
    "an object for a token's text": put("lexicon", "0", {}),
    "a byte above 255": put("lexicon", "0", [256]),
    "a lone surrogate as a token's text": put("lexicon", "0", "\ud800"),
    "a lone surrogate as the model": put("model", "\ud800"),
    "a model that is an object": put("model", {}),
    "notices that are a text": put("notices", "cut"),
    "an unknown ending": put("ended", "bored"),
    "a wrong ending": put("ended", "stopped"),
    "steps that are a number": put("steps", 3),
    "a step that is a list": put("steps", 0, []),
    "complete without steps": put("steps", []),
    "a commit outside the span": put("steps", 0, "commit", [8]),
    "a commit below 0": put("steps", 0, "commit", [-1]),
    "one token for several commits": lambda data: (
        data["steps"][-1].update(tokens=[1]) or data["steps"][-1]["commit"].append(0)
    ),
    "a commit twice in a step": lambda data: data["steps"][0].update(
        commit=data["steps"][0]["commit"] * 2, tokens=data["steps"][0]["tokens"] * 2
    ),
    "a commit in two steps": lambda data: data["steps"].insert(0, copy.deepcopy(data["steps"][0])),
    "a remask of a mask": put("steps", 0, "remask", [0]),
    "forward passes below 0": put("steps", 0, "nfe", -1),
    "forward passes that decrease": put("steps", 0, "nfe", 1000),
    "a huge number of forward passes": put("steps", -1, "nfe", 10**100),
    "seconds that are a text": put("steps", 0, "seconds", "1"),
    "a note that is a list": put("steps", 0, "notes", {"slot": [1]}),
    "a probability above 1": put("steps", 0, "confidence", 0, 1.5),
    "a probability below 0": put("steps", 0, "top_probs", 0, 0, -0.1),
    "an entropy below 0": put("steps", 0, "entropy", 0, -3),
    "too few probabilities": put("steps", 0, "confidence", [0.5]),
    "positions asked twice": put("steps", 0, "asked", [0] * 8),
    "too few alternatives": put("steps", 0, "top_tokens", 0, [1, 2]),
    "an origin that is a text": put("origin", "run"),
    "an origin without a step": put("origin", {"run": "a"}),
    "an origin with more parts": put("origin", {"run": "a", "step": 1, "seed": 2}),
    "an origin whose run is a number": put("origin", {"run": 3, "step": 1}),
    "an origin whose step is a text": put("origin", {"run": "a", "step": "1"}),
    "an origin whose step is true": put("origin", {"run": "a", "step": True}),
    "an origin whose step is below 0": put("origin", {"run": "a", "step": -1}),
    "a start that is a text": put("request", "start", "{}"),
    "a start of other lengths": put("request", "start", Start(gaps=((1, None),)).to_json()),
    "a start that locks what is not given": put(
        "request", "start", Start(gaps=((1, *[None] * 7),), locked=(0,)).to_json()
    ),
    "a start whose token a step commits": put("request", "start", Start(gaps=((*[1] * 7, None),)).to_json()),
    "a version with a fraction": put("version", 4.0),
    "an older version with a start": put("version", 3),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_refused(data, change):
    assert load(json.dumps(data))
    change(data)
    with pytest.raises(InfillError):
        load(json.dumps(data))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5000])
@pytest.mark.parametrize("key", ["seconds", "nfe", "temperature", "seed", "mask_id", "version"])
def test_nan_infinite_and_huge_numbers_are_refused(trace, key, number):
    before, found, after = dump(trace).partition(f'"{key}":')
    assert found
    value, rest = after[: after.index(",")], after[after.index(",") :]
    assert load(before + found + value + rest)
    with pytest.raises(InfillError):
        load(before + found + number + rest)


@pytest.mark.parametrize(
    "content",
    ["", " ", "hello", "{", "null", "3", '"infill-trace"', "[]", "{}", '{"format": "infill-trace"}', "\0", "\ufeff{}"]
    + ["[" * depth + "]" * depth for depth in (100, 100_000)],
)
def test_other_files_are_refused_and_the_message_says_what_to_open(content):
    with pytest.raises(InfillError, match=r"not a trace|version"):
        load(content)


@pytest.mark.parametrize("depth", [10, 100, 400, 900])
def test_deep_nesting_is_refused_anywhere(data, trace, depth):
    nested = "[" * depth + "]" * depth
    for key in data.keys() - {"text", "fills"}:
        content = json.dumps(data | {key: "HERE"}).replace('"HERE"', nested)
        with pytest.raises(InfillError):
            load(content)


def test_every_key_is_required_except_the_two_for_human_readers(data):
    for key in data.keys() - {"text", "fills"}:
        with pytest.raises(InfillError):
            load(json.dumps({name: value for name, value in data.items() if name != key}))
    for key in data["steps"][0]:
        less = copy.deepcopy(data)
        del less["steps"][0][key]
        with pytest.raises(InfillError, match=key):
            load(json.dumps(less))
    assert load(json.dumps({name: value for name, value in data.items() if name not in ("text", "fills")}))


def test_a_file_without_word_classes_is_read_as_a_run_of_a_model_that_has_none(data, trace):
    del data["classes"]
    for step in data["steps"]:
        del step["class_probs"]
    old = load(json.dumps(data))
    assert (old.classes, old.steps[0].prediction.class_probs, old.text) == ((), None, trace.text)
    assert json.loads(dump(old)) == data


def test_word_classes_come_back_in_thousandths(trace):
    again = load(dump(trace))
    assert (again.classes, again.class_of) == (trace.classes, trace.class_of)
    for step, before in zip(again.steps, trace.steps, strict=True):
        assert step.prediction.class_probs is not None
        assert before.prediction.class_probs is not None
        assert step.prediction.class_probs.tolist() == before.prediction.class_probs.round(3).tolist()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("classes", "of", 0, 3), "not listed"),
        (put("classes", "of", []), "shorter"),
        (put("classes", "names", 0, 1, "long"), "a letter, and true or false"),
        (put("classes", "names", [["x", "x", True]] * 17), "17 word classes; at most 16"),
        (put("steps", 0, "class_probs", 0, [1001, 0, 0]), "class_probs is out of range"),
        (put("steps", 0, "class_probs", 0, [1] * 17), "17 word classes; at most 16"),
        (put("steps", 0, "class_probs", [[1, 0, 0]] * 9), "9 'class_probs' in a step; at most 8"),
    ],
)
def test_word_classes_that_make_no_sense_are_refused(data, change, words):
    change(data)
    with pytest.raises(InfillError, match=words):
        load(json.dumps(data))


def test_a_mutated_trace_is_refused_or_loads_and_can_be_shown(data):
    rng = random.Random(0)
    values = [None, True, -1, 0, 1, 3.5, 10**20, "", "x", "\ud800", [], [0], [[1]], {}, {"a": 1}, {"0": "b"}]
    loaded = 0
    for _ in range(400):
        mutant = copy.deepcopy(data)
        for _ in range(rng.choice([1, 1, 2])):
            mutate(mutant, rng, values)
        try:
            trace = load(json.dumps(mutant))
        except InfillError:
            continue
        loaded += 1
        assert dump(load(dump(trace))) == dump(trace)
        assert isinstance(trace.text, str)
        assert len(trace.order) == len(trace.start.slots)
    assert 0 < loaded < 200


def mutate(node: Any, rng: random.Random, values: list[Any]) -> None:
    """Replace, remove or duplicate an item at a random depth."""
    while True:
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        inner = node[key]
        if not (isinstance(inner, dict | list) and inner) or rng.random() < 0.25:
            break
        node = inner
    match rng.randrange(4):
        case 0:
            del node[key]
        case 1 if isinstance(node, list):
            node.insert(key, copy.deepcopy(inner))
        case _:
            node[key] = copy.deepcopy(rng.choice(values))


def test_a_truncated_or_changed_text_loads_or_is_refused(trace):
    rng = random.Random(1)
    whole = dump(trace)
    for _ in range(200):
        place = rng.randrange(len(whole))
        mutant = (
            whole[:place] if rng.random() < 0.3 else whole[:place] + rng.choice('0-9e"[]{},:x') + whole[place + 1 :]
        )
        try:
            load(mutant)
        except InfillError:
            continue


PINNED = {
    "a word that was not pinned": put("gaps", 0, 0, 5),
    "a pinned word missing": put("gaps", 1, 1, None),
    "a word pinned elsewhere": put("gaps", 1, [5, None, 7, 8, None]),
    "every position pinned": put("gaps", 1, [1, 2, 3, 4, 5]),
    "a pinned token below 0": put("gaps", 1, 1, -1),
    "a pinned token that is a text": put("gaps", 1, 1, "3"),
    "a pinned token that is a list": put("gaps", 1, 1, [3]),
    "another gap": lambda data: data["gaps"].append([None]),
    "a gap that is a number": put("gaps", 0, 3),
    "a gap that is a text": put("gaps", 0, "abc"),
    "one part of given text missing": lambda data: data["given_ids"].pop(),
    "another text": put("request", "text", "a [[3]] b"),
    "a length that was not chosen": put("request", "text", "the [[auto]] saw [[5|2:ca]]."),
    "a length that does not match the text": put("request", "length", 3),
    "a text and a prefix": put("request", "prefix", "a"),
    "banned words that are a number": put("request", "banned", 3),
    "a pinned position that was committed": put("steps", 0, "commit", 0, 4),
    "a pinned position that was asked about": put("steps", 0, "asked", 0, 4),
    "a pinned position that was remasked": put("steps", -1, "remask", [4]),
}


@pytest.mark.parametrize("change", PINNED.values(), ids=PINNED.keys())
def test_a_broken_file_with_several_gaps_is_refused(change):
    data = json.loads(dump(recorded(text="the [[3]] saw [[5|2:ca]].", steps=5)))
    assert load(json.dumps(data))
    change(data)
    with pytest.raises(InfillError):
        load(json.dumps(data))


def test_a_mutated_trace_with_several_gaps_loads_or_is_refused():
    data = json.loads(dump(recorded(text="the [[3]] saw [[5|2:ca]].", steps=5, banned="dog")))
    rng = random.Random(2)
    for _ in range(200):
        mutant = copy.deepcopy(data)
        mutate(mutant, rng, [None, -1, 0, 3, 10**20, "x", [], [0], [[1]], {}, {"a": 1}])
        try:
            trace = load(json.dumps(mutant))
        except InfillError:
            continue
        assert dump(load(dump(trace))) == dump(trace)
        assert len(trace.order) == len(trace.start.slots)


@pytest.fixture
def started() -> dict[str, Any]:
    asked = {"text": "the [[3]] saw [[4|2:b]]", "steps": 8, "start": STARTED}
    return json.loads(dump(replace(recorded(**asked), origin=Origin("first", 3))))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("gaps", 0, 0, None), "other locked tokens than the start"),
        (put("gaps", 0, 0, 4), "other locked tokens than the start"),
        (put("gaps", 0, 2, 2), "other pinned words"),
        (put("gaps", 1, 1, None), "other pinned words"),
        (put("request", "start", "gaps", 0, 1, 5), "not masked"),
        (put("request", "start", "gaps", 1, [1, 1, 1, 1]), "not masked"),
        (put("request", "start", "confidence", 0, 1, 0.5), "for a mask"),
        (put("request", "start", "locked", [0, 0]), "'request'"),
        (put("request", "start", "confidence", 0, 0, 0.12345), "'request'"),
    ],
)
def test_a_branch_whose_start_contradicts_its_canvas_or_steps_is_refused(started, change, words):
    assert load(json.dumps(started)).origin == Origin("first", 3)
    change(started)
    with pytest.raises(InfillError, match=words):
        load(json.dumps(started))


def test_a_file_of_version_3_is_read_as_a_run_that_is_no_branch(data, trace):
    data["version"] = 3
    del data["origin"], data["request"]["start"]
    old = load(json.dumps(data))
    assert (old.origin, old.request.start) == (None, None)
    assert dump(old) == dump(trace)
    assert json.loads(dump(old))["version"] == 4


@pytest.mark.parametrize(
    ("bomb", "size", "words"),
    [
        ("long_tokens", 2000, "a token's text has 2,000 characters"),
        ("long_tokens", 900, "the texts of its candidates have"),
        ("long_text", 2000, "a token's text has 2,000 characters"),
        ("large_lexicon", 1000, "texts of tokens; at most"),
        ("many_notes", 33, "33 notes in a step; at most 32"),
        ("many_notices", 65, "65 notices; at most 64"),
        ("many_choices", 3, "choices of a length; at most 1"),
        ("many_knobs", 65, "knobs has 65 names"),
        ("large_canvas", 8192, "at most 128 in 8192"),
        ("empty_lists", 300_000, "more than 262,144 lists"),
    ],
)
def test_a_trace_that_no_run_can_have_produced_is_refused(bomb, size, words):
    with pytest.raises(InfillError, match=words):
        load(BOMBS[bomb](size))


def test_steps_times_canvas_are_bounded_together():
    assert load(BOMBS["large_canvas"](100))
    with pytest.raises(InfillError, match="steps times canvas"):
        load(BOMBS["large_canvas"](2500))


def test_texts_that_a_run_can_have_are_opened():
    assert load(BOMBS["long_tokens"](100))
    assert load(BOMBS["many_notes"](32))
    assert load(BOMBS["many_notices"](64))
