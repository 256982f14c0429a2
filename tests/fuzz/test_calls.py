"""Calls of any content: the endpoint, the page's events and its server functions answer in words and never crash."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from hypothesis import given
from hypothesis import strategies as st

import models
from app.infill import infill
from app.sampling.request import InfillRequest, fields_of
from app.trace import recording
from app.ui.component import about_models, about_runs, inspect_text
from app.ui.endpoint import endpoint
from app.ui.gate import Gates
from app.ui.pool import ModelPool
from app.ui.runner import runner
from app.ui.runs import PageRuns
from app.ui.store import RunStore
from models.serve.lazy import LazyDenoiser
from tests.fuzz.inputs import JUNK, LONG, check_message, fuzz, mutated

_RUN = "a run that is stored"
_NAMES = [*(field.name for field in fields_of()), "model"]


class Page:
    """A page of the toy model without its server."""

    def __init__(self) -> None:
        pool = ModelPool(LazyDenoiser(lambda: models.load("toy")), name="toy")
        pool.first()
        *_, trace = infill(InfillRequest(text="the [[3]] saw", steps=3), models.load("toy"))
        store, gates, run = RunStore(), Gates(), runner(pool, 1.0)
        store.put(_RUN, trace)
        self.trace = recording.dump(trace)
        self.runs = PageRuns(pool, run, store, gates)
        self.fill = endpoint(run)
        functions = [*about_runs(store, gates, InfillRequest), *about_models(pool), inspect_text(pool)]
        self.functions = {each.__name__: each for each in functions}


@pytest.fixture(scope="module")
def page() -> Page:
    return Page()


@pytest.fixture(autouse=True)
def _no_faults() -> Iterator[None]:
    """Fail if a crash was logged; pytest's own fixture would keep the records of all inputs."""
    records: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: records.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    assert records == []


_RIGHT: dict[str, Any] = {"text": "the [[3]] saw", "steps": 3, "strategy": "p2", "knobs": {"eta": 0.5}, "seed": 1}
_RIGHT |= {"banned": ["dog"], "start": {"gaps": [[1, None, None]], "locked": [0]}}
_ENTRY = {"key": "k", "request": _RIGHT, "model": "", "by": "diffusion", "branch": None}
_BRANCH = _ENTRY | {"branch": {"run": _RUN, "step": 1, "edits": [{"place": 0, "mask": True}]}}


@fuzz
@given(asked=st.dictionaries(st.sampled_from(_NAMES), JUNK, max_size=4))
def test_the_endpoint_refuses_any_arguments_in_words(page: Page, asked: dict[str, Any]) -> None:
    try:
        states = list(itertools.islice(page.fill(**{"length": 2, "steps": 2, **asked}), 4))
    except gr.Error as error:
        check_message(error.message)
    else:
        assert states[-1]["text"] is not None


@fuzz
@given(data=st.one_of(JUNK, mutated(json.dumps({"runs": [_ENTRY]})), mutated(json.dumps({"runs": [_BRANCH]}))))
def test_the_event_that_starts_runs_refuses_any_data_in_words(page: Page, data: Any) -> None:
    try:
        *_, last = page.runs.start(SimpleNamespace(_data=data))
    except gr.Error as error:
        check_message(error.message)
        return
    for message in last["messages"]:
        assert message["key"] == "" or len(message["key"]) <= 100
        if "failed" in message:
            check_message(message["failed"])


@fuzz
@given(data=JUNK | st.fixed_dictionaries({"runs": JUNK | st.lists(JUNK, max_size=3)}))
def test_the_event_that_ends_runs_takes_any_data(page: Page, data: Any) -> None:
    assert page.runs.halt(SimpleNamespace(_data=data)) == {"messages": []}


@fuzz
@given(
    name=st.sampled_from(["candidates", "replay", "recorded", "opened", "example", "control", "model", "inspect"]),
    asked=JUNK
    | st.dictionaries(
        st.sampled_from(["run", "step", "content", "id", "do", "name", "text", "model"]),
        JUNK | st.sampled_from([_RUN, "pause", "toy"]),
    ),
)
def test_the_server_functions_answer_anything(page: Page, name: str, asked: Any) -> None:
    answer = page.functions[name](asked)
    assert isinstance(answer, dict)
    if "error" in answer:
        check_message(answer["error"])


_WRONG = [None, 3, [], ["toy"], {}, {"a": LONG}, LONG, True]
_TAKEN = {"knobs": [None, {}], "banned": [None, [], ["toy"], {}, LONG], "start": [None], "length": [None, 3]}
_REFUSED = [
    (name, wrong)
    for name in ("model", "strategy", "guided_by", "knobs", "banned", "start", "text", "length")
    for wrong in _WRONG
    if wrong not in _TAKEN.get(name, [])
]


@pytest.mark.parametrize(("name", "wrong"), _REFUSED, ids=range(len(_REFUSED)))
def test_a_wrong_type_is_refused_by_the_name_of_its_field(page: Page, name: str, wrong: Any) -> None:
    with pytest.raises(gr.Error) as caught:
        list(page.fill(**{"prefix": "the ", "steps": 2, name: wrong}))
    check_message(caught.value.message)
    assert any(word in caught.value.message for word in (name, "text", "word", "knob", "name"))


def test_a_crash_inside_a_call_has_a_reference_that_stands_in_the_log(monkeypatch, caplog) -> None:
    def crash(*_: Any) -> None:
        raise RuntimeError("the details are for the log")

    page = Page()
    monkeypatch.setattr(recording, "dump", crash)
    monkeypatch.setattr(logging.getLogger(), "handlers", [caplog.handler])
    answer = page.functions["recorded"]({"run": _RUN})["error"]
    assert "a fault in the program and not in what you sent" in answer
    assert "details" not in answer
    reference = answer.rsplit(" ", 1)[1].rstrip(".")
    assert f"reference {reference}" in caplog.text
    assert "RuntimeError: the details are for the log" in caplog.text
    caplog.clear()
