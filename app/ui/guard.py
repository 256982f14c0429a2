"""What stands before Gradio in the server: limits of a request's body, `/healthz` and `/metrics`."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from app.trace.bounds import MAX_FILE
from app.ui import metrics, shutdown

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from app.ui.pool import ModelPool

CALL = 1_000_000
"""Most bytes in the body of a call."""
FILE = MAX_FILE + CALL
"""Most bytes where a trace may come: as an argument of a server function, or as an uploaded file."""
_FILES = ("/gradio_api/component_server", "/gradio_api/upload")
LARGE = 4
"""How many bodies larger than CALL may be on their way or worked on at once: each is in memory several times."""
PATIENCE, RATE = 20.0, 10_000
"""Seconds for a body, and the bytes that add another second: the rule of Apache's mod_reqtimeout."""


class RefusedError(Exception):
    """A body that is not read to its end; `status` and `reason` are the answer, `kind` the label in the metrics."""

    def __init__(self, status: int, reason: str, kind: str) -> None:
        super().__init__(reason)
        self.status, self.reason, self.kind = status, reason, kind


class Guard:
    """An ASGI middleware for a page that `build` made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._large = 0  # bodies larger than CALL

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == "/healthz":
            status, health = _health(scope["app"].get_blocks().pool)
            await _answer(send, status, json.dumps(health).encode(), "application/json")
        elif scope["path"] == "/metrics":
            await _answer(send, 200, *metrics.exposition(scope["app"].get_blocks().pool.count_loaded()))
        else:
            await self._guard(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, answer = _Body(self, scope, receive), _Answer(send)
        try:
            body.check_declared()

            async def guarded() -> Message:
                try:
                    return await body.receive()
                except RefusedError as refused:
                    answer.refused = refused  # the app may make another error of it
                    raise

            await self._app(scope, guarded, answer.send)
        except RefusedError as refused:
            answer.refused = refused
        except Exception:
            if answer.refused is None:
                raise
        finally:
            body.release()
            await answer.finish()

    def take_large(self) -> None:
        """Count one more large body. Raises RefusedError if there are too many."""
        if self._large >= LARGE:
            raise RefusedError(503, "other visitors are opening files: try again in a moment", "busy")
        self._large += 1

    def leave_large(self) -> None:
        """Count one large body less."""
        self._large -= 1


class _Body:
    """The body of one request, counted while it arrives."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive) -> None:
        self._guard, self._receive = guard, receive
        self._limit = FILE if scope["path"].rstrip("/") in _FILES else CALL
        self._declared = int(dict(scope["headers"]).get(b"content-length", 0))
        self._began, self._bytes, self._whole, self._large = time.monotonic(), 0, False, False

    def check_declared(self) -> None:
        """Raise RefusedError if the size that the head gives is too large."""
        self._check(self._declared)

    async def receive(self) -> Message:
        """Return the next part. Raises RefusedError if the body is too large or arrives too slowly."""
        if self._whole:
            return await self._receive()
        left = self._began + PATIENCE + self._bytes / RATE - time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, left)):
                message = await self._receive()
        except TimeoutError:
            raise RefusedError(408, "the request's body did not arrive in time: send it again", "too slow") from None
        self._bytes += len(message.get("body", b""))
        self._check(self._bytes)
        self._whole = not message.get("more_body", False)
        return message

    def _check(self, size: int) -> None:
        if size > self._limit:
            told = f"the request's body has more than {self._limit:,} bytes, which is too many: send less"
            raise RefusedError(413, told, "too large")
        if size > CALL and not self._large:
            self._guard.take_large()
            self._large = True

    def release(self) -> None:
        if self._large:
            self._large = False
            self._guard.leave_large()


class _Answer:
    """Passes the app's answer on, unless its request is refused before the answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send, self._begun = send, False
        self.refused: RefusedError | None = None

    async def send(self, message: Message) -> None:
        if self.refused is not None and not self._begun:
            return
        if message["type"] == "http.response.start":
            self._begun = True
            if message["status"] == 503:
                metrics.REFUSALS.labels("queue full").inc()
        await self._send(message)

    async def finish(self) -> None:
        """Answer a refused request. What still arrives of its body is dropped, so that its sender reads the answer."""
        if self.refused is None:
            return
        metrics.REFUSALS.labels(self.refused.kind).inc()
        if not self._begun:
            told = json.dumps({"detail": self.refused.reason}).encode()
            await _answer(self._send, self.refused.status, told, "application/json")


def _health(pool: ModelPool) -> tuple[int, dict[str, Any]]:
    """Return status 200, or 503 if no run can be made any more, and what the server says of itself."""
    state = pool.state
    healthy = state != "failed" and not shutdown.begun()
    return 200 if healthy else 503, {"alive": True, "model": state, "shutting_down": shutdown.begun()}


async def _answer(send: Send, status: int, body: bytes, kind: str) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
