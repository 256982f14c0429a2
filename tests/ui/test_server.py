"""Operating a server: limits of requests and connections, health, metrics, the log, and its end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from app.errors import InfillError
from app.infill import infill
from app.sampling.request import InfillRequest
from app.ui import connections, guard, log, shutdown
from app.ui.gate import Gate
from app.ui.guard import Guard
from app.ui.page import build, launch_options
from app.ui.pool import ModelPool
from app.ui.watch import going, watched
from models.serve.lazy import LazyDenoiser
from tests.beside import beside
from tests.ui.conftest import ScriptedDenoiser
from tests.ui.test_start import PATIENCE, ROOT, first_answer, free_port
from tests.ui.visitor import Visitor, run

CALL = "/gradio_api/call/infill"
FUNCTION = "/gradio_api/component_server"
REQUEST = InfillRequest(prefix="Once", suffix=" the end.", length=4, steps=4)


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


# ---- bodies ----


class Reader:
    """An ASGI app that reads the whole body, and makes an error of its own of one that breaks off, as FastAPI does."""

    def __init__(self) -> None:
        self.read = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        status, more = 200, True
        try:
            while more:
                message = await receive()
                self.read += len(message["body"])
                more = message["more_body"]
        except guard.RefusedError:
            status = 400
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"read"})


async def post(app: Guard, parts: list[bytes], path: str = CALL, *, declared: int | None = None) -> tuple[int, str]:
    """Send a body in parts, and a client that never sends more after them; return the answer's status and body."""
    sent: list[dict[str, Any]] = []
    left = [*parts]

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left) or part == b""}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-length", str(declared).encode())] if declared is not None else []
    await app({"type": "http", "path": path, "headers": headers}, receive, send)
    return sent[0]["status"], sent[1]["body"].decode()


def in_a_loop(work: Coroutine[Any, Any, Any]) -> Any:
    return beside(lambda: asyncio.run(work))


