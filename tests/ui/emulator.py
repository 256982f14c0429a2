"""ZeroGPU where there is none: the `spaces` package's own emulation of CUDA, and a device API that lends anything.

For programs of their own, since `start` changes torch for good. Where torch was built without CUDA, it is given what
`spaces` looks for in it; workers stay on the CPU.
"""

from __future__ import annotations

import os
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.space import spacefile

asked: list[dict[str, str]] = []
"""Every request to the device API: what for, and with which parameters."""


class DeviceApi(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        url = urlsplit(self.path)
        asked.append({"for": url.path, **{name: values[0] for name, values in parse_qs(url.query).items()}})
        body = b'{"idle": false, "nvidiaIndex": 0, "nvidiaUUID": "none", "allowToken": "token"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: Any) -> None:
        pass


def start() -> None:
    """Make this process one on ZeroGPU, with the variables that the Spacefile sets there."""
    api = ThreadingHTTPServer(("127.0.0.1", 0), DeviceApi)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    os.environ |= spacefile.read().deployment("zero").variables
    os.environ |= {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{api.server_port}",
        "ZEROGPU_OFFLOAD_DIR": tempfile.mkdtemp(),
    }
    import torch

    if torch.version.cuda is None:
        torch.version.cuda = "13.0"
        torch._C._cuda_init = lambda: None  # pyright: ignore[reportAttributeAccessIssue]
        torch.cuda._is_in_bad_fork = bool  # answers False, and can be pickled
        import bitsandbytes  # noqa: F401  # now, while there is no CUDA whose libraries it would look for
    from spaces.zero import torch as worker

    worker.init, worker.move = lambda uuid: None, lambda callback: None
    assert torch.cuda.is_available(), "the emulation is not on"
