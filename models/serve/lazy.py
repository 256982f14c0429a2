"""A denoiser that is loaded when it is first needed, or in the background before that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from models.denoiser import Denoiser


class LazyDenoiser:
    """Loads once, so that a page need not wait for torch; raises what `load` raises, each time it is asked."""

    def __init__(self, load: Callable[[], Denoiser]) -> None:
        self._load = load
        self._lock, self._starting = threading.Lock(), threading.Lock()
        self._denoiser: Denoiser | None = None
        self._thread: threading.Thread | None = None
        self.failure = ""  # what the last try to load it said
        self.downloaded = (0, 0)  # bytes here, and in all; both 0 where nothing is downloaded

    @property
    def ready(self) -> bool:
        return self._denoiser is not None

    @property
    def loading(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Load in the background; what goes wrong becomes the `failure`."""

        def load() -> None:
            with suppress(ValueError):
                self.get()

        with self._starting:
            if not self.loading:
                thread = threading.Thread(target=load, name="load-model", daemon=True)
                thread.start()
                self._thread = thread  # only now can others wait for it

    def wait(self, seconds: float | None = None) -> None:
        """Until what was started ends, well or not, or until the time is over."""
        if self._thread is not None:
            self._thread.join(seconds)

    @property
    def downloading(self) -> bool:
        here, total = self.downloaded
        return 0 < here < total

    def report(self, here: int, total: int) -> None:
        """Take note of how far a download is; passed to `models.load` as `progress`."""
        self.downloaded = (here, total)

    def get(self) -> Denoiser:
        """Wait for it. Raises what `load` raises."""
        with self._lock:
            if self._denoiser is None:
                self.failure = ""
                try:
                    self._denoiser = self._load()
                except ValueError as error:
                    self.failure, self.downloaded = str(error), (0, 0)
                    raise
            return self._denoiser

    def drop(self) -> None:
        """Hold it no longer; whoever asks again waits until it has been loaded again."""
        with self._lock:
            self._denoiser, self.downloaded = None, (0, 0)