@pytest.mark.parametrize(("path", "most"), [(CALL, guard.CALL), (FUNCTION, guard.FILE), (f"{FUNCTION}/", guard.FILE)])
def test_a_body_is_read_up_to_the_limit_of_its_path_and_no_further(path: str, most: int) -> None:
    reader = Reader()
    part = bytes(100_000)
    whole = [part] * (most // len(part))
    before = count("infill_refusals_total", reason="too large")
    assert in_a_loop(post(Guard(reader), whole, path, declared=most)) == (200, "read")
    assert reader.read == most
    reader.read = 0
    status, told = in_a_loop(post(Guard(reader), [*whole, part, part], path))
    assert (status, reader.read) == (413, most)
    assert (
        json.loads(told)["detail"] == f"the request's body has more than {most:,} bytes, which is too many: send less"
    )
    assert count("infill_refusals_total", reason="too large") == before + 1


def test_a_body_that_is_declared_too_large_is_not_read() -> None:
    reader = Reader()
    assert in_a_loop(post(Guard(reader), [b"{"], declared=guard.CALL + 1))[0] == 413
    assert reader.read == 0


def test_a_body_that_dribbles_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE", 0.05)
    status, told = in_a_loop(post(Guard(Reader()), [b"{", b""], declared=1000))
    assert (status, "did not arrive in time" in told) == (408, True)


def test_only_a_few_large_bodies_are_taken_at_once_and_each_makes_room_again() -> None:
    waiting, go_on = [], asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        waiting.append(scope)
        await go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def visitors() -> None:
        guarded = Guard(app)
        size = guard.CALL + 1
        reading = [asyncio.create_task(post(guarded, [b"{"], FUNCTION, declared=size)) for _ in range(guard.LARGE)]
        while len(waiting) < guard.LARGE:
            await asyncio.sleep(0)
        assert (await post(guarded, [b"{"], FUNCTION, declared=size))[0] == 503
        small = asyncio.create_task(post(guarded, [b"{"], FUNCTION, declared=1))
        go_on.set()
        assert {status for status, _ in await asyncio.gather(*reading, small)} == {200}
        assert (await post(guarded, [b"{"], FUNCTION, declared=size))[0] == 200

    in_a_loop(visitors())


def test_the_body_of_a_run_of_the_page_is_given_up_too(address: str, monkeypatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE", 0.05)
    head = b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\n\r\n"
    assert b" 408 " in answered(httpx.URL(address).port or 80, head, b"{")


def test_the_page_refuses_a_large_call_and_takes_a_large_trace(address: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"data": ["'
        yield from [b"x" * 100_000] * 20
        yield b'"]}'

    with httpx.Client(base_url=address) as client:
        for content in (b'{"data": ["' + b"x" * guard.CALL + b'"]}', chunks()):
            answer = client.post(CALL, content=content, headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["detail"][-9:]) == (413, "send less")
    visitor = Visitor(address)
    assert "not a trace" in visitor.ask("opened", {"content": "x" * guard.CALL})["error"]
    visitor.close()


# ---- connections ----


@pytest.fixture
def port(monkeypatch) -> Iterator[int]:
    """The port of a uvicorn server with limits, which answers with what it has read."""
    monkeypatch.setattr(connections, "HEAD", 0.2)
    server = uvicorn.Server(uvicorn.Config(Guard(Reader()), port=free_port(), log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    connections.limit(server.config)
    yield server.config.port
    server.should_exit = True
    thread.join()


HEAD = b"POST /gradio_api/call/infill HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"


def answered(port: int, *parts: bytes) -> bytes:
    """Send the beginning of a request and return all that is answered until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        for part in parts:
            connection.sendall(part)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_connection_that_sends_no_whole_head_is_closed(port: int) -> None:
    assert answered(port) == b""
    assert answered(port, HEAD) == b""
    assert answered(port, HEAD + b"\r\n{}{}", HEAD).startswith(b"HTTP/1.1 200")  # the second request of a connection


def test_a_head_that_is_too_long_is_refused(port: int) -> None:
    assert answered(port, HEAD + b"X: " + b"x" * 3 * connections.HEAD_BYTES).startswith(b"HTTP/1.1 400")


def test_what_follows_a_refused_body_is_dropped_and_ends(port: int) -> None:
    head = HEAD.replace(b"4", b"20000000") + b"\r\n"
    told = answered(port, head, *[bytes(100_000)] * 3)
    assert told.startswith(b"HTTP/1.1 413")
    assert b"send less" in told


# ---- health and metrics ----


def test_health_says_how_far_the_model_is(monkeypatch) -> None:
    go_on, failures = threading.Event(), ["it cannot be downloaded"]

    def load() -> ScriptedDenoiser:
        assert go_on.wait(PATIENCE)
        if failures:
            raise ValueError(failures.pop())
        return ScriptedDenoiser()

    lazy = LazyDenoiser(load)
    page = build(ModelPool(lazy))
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())

    def health() -> tuple[int, str, bool]:
        answer = httpx.get(f"{address}healthz")
        assert answer.json()["alive"]
        return answer.status_code, answer.json()["model"], answer.json()["shutting_down"]

    lazy.start()
    assert health() == (200, "loading", False)
    go_on.set()
    lazy.wait()
    assert health() == (503, "failed", False)
    lazy.start()
    lazy.wait()
    assert health() == (200, "ready", False)
    monkeypatch.setattr(shutdown, "_begun", True)
    assert health() == (503, "ready", True)
    page.close(verbose=False)


def scraped(address: str) -> dict[str, float]:
    text = httpx.get(f"{address}metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {"".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


def test_metrics_count_what_a_run_does(address: str) -> None:
    visitor = Visitor(address)
    before = scraped(address)
    (closing,) = visitor.fill(run(text="Once [[4]] the end."))[-1]
    visitor.fill(run(text="Once [[4]] the end.", strategy="nonsense"))
    visitor.close()
    assert closing["ended"] == "complete"
    after = scraped(address)
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    assert grown["infill_runs_totalcomplete"] == 1
    assert grown["infill_steps_total"] == 4
    assert grown["infill_pass_rows_count"] == grown["infill_pass_rows_sum"] == 4
    assert grown["infill_first_step_seconds_count"] == 1
    assert grown["infill_errors_totalmistake"] == 1
    assert (after["infill_runs_going"], after["infill_runs_waiting"]) == (0, 0)
    assert after["infill_models_loaded"] == 1
    assert after["process_resident_memory_bytes"] > 10_000_000


# ---- what is noted of a run ----


def crash() -> Iterator[Any]:
    yield next(infill(REQUEST, ScriptedDenoiser()))
    raise ZeroDivisionError


def test_every_ending_is_told_apart(caplog) -> None:
    caplog.set_level(logging.INFO, logger="app")
    halted = Gate()
    halted.halted = True
    list(watched(infill(REQUEST, ScriptedDenoiser()), Gate()))
    for gate in (Gate(), halted):
        left = watched(infill(REQUEST, ScriptedDenoiser()), gate)
        next(left)
        left.close()
    with pytest.raises(ZeroDivisionError):
        list(watched(crash(), Gate()))
    with pytest.raises(InfillError):
        list(watched(refused(), Gate()))
    assert [record.facts["ending"] for record in caplog.records] == [
        "complete",
        "left",
        "stopped",
        "crashed",
        "refused",
    ]
    assert going() == 0


def refused() -> Iterator[Any]:
    raise InfillError("too many runs are waiting")
    yield


def test_a_line_of_the_log_holds_nothing_that_a_visitor_wrote(caplog) -> None:
    caplog.set_level(logging.INFO, logger="app")
    request = InfillRequest(prefix="Tom's secret", suffix=" the end.", length=4, steps=4, banned=("secret",))
    list(watched(infill(request, ScriptedDenoiser()), Gate()))
    (record,) = caplog.records
    entry = json.loads(log._Json().format(record))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert len(entry.pop("run")) == 8
    assert entry.pop("seconds") >= 0
    assert entry == {
        "level": "info",
        "model": "scripted",
        "strategy": request.strategy,
        "masks": 4,
        "steps": 4,
        "passes": 4,
        "ending": "complete",
    }
    text = log._Text().format(record)
    assert "ending=complete" in text
    assert "secret" not in text


# ---- the end ----


def test_at_a_shutdown_a_run_ends_with_what_it_has_and_a_new_one_is_refused(monkeypatch) -> None:
    traces = watched(infill(REQUEST, ScriptedDenoiser()), Gate())
    held = [next(traces), next(traces)]
    monkeypatch.setattr(shutdown, "_begun", True)
    (last,) = traces
    assert (held[-1].ended, last.ended) == ("running", "stopped")
    assert last.notices[-1] == "Stopped: the server is shutting down."
    assert 0 < last.canvas.masked.sum() < 4
    with pytest.raises(InfillError, match="shutting down: try again"):
        next(watched(infill(REQUEST, ScriptedDenoiser()), Gate()))


def test_ctrl_c_begins_the_end_and_a_second_one_is_not_caught(monkeypatch) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(shutdown, "_begun", False)
    try:
        shutdown.listen()
        assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert shutdown.begun()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Restarted:
    """A server that was started again after one was killed in the middle of a run, and a tab that saw both."""

    server: subprocess.Popen[str]
    visitor: Visitor
    lost: str  # the run's name


@pytest.fixture(scope="module")
def restarted() -> Iterator[Restarted]:
    """The log of the killed server goes to a full disk, which must not matter."""
    port = free_port()
    command = [sys.executable, "app.py", "--model", "toy", "--port", str(port), "--log-format", "json"]
    address = f"http://127.0.0.1:{port}/"
    with open("/dev/full" if os.path.exists("/dev/full") else os.devnull, "w") as full:
        killed = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=full)
    first_answer(address, killed)
    visitor = Visitor(address)
    states = visitor.events("run", {"runs": [run(text="Once [[128]] sat.", steps=128)]})
    lost = next(states)[0]["messages"][0]["run"]
    killed.kill()
    with pytest.raises(httpx.TransportError):
        list(states)
    killed.communicate()
    server = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    first_answer(address, server)
    yield Restarted(server, visitor, lost)
    visitor.close()
    server.kill()
    server.communicate()


def test_after_a_kill_in_mid_run_a_new_server_serves_the_same_tab(restarted: Restarted) -> None:
    assert "no longer on the server" in restarted.visitor.ask("replay", {"run": restarted.lost})["error"]
    assert restarted.visitor.fill(run(text="Once [[3]] sat."))[-1][0]["ended"] == "complete"


def test_sigterm_ends_runs_with_what_they_have_and_the_server_with_exit_code_0(restarted: Restarted) -> None:
    server, visitor, closing = restarted.server, restarted.visitor, []
    asked = [run(key, text="Tom's secret [[128]] sat.", steps=128) for key in "abcd"]
    for output in visitor.events("run", {"runs": asked}):
        if not closing:  # a paused run is in its middle for as long as the test needs
            name = output[0]["messages"][0]["run"]
            assert visitor.ask("control", {"run": name, "do": "pause"}) == {}
            server.send_signal(signal.SIGTERM)
        closing = output[0]["messages"]
    output, _ = server.communicate(timeout=PATIENCE)
    assert server.returncode == 0
    assert "Traceback" not in output
    assert [message["key"] for message in closing] == [*"abcd"]
    assert closing[0]["ended"] == "stopped"
    for message in closing:
        told = "Stopped: the server is shutting down." in message["opening"]["notices"]
        assert told == (message["ended"] == "stopped")
    lines = [json.loads(line) for line in output.splitlines() if '"ending": ' in line]
    assert [line["model"] for line in lines[-4:]] == ["toy"] * 4
    assert "shutdown" in {line["ending"] for line in lines}
    assert "secret" not in output
