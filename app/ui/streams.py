"""Which streams of events are open, and which of them are read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

STALL = 5.0
"""Seconds after which a reader who takes nothing counts as gone. Until the kernel's buffers on both sides are full,
one cannot be told from a reader."""


class Stream:
    """An open stream; `since` is when the message began to be sent that the reader has not taken yet."""

    def __init__(self) -> None:
        self.since: float | None = None


class Streams:
    """The open streams by the name of what they tell of: a session, or the event of a plain call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock  # in seconds
        self._open: dict[str, list[Stream]] = {}

    def open(self, name: str) -> Stream:
        """Note a stream that was opened."""
        stream = Stream()
        self._open.setdefault(name, []).append(stream)
        return stream

    def close(self, name: str, stream: Stream) -> None:
        """Note that a stream was closed."""
        self._open[name].remove(stream)
        if not self._open[name]:
            del self._open[name]

    def read(self, *names: str) -> bool:
        """Return whether a stream of one of these names is open and its reader takes what is sent. Any thread may."""
        for name in names:
            for stream in tuple(self._open.get(name, ())):
                if stream.since is None or self._clock() - stream.since < STALL:
                    return True
        return False

    async def send(self, stream: Stream, send: Any, message: Any) -> None:
        """Send a message; until it is on its way, the reader may be stalling."""
        stream.since = self._clock()
        await send(message)
        stream.since = None
