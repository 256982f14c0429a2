"""Starting the page: it answers before its model is loaded, and mistakes are reported in one line."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

import models
from app.errors import InfillError
from app.space import spacefile
from app.ui import launch
from app.ui.pool import ModelPool
from models.catalogue import BUNDLED
from tests.models.checkpoints.test_hub import REPO, Handler, Hub

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


@pytest.mark.parametrize("port", ["taken", "99999"])
def test_a_port_that_cannot_be_used_is_reported_in_one_line(port) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1]) if port == "taken" else port
        command = [sys.executable, "app.py", "--model", "toy", "--port", port]
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, timeout=PATIENCE)
    assert done.returncode == 2
    assert (
        f"error: port {port} is in use or not between 1 and 65535; choose another with --port"
        in done.stderr.splitlines()[-1]
    )
    assert "Traceback" not in done.stderr


def test_an_address_of_another_machine_is_refused_before_anything_is_served(capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["app.py", "--model", "toy", "--host", "192.0.2.1"])  # for documentation only
    assert launch.main() == 2
    assert "'192.0.2.1' is not an address of this machine; try --host 0.0.0.0" in capsys.readouterr().err


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


class Slow(Handler):
    """Stops in the middle of the weights until it is told to go on."""

    go_on = threading.Event()

    def _send(self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None, cut: int = 0) -> None:
        if self.command == "GET" and len(body) > 20_000_000:
            out, halting = self.wfile, _Halting(self.wfile, self.go_on)
            self.wfile = halting  # pyright: ignore[reportAttributeAccessIssue]
            super()._send(body, status=status, headers=headers, cut=cut)
            self.wfile = out
        else:
            super()._send(body, status=status, headers=headers, cut=cut)


class _Halting:
    def __init__(self, out: Any, go_on: threading.Event) -> None:
        self.out, self.go_on = out, go_on

    def write(self, body: bytes) -> None:
        self.out.write(body[:20_000_000])
        if len(body) > 20_000_000:
            self.go_on.wait(PATIENCE)
            self.out.write(body[20_000_000:])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.out, name)


def test_while_the_model_is_downloaded_fill_reports_the_progress(tmp_path) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    hub = Hub({path.name: path.read_bytes() for path in BUNDLED.iterdir() if path.is_file()})
    hub.RequestHandlerClass = Slow
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    port = free_port()
    own = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "app.py", "--model", REPO, "--port", str(port)]
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "NO_PROXY": "127.0.0.1", **own},
    )
    try:
        first_answer(f"http://127.0.0.1:{port}/", server)
        client = Client(f"http://127.0.0.1:{port}/", verbose=False)
        with pytest.raises(AppError, match=f"{REPO} is being downloaded: .* MB. Fill again when it is ready"):
            client.predict(prefix="the", length=3, steps=3, api_name="/infill")
        Slow.go_on.set()
        until, answer = time.monotonic() + PATIENCE, None
        while answer is None and time.monotonic() < until:
            try:
                answer = client.predict(prefix="the", length=3, steps=3, api_name="/infill")
            except AppError:
                time.sleep(0.2)
        assert answer
        assert answer["ended"] == "complete"  # pyright: ignore
        client.close()
    finally:
        Slow.go_on.set()
        server.terminate()
        output, _ = server.communicate(timeout=PATIENCE)
        hub.shutdown()
        hub.server_close()
    assert "Traceback" not in output


def test_torch_is_not_loaded_before_the_first_page_is_out() -> None:
    code = """
import os, sys
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
from urllib.request import urlopen
import models
from app.ui.page import build, launch_options
from app.ui.pool import ModelPool
from models.serve.lazy import LazyDenoiser

loaded = lambda: sorted({"torch", "transformers"} & set(sys.modules))
assert not loaded(), f"importing the page loads {loaded()}"
denoiser = LazyDenoiser(lambda: models.load("bundled"))
_, address, _ = build(ModelPool(denoiser)).launch(prevent_thread_lock=True, quiet=True, **launch_options())
assert urlopen(address).status == 200
assert not loaded(), f"the first page loads {loaded()}"
denoiser.get()
assert "torch" in loaded(), "nothing in this test would load torch"
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_option_is_reported_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "app.py", "--modle", "toy"], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert "--modle" in done.stderr


def test_an_unknown_model_in_the_environment_is_reported_in_one_line() -> None:
    environment = {**os.environ, "INFILL_MODEL": "nowhere"}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, text=True, capture_output=True, check=False, env=environment
    )
    assert done.returncode == 2
    assert "INFILL_MODEL: no model 'nowhere'" in done.stderr


def test_without_a_spacefile_the_environment_still_chooses_the_model(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(spacefile, "ROOT", tmp_path)
    monkeypatch.setenv("INFILL_MODEL", "nowhere")
    parser = argparse.ArgumentParser()
    launch.add_flags(parser)
    with pytest.raises(InfillError, match="INFILL_MODEL: no model 'nowhere'"):
        launch.serve(parser.parse_args([]))


def options(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    launch.add_flags(parser)
    return parser.parse_args(flags)


@pytest.mark.parametrize(
    ("space", "flags", "offered"),
    [
        ("", (), ("here",)),
        ("", ("--offer", "all"), ("all",)),
        ("", ("--offer", "diffugpt-s, somebody/small,here,"), ("diffugpt-s", "somebody/small", "here")),
        ("", ("--offer", ""), ()),
        ("me/play", (), ("diffugpt-m", "here")),
        ("me/play", ("--offer", "bundled"), ("bundled",)),
    ],
)
def test_the_operator_or_the_spacefile_of_a_space_says_what_is_offered(monkeypatch, tmp_path, space, flags, offered):
    text = (ROOT / "Spacefile").read_text(encoding="utf-8")
    (tmp_path / "Spacefile").write_text(text.replace("offer: [here]", "offer: [diffugpt-m, here]"), encoding="utf-8")
    monkeypatch.setattr(spacefile, "ROOT", tmp_path)
    monkeypatch.setenv("SPACE_ID", space)
    asked: list[Any] = []
    pools: list[ModelPool] = []
    monkeypatch.setattr(models, "offers", lambda names: asked.append(names) or [])
    monkeypatch.setattr(launch, "_launch", lambda name, denoiser, pool, *_, **__: pools.append(pool))
    launch.serve(options("--model", "toy", *flags))
    assert pools[0].choices() == [("toy", "")]
    assert asked == [offered]


def test_a_model_that_cannot_be_offered_is_reported_in_one_line(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(launch, "_launch", lambda *_, **__: pytest.fail("the page was started"))
    with pytest.raises(InfillError, match=r"^--offer: no model 'diffugpt' \(did you mean diffugpt-"):
        launch.serve(options("--model", "toy", "--offer", "here,diffugpt"))
    text = (ROOT / "Spacefile").read_text(encoding="utf-8")
    (tmp_path / "Spacefile").write_text(text.replace("offer: [here]", "offer: [nowhere]"), encoding="utf-8")
    monkeypatch.setattr(spacefile, "ROOT", tmp_path)
    monkeypatch.setenv("SPACE_ID", "me/play")
    with pytest.raises(InfillError, match=r"^deploy.offer in the Spacefile: no model 'nowhere'"):
        launch.serve(options("--model", "toy"))
