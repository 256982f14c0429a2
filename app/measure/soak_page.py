"""A page in a process of its own, to be measured by `soak`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from app.errors import InfillError

START = 300.0
"""Seconds that the page may take to start and to load its model."""
IDLE = 3.0
"""Seconds for the server to end what visitors have left, before its memory is read."""


@contextmanager
def a_page(model: str) -> Iterator[tuple[str, psutil.Process, Path]]:
    """Serve a page in a process of its own; give its address, its process and its folder of temporary files.

    Raises InfillError if it does not start.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        environment = os.environ | {"GRADIO_TEMP_DIR": folder, "TMPDIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        command = [sys.executable, "-m", "app", "page", "--model", model, "--port", str(port)]
        log = Path(folder).with_suffix(".log")
        with log.open("wb") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
            try:
                address = f"http://127.0.0.1:{port}"
                _wait(address, process, log)
                yield address, psutil.Process(process.pid), Path(folder)
            finally:
                process.terminate()
                process.wait(20)
        log.unlink()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{address}/config", timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise InfillError(f"the page did not start: {log.read_text(errors='replace').strip()[-500:]}")


def component(address: str) -> int:
    """Return the number of the page's component, which calls of its server functions name."""
    components = httpx.get(f"{address.rstrip('/')}/config", timeout=60).json()["components"]
    return next(each["id"] for each in components if each["props"].get("elem_id") == "page")


def rest(server: psutil.Process) -> float:
    """Wait until the server has ended what visitors have left, and return its resident memory in megabytes."""
    time.sleep(IDLE)
    return server.memory_info().rss / 1e6
