"""A local stand-in for the parts of Hugging Face's HTTP API that deploying uses, through huggingface_hub 2.4."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TOKEN = "hf_the_token_of_the_test"
LARGE = ".safetensors"
"""Files with this suffix are stored as large files."""


@dataclass
class Space:
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"* text\n", "README.md": b"empty\n"})
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    hardware: str = "cpu-basic"
    sleep_time: int | None = None
    visibility: str = "public"
    commits: int = 1

    @property
    def commit(self) -> str:
        return f"{self.commits:040x}"


@dataclass
class FakeHub(ThreadingHTTPServer):
    """The server; `requests` records all requests, `failures` makes some fail: "POST /api/..." -> (status, message)."""

    spaces: dict[str, Space] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, Any]] = field(default_factory=list)
    failures: dict[str, tuple[int, str]] = field(default_factory=dict)
    role: str = "write"

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)

    __hash__ = object.__hash__

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def changes(self) -> list[str]:
        """Requests that change something, in order."""
        reading = ("GET ", "POST /api/validate-yaml", "POST /api/spaces/me/play/preupload")
        return [request for request, _ in self.requests if not request.startswith(reading)]

    def sent(self, request: str) -> Any:
        """Return the body of the only request of this kind."""
        (body,) = [body for made, body in self.requests if made == request]
        return body


class Handler(BaseHTTPRequestHandler):
    """One method per kind of request; each returns (status, JSON to answer)."""

    server: FakeHub  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    routes = (
        ("GET /api/whoami-v2", "whoami"),
        ("POST /api/repos/create", "create"),
        ("POST /api/validate-yaml", "validate"),
        ("(GET|POST|DELETE) /api/spaces/(.+)/(variables|secrets)", "settings"),
        ("GET /api/spaces/(.+)/runtime", "runtime"),
        ("POST /api/spaces/(.+)/hardware", "set_hardware"),
        ("POST /api/spaces/(.+)/sleeptime", "set_sleep_time"),
        ("PUT /api/spaces/(.+)/settings", "set_visibility"),
        ("POST /api/spaces/(.+)/preupload/main", "preupload"),
        ("POST /spaces/(.+).git/info/lfs/objects/batch", "batch"),
        ("PUT /large/(.+)", "put_large"),
        ("POST /api/spaces/(.+)/commit/main", "commit"),
        ("GET /api/spaces/([^/]+/[^/]+)", "info"),
    )

    def handle_any(self) -> None:
        request = f"{self.command} {urlsplit(self.path).path}"
        self.raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        lines = "x-ndjson" in self.headers.get("Content-Type", "")
        self.body: Any = [json.loads(line) for line in self.raw.splitlines()] if lines else self._json()
        self.server.requests.append((request, self.body))
        self.answer(*self.outcome(request))

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

    def _json(self) -> Any:
        return json.loads(self.raw) if self.raw[:1] in (b"{", b"[") else self.raw

    def outcome(self, request: str) -> tuple[int, Any]:
        if request in self.server.failures:
            status, message = self.server.failures[request]
            return status, {"error": message}
        if not request.startswith("PUT /large/") and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid credentials"}
        for pattern, name in self.routes:
            found = re.fullmatch(pattern, request)
            if found:
                return getattr(self, name)(*found.groups())
        return 500, {"error": f"the fake hub does not know {request}"}

    def answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        if status == 404:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: Any) -> None:
        pass

    def whoami(self) -> tuple[int, Any]:
        return 200, {"name": "me", "type": "user", "auth": {"accessToken": {"role": self.server.role}}}

    def create(self) -> tuple[int, Any]:
        name = f"{self.body['organization']}/{self.body['name']}"
        if name in self.server.spaces:
            return 409, {"error": "You already created this space repo"}
        self.server.spaces[name] = Space(
            variables={each["key"]: each["value"] for each in self.body.get("variables", [])},
            secrets={each["key"]: each["value"] for each in self.body.get("secrets", [])},
            hardware=self.body.get("hardware", "cpu-basic"),
            sleep_time=self.body.get("sleepTimeSeconds"),
            visibility=self.body["visibility"],
        )
        return 200, {"url": f"{self.server.address}/spaces/{name}", "name": name}

    def validate(self) -> tuple[int, Any]:
        return 200, {"errors": [], "warnings": []}

    def settings(self, method: str, name: str, kind: str) -> tuple[int, Any]:
        values: dict[str, str] = getattr(self.server.spaces[name], kind)
        if method == "POST":
            values[self.body["key"]] = self.body["value"]
        if method == "DELETE":
            del values[self.body["key"]]
        shown = values if kind == "variables" else dict.fromkeys(values)
        return 200, {key: {"key": key, **({"value": value} if value else {})} for key, value in shown.items()}

    def runtime(self, name: str) -> tuple[int, Any]:
        space = self.server.spaces[name]
        hardware = {"current": None, "requested": space.hardware}
        return 200, {"stage": "BUILDING", "hardware": hardware, "gcTimeout": space.sleep_time}

    def set_hardware(self, name: str) -> tuple[int, Any]:
        space = self.server.spaces[name]
        space.hardware, space.sleep_time = self.body["flavor"], self.body.get("sleepTimeSeconds", space.sleep_time)
        return self.runtime(name)

    def set_sleep_time(self, name: str) -> tuple[int, Any]:
        self.server.spaces[name].sleep_time = self.body["seconds"]
        return self.runtime(name)

    def set_visibility(self, name: str) -> tuple[int, Any]:
        self.server.spaces[name].visibility = self.body["visibility"]
        return 200, {}

    def preupload(self, name: str) -> tuple[int, Any]:
        modes = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
            }
            for file in self.body["files"]
        ]
        return 200, {"files": modes}

    def batch(self, name: str) -> tuple[int, Any]:
        objects = [
            {**each, "actions": {"upload": {"href": f"{self.server.address}/large/{each['oid']}"}}}
            for each in self.body["objects"]
        ]
        return 200, {"transfer": "basic", "objects": objects}

    def put_large(self, digest: str) -> tuple[int, Any]:
        self.server.large[digest] = self.raw
        return (200, {}) if hashlib.sha256(self.raw).hexdigest() == digest else (400, {"error": "damaged"})

    def commit(self, name: str) -> tuple[int, Any]:
        space = self.server.spaces[name]
        head, *operations = self.body
        if head["value"].get("parentCommit", space.commit) != space.commit:
            return 412, {"error": "A commit has happened since"}
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "file":
                space.files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                space.files[value["path"]] = self.server.large[value["oid"]]
            else:
                assert operation["key"] == "deletedFile", operation
                del space.files[value["path"]]
        space.commits += 1
        return 200, {
            "commitUrl": f"{self.server.address}/spaces/{name}/commit/{space.commit}",
            "commitOid": space.commit,
        }

    def info(self, name: str) -> tuple[int, Any]:
        space = self.server.spaces.get(name)
        if space is None:
            return 404, {"error": "Repository not found"}
        siblings = []
        for path, content in space.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            siblings.append({"rfilename": path, "size": len(content), "blobId": blob})
            if path.endswith(LARGE):
                digest = hashlib.sha256(content).hexdigest()
                siblings[-1] |= {
                    "blobId": "of the pointer",
                    "lfs": {"sha256": digest, "size": len(content), "pointerSize": 130},
                }
        private = space.visibility == "private"
        return 200, {"id": name, "sha": space.commit, "private": private, "siblings": siblings}
