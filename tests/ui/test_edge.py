"""Calls that name what is not there, or carry what is not taken, over HTTP: answered in words, without a traceback."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.trace.examples import ASSETS, read_examples
from tests.full_disk import no_file_beyond
from tests.ui.visitor import Visitor, run


@pytest.fixture
def tracebacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return a list to which every traceback is added that the server prints or logs."""
    found: list[str] = []
    monkeypatch.setattr(traceback, "print_exc", lambda *_, **__: found.append(traceback.format_exc()))
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage()) if record.exc_info else None
    loggers = [logging.getLogger(name) for name in (None, "uvicorn.error", "asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
    yield found
    for logger in loggers:
        logger.removeHandler(handler)


SESSION = {"session_hash": "nonsense"}
UNKNOWN: list[tuple[str, Any]] = [
    ("call/nonsense", {"data": []}),
    ("call/v2/nonsense", {}),
    ("call/v2/infill", {"nonsense": 1}),
    ("call/infill", {"data": 3}),
    ("run/nonsense", {"data": []}),
    ("run/infill", {"data": ["a"] * 40}),
    *(("queue/join", {"data": [], "fn_index": number, **SESSION}) for number in (999, -1, "x", None, [1])),
    *(
        ("component_server", {"data": {}, "component_id": component, "fn_name": name, **SESSION})
        for component in (999, "x", [1], {}, None)
        for name in ("replay", 3)
    ),
    ("component_server", {"data": {}}),
    ("component_server", [1]),
    ("component_server", "HERE"),
    ("cancel", {"session_hash": [], "fn_index": "x", "event_id": 3}),
    ("reset", {"event_id": [1]}),
]


@pytest.mark.parametrize(("route", "body"), UNKNOWN, ids=range(len(UNKNOWN)))
def test_a_call_that_names_what_is_not_there_is_refused_in_words(
    address: str, tracebacks: list[str], route: str, body: Any
) -> None:
    with httpx.Client(base_url=f"{address.rstrip('/')}/gradio_api", timeout=30) as http:
        answer = http.post(route, json=body)
    assert 400 <= answer.status_code < 500 or (route.startswith("run/") and answer.status_code == 500)
    said = answer.json()
    assert said.get("detail") or said.get("error")
    assert tracebacks == []


def test_on_a_full_disk_an_uploaded_file_is_refused_in_words_and_runs_go_on(
    address: str, tracebacks: list[str]
) -> None:
    visitor = Visitor(address)
    trace = read_examples()[0].recording(ASSETS).read_text(encoding="utf-8")
    with no_file_beyond(1_000_000), httpx.Client(base_url=f"{address.rstrip('/')}/gradio_api", timeout=30) as http:
        answer = http.post("upload", files={"files": b"x" * 2_000_000})
        assert answer.status_code == httpx.codes.INSUFFICIENT_STORAGE
        assert "disk is full" in answer.json()["detail"]
        assert "closing" in visitor.ask("opened", {"content": trace})
        assert visitor.fill(run())[-1][0]["ended"] == "complete"
    visitor.close()
    assert tracebacks == []


def test_an_unknown_function_of_the_page_is_refused_in_words(address: str, tracebacks: list[str]) -> None:
    visitor = Visitor(address)
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        visitor.ask("nonsense", {})
    visitor.close()
    assert tracebacks == []


@pytest.mark.parametrize("data", [[], ["x"], [{"a": 1}] * 3, [None] * 30], ids=range(4))
def test_values_that_an_event_does_not_take_are_refused_in_words(
    address: str, tracebacks: list[str], data: list[Any]
) -> None:
    visitor = Visitor(address)
    events = {event for each in visitor._config["dependencies"] for _, event in each["targets"]}
    for event in sorted(events & {"run", "halt", "figure"}):
        said = "an answer"
        try:
            list(visitor.events(event, {"runs": 3}, tuple(data)))
        except RuntimeError as error:
            said = str(error)
        assert said not in ("", "None")
    visitor.close()
    assert tracebacks == []
