"""Downloads from a local hub: requests, results, and errors."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from huggingface_hub import close_session, constants, hf_api
from huggingface_hub.errors import HTTPError, NotASafetensorsRepoError  # pyright: ignore[reportPrivateImportUsage]

import models
from models.catalogue import BUNDLED, Source
from tests.full_disk import no_file_beyond

REPO = "somebody/small"
ROOT = Path(__file__).parents[3]


class Hub(ThreadingHTTPServer):
    """The part of Hugging Face's HTTP API that reads models; `cut` is where a download of weights breaks off."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.cut, self.ranges, self.sizes = files, 0, [], True
        self.asked: list[str] = []

    @property
    def commit(self) -> str:
        return oid(repr([self.server_port, sorted(self.files)]).encode())


class Handler(BaseHTTPRequestHandler):
    server: Hub  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.server.asked.append(path)
        if path.startswith(f"/api/models/{REPO}/tree/"):
            listed = [{"type": "file", "path": n, "size": len(c), "oid": oid(c)} for n, c in self.server.files.items()]
            self._send(json.dumps(listed).encode())
        elif path.startswith(f"/api/models/{REPO}"):
            facts = {
                "id": REPO,
                "sha": self.server.commit,
                "siblings": [self._sibling(name) for name in self.server.files],
            }
            self._send(json.dumps(facts).encode())
        elif path.startswith(f"/{REPO}/resolve/") and path.split("/", 5)[5] in self.server.files:
            self._file(path.split("/", 5)[5])
        else:
            missing = "EntryNotFound" if path.startswith(f"/{REPO}/") else "RepoNotFound"
            self._send(b"{}", status=404, headers={"X-Error-Code": missing})

    def _sibling(self, name: str) -> dict[str, Any]:
        """Return what the hub says of a file; its size only if it is asked for."""
        content = self.server.files[name]
        sizes = {"size": len(content), "blobId": oid(content)} if "blobs=" in self.path and self.server.sizes else {}
        return {"rfilename": name, **sizes}

    def _file(self, name: str) -> None:
        content = self.server.files[name]
        headers = {"ETag": f'"{oid(content)}"', "X-Repo-Commit": self.server.commit, "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range")
        if asked and self.command == "GET":
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, stop = int(first), int(last) + 1 if last else len(content)
            self.server.ranges.append((name, start))
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
            self._send(content[start:stop], status=206, headers=headers)
        else:
            self._send(content, headers=headers, cut=self.server.cut if name.endswith(".safetensors") else 0)

    def _send(self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None, cut: int = 0) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:cut] if cut else body)
        if cut:
            self.close_connection = True


