"""What requests cost a server that runs the toy model: `python -m tests.ui.server_load`; nothing here is a test.

Prints the processor time of a refusal; megabytes resident before and after bodies of 20 MB and of almost 1 MB, new
sessions, and events whose stream nobody opens; how long half-sent requests stay open; and how long the server takes to
end during a run.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from tests.ui.visitor import Visitor, run

ROOT = Path(__file__).parents[2]


class Server:
    """A page on the toy model in a process of its own."""

    def __init__(self, port: int = 0, *flags: str) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            port = listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        command = [sys.executable, "app.py", "--model", "toy", "--port", str(port), *flags]
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while True:
            assert self.process.poll() is None, self.process.communicate()[0]
            try:
                self.config = httpx.get(f"{self.address}/config", timeout=60).raise_for_status().json()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        self.http = httpx.Client(base_url=f"{self.address}/gradio_api", timeout=60)
        self.page = next(c["id"] for c in self.config["components"] if c["props"].get("elem_id") == "page")

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def ask(self, asked: object) -> httpx.Response:
        """Call a server function in a new session."""
        data = {"data": asked, "component_id": self.page, "fn_name": "inspect", "session_hash": secrets.token_hex(6)}
        return self.http.post("/component_server", json=data)

    def call(self, values: list[object]) -> httpx.Response:
        """Ask for a run whose stream is never opened."""
        return self.http.post("/call/infill", json={"data": values})

    def half_open(self, head: bytes) -> socket.socket:
        """Open a connection and send the beginning of a request."""
        parts = urlsplit(self.address)
        connection = socket.create_connection((str(parts.hostname), parts.port))
        connection.sendall(head)
        return connection


def measure(server: Server, label: str, times: int, act: Callable[[], httpx.Response]) -> None:
    """Print the memory before and after doing something a number of times."""
    before, began, answers = server.megabytes, time.perf_counter(), set()
    for _ in range(times):
        try:
            answer = act()
            answers.add(answer.status_code)
        except httpx.TransportError as error:
            answers.add(type(error).__name__)
    after = server.megabytes
    each, seconds = (after - before) / times, time.perf_counter() - began
    print(
        f"{label}: {before:.0f} -> {after:.0f} MB, {each:+.3f} MB each, {seconds:.1f} s, answers {answers}", flush=True
    )


def wait_behind_unopened(server: Server, number: int = 60) -> None:
    """Print how long a visitor's run takes after calls for long runs whose streams nobody opens."""
    url, long = f"{server.address}/gradio_api/call/v2/infill", {"text": "the cat [[60]] sat", "steps": 60}
    answers = set()
    for caller in range(number):
        answer = httpx.post(url, json=long, headers={"X-Forwarded-For": f"10.0.0.{caller}"}, timeout=60)
        answers.add(answer.status_code)
    began = time.perf_counter()
    joined = httpx.post(url, json={"text": "the cat [[3]] sat"}, timeout=60).raise_for_status().json()
    told = httpx.get(f"{server.address}/gradio_api/call/infill/{joined['event_id']}", timeout=600).text
    assert "event: complete" in told
    seconds = time.perf_counter() - began
    print(f"a run behind {number} calls whose stream nobody opens: {seconds:.1f} s, answers {answers}", flush=True)


def refuse(server: Server, *, places: int = 24, number: int = 2000) -> None:
    """Print the processor time of the server for each call that is refused because all places are taken.

    They are taken by paused runs; what these and the server's waiting cost in the same time is taken off.
    """
    process, going, over = psutil.Process(server.process.pid), threading.Barrier(places + 1), threading.Event()

    def occupy(place: int) -> None:
        visitor = Visitor(server.address)
        visitor._http.headers["X-Forwarded-For"] = f"10.0.0.{place % 3}"
        paused = False
        for output in visitor.events("run", {"runs": [run(text="the cat [[128]] sat", steps=128)]}):
            message = output[0]["messages"][0]
            if not paused:
                assert visitor.ask("control", {"run": message["run"], "do": "pause"}) == {}
                going.wait()
            paused = True
            if over.is_set():
                break

    def spent(act: Callable[[], object]) -> tuple[float, float]:
        began, before = time.perf_counter(), process.cpu_times()
        act()
        after = process.cpu_times()
        return after.user + after.system - before.user - before.system, time.perf_counter() - began

    with ThreadPoolExecutor(places) as threads:
        for place in range(places):
            threads.submit(occupy, place)
        going.wait(60)
        used, seconds = spent(lambda: time.sleep(3))
        idle = used / seconds
        url, asked = f"{server.address}/gradio_api/call/v2/infill", {"text": "the cat [[3]] sat"}
        headers = {"X-Forwarded-For": "10.0.1.1"}

        def one_connection() -> None:
            for _ in range(number):
                assert server.http.post("/call/v2/infill", json=asked, headers=headers).status_code == 429

        def new_connections() -> None:
            body = json.dumps(asked).encode()
            for _ in range(number):
                connection = HTTPConnection(*urlsplit(server.address).netloc.split(":"))
                connection.request("POST", urlsplit(url).path, body, headers | {"Content-Type": "application/json"})
                assert connection.getresponse().status == 429
                connection.close()

        for label, act in (("over one connection", one_connection), ("over a new one each", new_connections)):
            used, seconds = spent(act)
            print(
                f"{number} refusals {label}: {1000 * (used - idle * seconds) / number:.2f} ms of processor time each"
                f" in {seconds:.1f} s (idle: {1000 * idle:.0f} ms a second)",
                flush=True,
            )
        over.set()
        server.process.kill()


