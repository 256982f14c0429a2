"""The page's door: refuses calls that have no place, before they cost anything, and watches who reads what."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs

from app.ui import metrics
from app.ui.queue import RUNS, PatientQueue
from app.ui.reception import RefusalError

_CALL = re.compile(r"/call/(?:v2/)?(?P<function>[^/]+)(?:/(?P<event>[^/]+))?/?$")
_JOIN, _DATA = "/queue/join", "/queue/data"


class Door:
    """ASGI middleware in front of Gradio's routes.

    Gradio has no hook for either job: it queues an event with the POST and consumes it whether or not its stream is
    opened, and a refusal behind its routes costs milliseconds.
    """

    def __init__(self, app: Any, queue: PatientQueue) -> None:
        self._app, self._queue = app, queue

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Refuse a request, or pass it on and note it while it is one for a stream."""
        method = scope["method"] if scope["type"] == "http" else ""
        if method == "GET" and (name := _stream_name(scope)):
            if scope["path"].endswith(_DATA) or self._queue.knows(name):
                await self._watch(name, scope, receive, send)
            else:
                await _answer(404, {"detail": "there is no such call, or its stream was not opened in time"}, send)
            return
        if method == "POST":
            makes_runs, receive = await self._makes_runs(scope["path"], receive)
            if makes_runs:
                try:
                    self._queue.enter(scope["client"][0] if scope.get("client") else "")
                except RefusalError as refusal:
                    metrics.REFUSALS.labels("queue full").inc()
                    await _answer(429, {"detail": str(refusal)}, send, (b"retry-after", b"%d" % refusal.after))
                    return
        await self._app(scope, receive, send)

    async def _watch(self, name: str, scope: Any, receive: Any, send: Any) -> None:
        streams = self._queue.streams
        stream = streams.open(name)
        try:
            await self._app(scope, receive, lambda message: streams.send(stream, send, message))
        finally:
            streams.close(name, stream)
            self._queue.forget(name)

    async def _makes_runs(self, path: str, receive: Any) -> tuple[bool, Any]:
        """Return whether a POST is a call that makes runs, and what its body can be received from."""
        functions = self._queue.blocks.fns
        if path.endswith(_JOIN):
            first = await receive()  # a longer body than that is Gradio's to receive
            number = None if first.get("more_body") else _function(first.get("body", b""))
            found = functions.get(number) if isinstance(number, int) else None
            return found is not None and found.concurrency_id == RUNS, _again(first, receive)
        called = _CALL.search(path)
        if called is None or called["event"] is not None:
            return False, receive
        return any(each.api_name == called["function"] for each in functions.values()), receive


def _stream_name(scope: Any) -> str:
    """Return what a request's stream tells of; empty if it is a request for anything else."""
    if scope["path"].endswith(_DATA):
        return parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
    called = _CALL.search(scope["path"])
    return called["event"] or "" if called else ""


def _function(body: bytes) -> Any:
    """Return the number of the function that a call names; None if it names none."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return asked.get("fn_index") if isinstance(asked, dict) else None


def _again(first: Any, receive: Any) -> Any:
    """Return what receives a message that was received already, and then the others."""
    received = [first]

    async def receive_again() -> Any:
        return received.pop() if received else await receive()

    return receive_again


async def _answer(status: int, answer: Any, send: Any, *headers: tuple[bytes, bytes]) -> None:
    body = json.dumps(answer).encode()
    described = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": described})
    await send({"type": "http.response.body", "body": body})
