"""Run what has an event loop of its own in a process in which the browser's loop may be running."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def beside(run: Callable[[], Any]) -> Any:
    """Run in a thread of its own: in the tests' own one the browser's loop may be running."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(run).result()