def oid(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub({path.name: path.read_bytes() for path in BUNDLED.iterdir() if path.is_file()})
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


RESOLVE = "/{repo_id}/resolve/{revision}/{filename}"
LOAD = f"import models; print(models.load('{REPO}').name)"


@pytest.fixture
def load(monkeypatch) -> Iterator[Callable[..., Any]]:
    """Return `load(home, address)`, which returns facts of the loaded model and the last progress, or the error.

    The hub's library reads its environment once, into constants. They are set here: a process for each load would
    import torch and transformers each time.
    """
    for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
        monkeypatch.delenv(proxy.lower(), raising=False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 2)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    close_session()  # it knows of the proxies

    def loaded(home: Path, address: str) -> Any:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(hf_api.api, "endpoint", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        )
        told: list[tuple[int, int]] = []
        try:
            denoiser = models.load(REPO, progress=lambda done, of: told.append((done, of)))
        except ValueError as error:
            return str(error)
        return denoiser.name, denoiser.tokenizer.mask_id, told[-1] if told else None

    yield loaded
    close_session()


def address(hub: Hub) -> str:
    return f"http://127.0.0.1:{hub.server_port}"


def test_a_hub_name_is_downloaded_once_with_its_progress_and_then_needs_no_network(hub, load, tmp_path):
    name, mask, progress = load(tmp_path, address(hub))
    assert (name, mask) == (REPO, 1)
    assert progress[0] == progress[1] > 30_000_000
    assert load(tmp_path, "http://127.0.0.1:9")[0] == REPO
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": address(hub)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert done.stdout.strip() == REPO, done.stderr


def test_memory_is_checked_also_where_the_hub_cannot_be_asked(hub, load, tmp_path, monkeypatch):
    from models.checkpoints import placement

    load(tmp_path, address(hub))
    monkeypatch.setattr(placement, "free_memory", lambda _: 1_000_000)
    for place in (address(hub), "http://127.0.0.1:9"):
        assert load(tmp_path, place).startswith(f"'{REPO}' needs about 0.1 GB in float32, and cpu has 0.0 GB free")


def test_what_was_measured_of_a_model_is_found_where_it_was_downloaded(hub, load, tmp_path):
    load(tmp_path / "empty", "http://127.0.0.1:9")
    assert models.folder_of(REPO) is None
    load(tmp_path, address(hub))
    folder = models.folder_of(REPO)
    assert folder is not None
    assert (folder / "calibration.json").read_bytes() == (BUNDLED / "calibration.json").read_bytes()


def test_pickles_and_code_are_neither_downloaded_nor_read(hub, load, tmp_path):
    hub.files |= {"pytorch_model.bin": b"x" * 100, "modeling.py": b"raise SystemExit"}
    assert load(tmp_path, address(hub))[0] == REPO
    assert [path for path in tmp_path.rglob("*") if path.name == "model.safetensors"]
    assert not [path for path in tmp_path.rglob("*") if path.name in ("pytorch_model.bin", "modeling.py")]
    del hub.files["model.safetensors"]
    said = load(tmp_path / "other", address(hub))
    assert said.startswith(f"{REPO} on the hub has only pickled weights (pytorch_model.bin)")


def test_a_network_that_fails_while_pickles_are_looked_for_is_no_crash(monkeypatch):
    from models.checkpoints import hub as real

    def fail(*args: object) -> None:
        raise HTTPError("the connection broke")

    def refuse(repo: str) -> None:
        raise NotASafetensorsRepoError("no safetensors")

    monkeypatch.setattr(real, "get_safetensors_metadata", refuse)
    monkeypatch.setattr(real.HfApi, "list_repo_files", fail)
    with pytest.raises(ValueError, match="has no weights; a checkpoint in safetensors is needed"):
        real.remote_weights(REPO)


def test_without_a_network_and_with_a_wrong_name_it_says_what_to_do(hub, load, tmp_path):
    said = load(tmp_path, "http://127.0.0.1:9")
    assert said.startswith(f"{REPO} cannot be downloaded (")
    assert f"or run `hf download {REPO}` elsewhere and give the folder as --model" in said
    with pytest.raises(ValueError, match=r"give the folder as --model and --mask-token-id 811$"):
        models.fetch(models.CATALOGUE["diffullama"])
    hub.files.clear()
    assert "has no weights" in load(tmp_path, address(hub))


def test_an_interrupted_download_goes_on_where_it_stopped(hub, load, tmp_path):
    hub.cut = 20_000_000
    assert load(tmp_path, address(hub))[0] == REPO
    (resumed,) = [start for name, start in hub.ranges if name == "model.safetensors" and start > 1_000_000]
    assert 10_000_000 < resumed <= 20_000_000


def disk_with(free: float, monkeypatch) -> None:
    """Give the disk so many free bytes."""
    from models.checkpoints import hub

    monkeypatch.setattr(hub.shutil, "disk_usage", lambda place: SimpleNamespace(free=free))


def test_a_download_that_the_disk_cannot_hold_is_refused_before_it_begins(hub, load, tmp_path, monkeypatch):
    disk_with(0.21e9, monkeypatch)
    hub.files["weights.bin"] = bytes(90_000_000)  # which is not downloaded
    whole = sum(len(content) for name, content in hub.files.items() if not name.endswith((".bin", ".md", ".tsv")))
    assert load(tmp_path, address(hub)) == (
        f"{REPO} is a download of {whole / 1e9:.1f} GB, and the disk with the cache of Hugging Face has 0.2 GB free: "
        "make room there, or set HF_HOME to a folder on another disk"
    )
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_disk_that_fills_during_a_download_is_named_and_the_next_attempt_succeeds(hub, load, tmp_path):
    with no_file_beyond(5_000_000):
        said = load(tmp_path, address(hub))
    assert said == (
        f"{REPO} cannot be downloaded ([Errno 27] File too large): make room there, or set HF_HOME to a folder on "
        "another disk, then try again"
    )
    assert load(tmp_path, address(hub))[0] == REPO


def test_only_what_is_missing_must_fit_on_the_disk(hub, load, tmp_path, monkeypatch):
    assert load(tmp_path, address(hub))[0] == REPO
    (tokenizer,) = tmp_path.rglob("tokenizer.json")
    tokenizer.resolve().unlink()
    disk_with(0.21e9, monkeypatch)  # too little for the whole, see above
    assert load(tmp_path, address(hub))[0] == REPO
    disk_with(0, monkeypatch)
    assert load(tmp_path, address(hub))[0] == REPO, "nothing is missing"


def test_if_the_hub_states_no_sizes_the_declared_size_must_fit(hub, load, tmp_path, monkeypatch):
    hub.sizes = False
    disk_with(10e9, monkeypatch)
    monkeypatch.setitem(models.CATALOGUE, REPO, Source(name=REPO, repo=REPO, parameters=6_738_000_000))
    assert load(tmp_path, address(hub)).startswith(f"{REPO} is a download of 13.5 GB, and the disk")


def test_without_room_for_a_newer_version_the_one_that_is_here_is_used(hub, load, tmp_path, monkeypatch):
    assert load(tmp_path, address(hub))[0] == REPO
    hub.files["README.txt"] = b"x" * 1000
    disk_with(0, monkeypatch)
    assert load(tmp_path, address(hub))[0] == REPO


def test_without_leave_to_download_the_hub_is_not_asked(hub, load, tmp_path, monkeypatch):
    load(tmp_path / "empty", "http://127.0.0.1:9")  # nothing is there
    assert not models.is_here(REPO)
    with pytest.raises(ValueError, match=f"the files of {REPO} are not on this machine any more"):
        models.load(REPO, download=False)
    load(tmp_path, address(hub))
    assert models.is_here(REPO)
    hub.asked.clear()
    assert models.load(REPO, download=False).name == REPO
    assert not hub.asked
