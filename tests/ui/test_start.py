"""The page answers before the model is there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds after which a server that has not answered never will; nothing is measured."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def first_answer(address: str, server: subprocess.Popen[str]) -> str:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            with urlopen(address, timeout=PATIENCE) as answer:
                return answer.read().decode()
        except (URLError, ConnectionError):
            time.sleep(0.2)
    server.kill()
    pytest.fail(f"no answer from app.py:\n{server.communicate()[0]}", pytrace=False)


def test_app_py_serves_the_page_at_the_port_that_was_asked_for_and_fills_a_gap() -> None:
    from gradio_client import Client

    port = free_port()
    command = [sys.executable, "app.py", "--model", "toy", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert "Infilling playground" in first_answer(f"http://127.0.0.1:{port}/", server)
        client = Client(f"http://127.0.0.1:{port}/", verbose=False)
        answer: dict[str, str] = client.predict(prefix="the", length=3, steps=3, api_name="/infill")  # pyright: ignore
        assert answer["ended"] == "complete"
        client.close()
    finally:
        server.terminate()
        output, _ = server.communicate(timeout=PATIENCE)
    assert "Traceback" not in output


def test_torch_is_not_loaded_before_the_first_page_is_out() -> None:
    code = """
import os, sys
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
from urllib.request import urlopen
import models
from app.ui.page import build, launch_options
from app.ui.shelf import Shelf
from models.lazy import LazyDenoiser

loaded = lambda: sorted({"torch", "transformers"} & set(sys.modules))
assert not loaded(), f"importing the page loads {loaded()}"
denoiser = LazyDenoiser(lambda: models.load("toy"))
_, address, _ = build(Shelf(denoiser)).launch(prevent_thread_lock=True, quiet=True, **launch_options())
assert urlopen(address).status == 200
assert not loaded(), f"the first page loads {loaded()}"
denoiser.get()
assert "torch" in loaded(), "nothing in this test would load torch"
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_option_is_told_in_a_line() -> None:
    done = subprocess.run(
        [sys.executable, "app.py", "--modle", "toy"], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert "--modle" in done.stderr


def test_a_model_of_the_environment_that_is_not_there_is_told_in_a_line() -> None:
    environment = {**os.environ, "INFILL_MODEL": "nowhere"}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, text=True, capture_output=True, check=False, env=environment
    )
    assert done.returncode == 2
    assert "INFILL_MODEL: no model 'nowhere'" in done.stderr