def open_for(server: Server, label: str, head: bytes, *, number: int, most: float) -> None:
    """Print how many half-sent requests are closed by the server within `most` seconds, and when the last one was."""
    began = time.perf_counter()
    connections = [server.half_open(head) for _ in range(number)]
    for connection in connections:
        connection.setblocking(False)
    ended: list[float] = []
    while connections and time.perf_counter() - began < most:
        time.sleep(0.1)
        for connection in list(connections):
            try:
                if connection.recv(65536):
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass
            connections.remove(connection)
            ended.append(time.perf_counter() - began)
    last = f", the last after {max(ended):.1f} s" if ended else ""
    print(f"{label}: {len(ended)} of {number} closed within {most:.0f} s{last}", flush=True)
    for connection in connections:
        connection.close()


def stop_in_mid_run(server: Server) -> None:
    """Print what a reader sees of a long run when the server gets SIGTERM, the exit code and the seconds."""
    asked = {"text": "the cat [[120]] sat", "steps": 120, "strategy": "left_to_right"}
    joined = httpx.post(f"{server.address}/gradio_api/call/v2/infill", json=asked, timeout=60)
    event, seen, began = joined.json()["event_id"], [], 0.0
    try:
        with httpx.stream("GET", f"{server.address}/gradio_api/call/infill/{event}", timeout=60) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: [{"):
                    seen.append(json.loads(line.removeprefix("data: "))[0])
                    if not began:
                        server.process.send_signal(signal.SIGTERM)
                        began = time.perf_counter()
    except httpx.TransportError as error:
        print(f"the stream broke: {error!r}")
    last = {name: seen[-1][name] for name in ("step", "ended", "notices")} if seen else None
    output, _ = server.process.communicate(timeout=60)
    print(f"SIGTERM: exit {server.process.returncode} after {time.perf_counter() - began:.1f} s; last state {last}")
    print(output)


def main() -> None:
    """Take all measurements, each on a fresh server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("only", nargs="*", default=["refusals", "bodies", "sessions", "streams", "half", "stop"])
    only = parser.parse_args().only
    if "refusals" in only:
        refuse(Server())
    if "bodies" in only:
        server = Server()
        server.ask({"text": "", "model": ""})
        measure(server, "24 calls of 20 MB", 24, lambda: server.ask({"text": "x" * 20_000_000, "model": ""}))
        measure(server, "24 runs of 20 MB", 24, lambda: server.call(["x" * 20_000_000]))
        measure(server, "100 calls of 0.9 MB", 100, lambda: server.ask({"text": "x" * 900_000, "model": ""}))
        for _ in range(3):
            measure(server, "100 runs of 0.9 MB", 100, lambda: server.call(["x" * 900_000]))
        server.process.kill()
    if "sessions" in only:
        server = Server()
        server.ask({"text": "", "model": ""})
        for _ in range(4):
            measure(server, "200 new sessions", 200, lambda: server.ask({"text": "", "model": ""}))
        server.process.kill()
    if "streams" in only:
        server = Server()
        server.ask({"text": "", "model": ""})
        short = ["", "the", "", 2]
        wait_behind_unopened(server)
        measure(server, "200 runs whose stream nobody opens", 200, lambda: server.call([*short]))
        server.process.kill()
    if "half" in only:
        server = Server()
        head = b"POST /gradio_api/call/infill HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        whole = head + b"Content-Length: 1000\r\n\r\n{"
        open_for(server, "600 half-sent bodies", whole, number=600, most=60)
        open_for(server, "600 half-sent heads", head, number=600, most=60)
        open_for(server, "600 connections without a byte", b"", number=600, most=60)
        server.process.kill()
    if "stop" in only:
        stop_in_mid_run(Server())


if __name__ == "__main__":
    main()
