"""Ending the server: no new runs, those that go on end with what they have, then the process ends with exit code 0."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from logging import getLogger
from typing import Any

from app.errors import InfillError
from app.ui import metrics

RUNS, STREAMS, ALL = 5.0, 2.0, 9.0
"""Seconds after a signal for runs to end, then for their last states to be sent, and until the process ends anyway:
a forward pass cannot be interrupted, and platforms kill what goes on after ten."""
REFUSED = "the server is shutting down: try again in a minute"
STOPPED = "Stopped: the server is shutting down."
_MOMENT = 0.1

# A plain value and no threading.Event: a signal's handler interrupts the thread that waits, and to set an event there
# would wait for a lock of that same thread.
_begun = False


def begun() -> bool:
    """Return whether the server is shutting down."""
    return _begun


def begin(*_signal: Any) -> None:
    """Begin to shut down; from now on Ctrl-C ends the process at once. This is a signal's handler."""
    global _begun
    _begun = True
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def refuse() -> None:
    """Raise InfillError if the server is shutting down."""
    if _begun:
        metrics.REFUSALS.labels("shutting down").inc()
        raise InfillError(REFUSED)


def listen() -> None:
    """Let SIGTERM and Ctrl-C begin to shut down; only the main thread may call this, and before the first request."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, begin)


def wait(page: Any, going: Callable[[], int]) -> None:
    """Serve until SIGTERM or Ctrl-C; then end the runs, the streams, the server and, with exit code 0, the process.

    `going` returns how many runs go on. The process ends within ALL seconds, whatever its threads do; this returns only
    if the page was closed by other means.
    """
    while page.is_running and not begun():
        time.sleep(_MOMENT)
    if not page.is_running:
        return
    last_resort = threading.Timer(ALL, os._exit, (0,))
    last_resort.daemon = True
    last_resort.start()
    getLogger(__name__).info("shutting down; runs that go on: %d; Ctrl-C ends them at once", going())
    until = time.monotonic() + RUNS
    while going() and time.monotonic() < until:
        time.sleep(_MOMENT)
    # Uvicorn stops listening and waits for the streams; closing the page first would cut them off.
    page.server.config.timeout_graceful_shutdown = STREAMS
    page.server.close()
    page.close(verbose=False)
    # Python would wait for a model's thread and take everything apart, which took 13 s on a busy machine.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(0)
