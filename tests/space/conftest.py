"""Fixtures: a small folder to deploy, and a fake hub on this machine."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.__main__ import main
from tests.space.fake_hub import TOKEN, FakeHub

ROOT = Path(__file__).parents[2]
WEIGHTS = bytes(range(256)) * 40


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder with the real Spacefile, README and requirements, and a few small files."""
    folder = tmp_path / "project"
    (folder / "app" / "__pycache__").mkdir(parents=True)
    for name in ("Spacefile", "README.md", "requirements.txt", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "docs").mkdir()
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "LOG.md", "docs/one.md"):
        (folder / name).write_text("text\n")
    (folder / "app.py").write_text("print('page')\n")
    (folder / "app" / "one.py").write_text("one = 1\n")
    (folder / "app" / ".hidden").write_text("not this\n")
    (folder / "app" / "__pycache__" / "one.pyc").write_bytes(b"not this")
    (folder / "models").mkdir()
    (folder / "models" / "weights.safetensors").write_bytes(WEIGHTS)
    (folder / "assets").mkdir()
    (folder / "assets" / "page.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "one.ipynb").write_text("{}\n")
    (folder / "notes.txt").write_text("not this\n")
    return folder


@pytest.fixture
def edit(folder) -> Callable[..., None]:
    """Return a function that edits the Spacefile: `edit("deploy.profile", "zero")`; None deletes the key."""

    def change(place: str, value: Any) -> None:
        data = yaml.safe_load((folder / "Spacefile").read_text(encoding="utf-8"))
        *path, last = place.split(".")
        block = data
        for name in path:
            block = block.setdefault(name, {})
        block[last] = value
        if value is None:
            del block[last]
        (folder / "Spacefile").write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")

    return change


@pytest.fixture
def space(folder, capsys) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs an action: `space("check")` returns exit code, standard output and standard error."""

    def run(action: str, *more: str) -> tuple[int, str, str]:
        code = main(["space", action, "--folder", str(folder), *more])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def hub(monkeypatch) -> Iterator[FakeHub]:
    """Yield a hub that accepts the token in HF_TOKEN and has no Space."""
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # otherwise large files go through another library
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("SPACE_REPO", "me/play")
    fake = FakeHub()
    monkeypatch.setenv("HF_ENDPOINT", fake.address)
    thread = threading.Thread(target=fake.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield fake
    fake.shutdown()
    fake.server_close()
    thread.join()
