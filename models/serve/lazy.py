"""A denoiser that is loaded on first use, or in the background before that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from models.denoiser import Denoiser


class LazyDenoiser:
    """Loads a denoiser once, on first use; a failed load is tried again on the next use."""

    def __init__(self, load: Callable[[], Denoiser]) -> None:
        self._load = load
        self._lock, self._starting = threading.Lock(), threading.Lock()
        self._denoiser: Denoiser | None = None
        self._thread: threading.Thread | None = None
        self.failure = ""  # message of the last failed load
        self.downloaded = (0, 0)  # bytes so far and in total; both 0 if nothing is downloaded

    @property
    def ready(self) -> bool:
        return self._denoiser is not None

    @property
    def loading(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start loading in the background; an error's message becomes the `failure`."""

        def load() -> None:
            with suppress(ValueError):
                self.get()

        with self._starting:
            if not self.loading:
                thread = threading.Thread(target=load, name="load-model", daemon=True)
                thread.start()
                self._thread = thread  # only now can `wait` join it

    def wait(self, seconds: float | None = None) -> None:
        """Wait until a load in the background ends, successfully or not, but at most `seconds`."""
        if self._thread is not None:
            self._thread.join(seconds)

    @property
    def downloading(self) -> bool:
        here, total = self.downloaded
        return 0 < here < total

    def report(self, here: int, total: int) -> None:
        """Record the progress of a download; pass this method to `models.load` as `progress`."""
        self.downloaded = (here, total)

    def get(self) -> Denoiser:
        """Return the denoiser, loaded now if necessary. Raises what `load` raises."""
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
        """Release the denoiser; the next use loads it again."""
        with self._lock:
            self._denoiser, self.downloaded = None, (0, 0)
