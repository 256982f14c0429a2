"""Readers who never come, leave, stall, cancel or crash the model, and what that costs the others."""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app.ui.reception import PER_VISITOR, PLACES
from tests.ui.visitor import Visitor, run

LONG = {"text": "Once [[60]] the end.", "steps": 60}
SHORT = {"text": "Once [[3]] the end.", "steps": 3}


def post(address: str, request: dict[str, Any], visitor: str = "10.0.0.1") -> httpx.Response:
    """Ask for a run as somebody whose address a proxy tells."""
    url = f"{address.rstrip('/')}/gradio_api/call/v2/infill"
    return httpx.post(url, json=request, headers={"X-Forwarded-For": visitor}, timeout=60)


def read(address: str, event: str) -> list[tuple[str, Any]]:
    """Return all events of a stream."""
    text = httpx.get(f"{address.rstrip('/')}/gradio_api/call/infill/{event}", timeout=60).text
    return [(name, json.loads(data)) for name, data in re.findall(r"event: (\w+)\ndata: (.*)\n", text)]


def fill(address: str, request: dict[str, Any], visitor: str = "10.0.0.1") -> tuple[str, Any]:
    """Ask for a run, and return the last event."""
    return read(address, post(address, request, visitor).raise_for_status().json()["event_id"])[-1]


class Listener:
    """A reader at the level of the socket, who may leave at any time."""

    def __init__(self, address: str, event: str) -> None:
        parts = urlsplit(address)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(60)
        self.socket.connect((parts.hostname, parts.port))
        self.socket.sendall(f"GET /gradio_api/call/infill/{event} HTTP/1.0\r\n\r\n".encode())

    def wait_for_a_state(self) -> None:
        received = b""
        while b"event: generating" not in received:
            received += self.socket.recv(4096)

    def leave(self, how: str) -> None:
        """Close the connection as a program does, or reset it as the system does for one that was killed."""
        if how == "killed":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


@pytest.fixture(scope="module")
def page(denoiser) -> Iterator[Any]:
    from app.ui.page import build, launch_options
    from app.ui.pool import ModelPool
    from models.serve.lazy import LazyDenoiser

    made = build(ModelPool(LazyDenoiser(lambda: denoiser)))
    made.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield made
    made.close(verbose=False)


@pytest.fixture
def address(page) -> str:
    return page.local_url


def wait_until_all_have_ended(page: Any) -> None:
    while page._queue.calls():
        time.sleep(0.02)


def test_a_call_whose_stream_nobody_opens_costs_no_pass_and_is_forgotten(page, address, denoiser, monkeypatch) -> None:
    monkeypatch.setattr("app.ui.queue.OPEN", 600.0)  # however slow this machine is
    events = [post(address, LONG).json()["event_id"] for _ in range(PER_VISITOR)]
    assert post(address, LONG).status_code == httpx.codes.TOO_MANY_REQUESTS
    assert fill(address, SHORT, "10.0.0.2")[0] == "complete"
    monkeypatch.setattr("app.ui.queue.OPEN", 0.0)
    wait_until_all_have_ended(page)
    late = httpx.get(f"{address.rstrip('/')}/gradio_api/call/infill/{events[0]}", timeout=60)
    assert (late.status_code, "not opened in time" in late.text) == (httpx.codes.NOT_FOUND, True)
    assert denoiser.forwards == 3
    assert not page._queue.pending_messages_per_session
    assert not page._queue.pending_event_ids_session
    assert not page._queue.event_ids_to_events
    assert not page.app.state_holder.session_data


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_a_run_ends_within_a_step_when_its_reader_has_left(page, address: str, denoiser, how: str) -> None:
    denoiser.delay = 0.05
    listener = Listener(address, post(address, LONG).json()["event_id"])
    listener.wait_for_a_state()
    listener.leave(how)
    wait_until_all_have_ended(page)
    assert denoiser.forwards < 50
    denoiser.delay = 0.0
    assert fill(address, SHORT)[0] == "complete"


def test_a_run_ends_when_its_reader_stalls_and_says_so_to_who_reads_on(
    page, address: str, denoiser, monkeypatch
) -> None:
    monkeypatch.setattr("app.ui.streams.STALL", 0.3)
    denoiser.delay = 0.02
    wide = LONG | {"text": "a" * 19_000 + " [[128]] the end.", "steps": 128}  # each state repeats the text
    listener = Listener(address, post(address, wide).json()["event_id"])
    wait_until_all_have_ended(page)
    assert denoiser.forwards < 120
    *_, end = iter(lambda: listener.socket.recv(65536), b"")
    assert b"not read for some seconds" in end


def test_a_page_run_ends_when_the_tab_is_closed(page, address: str, denoiser) -> None:
    denoiser.delay = 0.05
    visitor = Visitor(address)
    events = visitor.events("run", {"runs": [run(text="Once [[60]] the end.", steps=60)]})
    next(events)
    events.close()  # pyright: ignore[reportAttributeAccessIssue]
    visitor.close()
    wait_until_all_have_ended(page)
    assert denoiser.forwards < 50


def test_runs_that_wait_are_begun_in_turn_and_a_storm_of_cancels_frees_their_places(
    page, address: str, denoiser
) -> None:
    denoiser.delay = 0.05
    events = [post(address, LONG, f"10.0.1.{number}").json()["event_id"] for number in range(PLACES)]
    listeners = [Listener(address, event) for event in events]
    for listener in listeners:
        listener.wait_for_a_state()  # of those that wait, it says how many are ahead
    refused = post(address, SHORT, "10.0.2.1")
    assert refused.status_code == httpx.codes.TOO_MANY_REQUESTS
    assert re.search(
        r"All 24 places are taken, and you are number 1 in line: try again in \d+ s\.", refused.json()["detail"]
    )
    assert int(refused.headers["Retry-After"]) >= 1
    with ThreadPoolExecutor(8) as threads:
        url = f"{address.rstrip('/')}/gradio_api/cancel"
        bodies = [{"session_hash": event, "fn_index": 0, "event_id": event} for event in events]
        answers = list(threads.map(lambda body: httpx.post(url, json=body, timeout=60).status_code, bodies))
    assert answers == [httpx.codes.OK] * PLACES
    wait_until_all_have_ended(page)
    assert denoiser.forwards < 1000
    denoiser.delay = 0.0
    assert fill(address, SHORT, "10.0.2.1")[0] == "complete"
    for listener in listeners:
        listener.leave("closed")


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("a"),
        RuntimeError("CUDA error"),
        KeyError(3),
        MemoryError("full"),
        StopIteration(),
        OSError("the disk"),
        SystemExit(1),  # of a library: it must not end the server
    ],
    ids=repr,
)
def test_a_crash_in_the_model_is_told_and_other_runs_go_on(
    address: str, denoiser, monkeypatch, error: BaseException
) -> None:
    believe: Callable[[Any], Any] = denoiser._believe

    def crashing(query: Any) -> Any:
        if b"crash" in bytes(token for token in query.ids if token < 256):
            raise error
        time.sleep(0.01)
        return believe(query)

    monkeypatch.setattr(denoiser, "_believe", crashing)
    with ThreadPoolExecutor(2) as threads:
        well = threads.submit(fill, address, LONG)
        name, data = fill(address, SHORT | {"text": "crash [[3]] the end."})
        assert name == "error"
        assert ("full" if isinstance(error, MemoryError) else "fault in the program") in data["error"]
        name, data = well.result()
        assert (name, data[0]["ended"], data[0]["nfe"]) == ("complete", "complete", 60)
