"""A denoiser that is loaded when it is first needed, or in the background before that."""

from __future__ import annotations

import threading
from collections.abc import Callable

from models.denoiser import Denoiser


class LazyDenoiser:
    """Loads once, so that a page need not wait for torch; raises what `load` raises, each time it is asked."""

    def __init__(self, load: Callable[[], Denoiser]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._denoiser: Denoiser | None = None

    def start(self) -> None:
        """Load in the background."""
        threading.Thread(target=self.get, name="load-model", daemon=True).start()

    def get(self) -> Denoiser:
        with self._lock:
            if self._denoiser is None:
                self._denoiser = self._load()
            return self._denoiser
