"""A visitor without a browser: sends the events of the page's component and calls its server functions."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx


class Visitor:
    """One open tab. Events and server functions are called as Gradio's own script does."""

    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=f"{address.rstrip('/')}/gradio_api", timeout=60)
        self._session = secrets.token_hex(6)
        self._config = httpx.get(f"{address.rstrip('/')}/config", timeout=60).json()
        self.page = next(c for c in self._config["components"] if c["props"].get("elem_id") == "page")

    @property
    def setup(self) -> dict[str, Any]:
        script = self.page["props"]["js_on_load"]
        return json.JSONDecoder().raw_decode(script, script.index("setup: {") + len("setup: "))[0]

    def close(self) -> None:
        self._http.close()

    def ask(self, function: str, asked: Any) -> Any:
        """Call a server function."""
        data = {"data": asked, "component_id": self.page["id"], "fn_name": function, "session_hash": self._session}
        return self._http.post("/component_server", json=data).raise_for_status().json()

    def events(self, event: str, data: Any, inputs: tuple[Any, ...] = ()) -> Iterator[list[Any]]:
        """Send an event of the component and yield its outputs, as they arrive. Raises RuntimeError if it fails."""
        target = [self.page["id"], event]
        (function,) = [f["id"] for f in self._config["dependencies"] if target in [[*t] for t in f["targets"]]]
        asked = {"data": [*inputs], "event_data": data, "fn_index": function, "session_hash": self._session}
        joined = self._http.post("/queue/join", json=asked | {"trigger_id": self.page["id"]}).raise_for_status().json()
        output: list[Any] = []
        with self._http.stream("GET", "/queue/data", params={"session_hash": self._session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("event_id") != joined["event_id"]:
                    continue
                if message["msg"] in ("process_generating", "process_completed"):
                    if not message["success"]:
                        raise RuntimeError(message["output"]["error"])
                    output = patched(output, message["output"]["data"], message["msg"])
                    yield output
                if message["msg"] == "process_completed":
                    return

    def fill(self, *runs: dict[str, Any]) -> list[list[dict[str, Any]]]:
        """Ask for runs, and return the messages of each update."""
        return [output[0]["messages"] for output in self.events("run", {"runs": [*runs]}) if output]


def patched(before: list[Any], sent: list[Any], kind: str) -> list[Any]:
    """The value after an update; while a generator goes on, Gradio sends changes."""
    if kind == "process_completed" or not before:
        return sent
    after = []
    for old, changes in zip(before, sent, strict=True):
        value = json.loads(json.dumps(old))
        for action, path, new in changes:
            value = changed(value, action, path, new)
        after.append(value)
    return after


def changed(value: Any, action: str, path: list[Any], new: Any) -> Any:
    if not path:
        return value + new if action == "append" else new
    *way, last = path
    inner = value
    for name in way:
        inner = inner[name]
    if action == "replace":
        inner[last] = new
    elif action == "append":
        inner[last] += new
    elif action == "add":
        inner.insert(last, new) if isinstance(inner, list) else inner.__setitem__(last, new)
    else:
        del inner[last]
    return value


def run(key: str = "a", *, text: str = "Once [[4]] the end.", by: str = "diffusion", **fields: Any) -> dict[str, Any]:
    """What the browser asks for."""
    request = {"text": text, "steps": 16, "start": None} | {
        n: v for n, v in fields.items() if n not in ("model", "branch")
    }
    return {"key": key, "request": request, "model": fields.get("model", ""), "by": by, "branch": fields.get("branch")}
