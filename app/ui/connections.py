"""What a connection may keep the server waiting for: limits of uvicorn, and one that it lacks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

try:
    import resource
except ImportError:  # Windows
    resource = None

if TYPE_CHECKING:
    from uvicorn import Config

HEAD = 10.0
"""Seconds for the head of a request, from the connection or from its first byte; uvicorn waits for ever."""
KEEP_ALIVE = 5
"""Seconds that a connection may be idle after an answer."""
HEAD_BYTES = 16_384
"""Longest head of a request."""
_SHARE = 0.8  # of the files that the process may open; the others are models, temporary files, examples


class _HeadTimeout:
    """Mixed into one of uvicorn's HTTP protocols: closes a connection that does not send a request's head in time."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    connections: set[Any]
    cycle: Any
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)  # pyright: ignore[reportAttributeAccessIssue]
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)  # pyright: ignore[reportAttributeAccessIssue]
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)  # pyright: ignore[reportAttributeAccessIssue]

    def _watch(self) -> None:
        """Start to wait for a head unless a request is being answered; what follows a refused body counts as one."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._head is None:
            self._head = self.loop.call_later(HEAD, self._close)

    def _forget(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _close(self) -> None:
        self._head = None
        if self in self.connections:  # a websocket has left them
            self.transport.close()


def limit(config: Config) -> None:
    """Set the limits of a running uvicorn server; Gradio, which starts it, passes none on. New connections have them.

    More connections than four fifths of the files that the process may open are answered with status 503.
    """
    protocol: Any = config.http_protocol_class
    config.http_protocol_class = type("Limited", (_HeadTimeout, protocol), {})
    config.timeout_keep_alive = KEEP_ALIVE
    config.h11_max_incomplete_event_size = HEAD_BYTES
    if resource is not None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        config.limit_concurrency = None if soft == resource.RLIM_INFINITY else int(soft * _SHARE)
