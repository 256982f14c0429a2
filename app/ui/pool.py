"""The models of a page: the first one, and others that this machine can run, each loaded when it is chosen."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import models
from app.errors import InfillError, unknown
from app.ui import metrics
from models.catalogue import is_public_name
from models.denoiser import Denoiser
from models.serve.batching import BatchingDenoiser
from models.serve.lazy import LazyDenoiser

if TYPE_CHECKING:  # it imports torch
    from models.checkpoints.placement import Offer

FIRST = ""
"""The name by which a request asks for the page's first model."""
_POLL = 0.3  # seconds


class ModelPool:
    """Models that all visitors share; loading one does not delay runs with another.

    A model stays loaded until its memory is needed for another one. Then the model that has been idle longest is
    unloaded, but never one that a run is using, and never the first.
    """

    def __init__(
        self,
        first: LazyDenoiser,
        *,
        name: str = "the page's model",
        offers: Callable[[], Sequence[Offer]] | None = None,
        named: Sequence[str] = (models.ALL,),
        load: Callable[..., Denoiser] = models.load,
        merge: bool = True,
    ) -> None:
        """`name` is that of the first model until it is loaded; `merge` lets runs share its forward passes.

        `offers`, which may take a moment, lists the other models that fit. It is called once, when only the first model
        is loaded. `named` are the models that the operator chose to offer, as for `models.offers`.
        """
        self._load, self._offers, self._named = load, offers, named
        self.name, self._given = name, first  # `first` knows the progress of its download

        def load_first() -> Denoiser:
            with self._alone(FIRST):
                return BatchingDenoiser(first.get(), seen=metrics.PASS_ROWS.observe)

        self._first = LazyDenoiser(load_first) if merge else first
        self._others: dict[str, LazyDenoiser] = {}
        self._loading = threading.Lock()  # one after the other, because each needs to know the free memory
        self._loads: str | None = None  # the model that is being downloaded or loaded
        self._leasing = threading.Lock()  # guards the next two, and unloading
        self._runs: Counter[str] = Counter()  # number of running runs by model
        self._wanted: dict[str, float] = {}  # time at which a model was last asked for

    @property
    def has_others(self) -> bool:
        """Whether there may be more than one model."""
        return self._offers is not None

    @property
    def ready(self) -> bool:
        """Whether the page's first model is loaded."""
        return self._first.ready

    @property
    def state(self) -> Literal["ready", "loading", "failed"]:
        """How far the page's first model is; after a failure the next run tries again."""
        if self._given.ready:
            return "ready"
        return "failed" if self._given.failure and not self._given.loading else "loading"

    def count_loaded(self) -> int:
        """Return how many models are in memory."""
        return self._given.ready + sum(lazy.ready for lazy in list(self._others.values()))

    def choices(self) -> list[tuple[str, str]]:
        """Return (label, name) of all models, with what they are and need. Waits for the first one."""
        if not self.ready:
            self._first.start()
            self._first.wait()
        first = self._first.get().name if self.ready else self.name  # a run with it reports why not
        found = [(first, FIRST)]
        for offer in self._offered:
            if offer.name == first:
                found[0] = (f"{offer.name}: {offer.about}", FIRST)
                continue
            self._others.setdefault(offer.name, self._lazy(offer))
            size = f"{offer.gigabytes:.1f} GB" if offer.gigabytes else ""
            needs = ", ".join(filter(None, [size, offer.settings.get("quantize")]))
            about = f": {offer.about}" if offer.about else ""
            found.append((f"{offer.name}{about}{f' ({needs})' if needs else ''}", offer.name))
        return found

    @cached_property
    def _offered(self) -> Sequence[Offer]:
        return self._offers() if self._offers else ()

    def _lazy(self, offer: Offer) -> LazyDenoiser:
        def load() -> Denoiser:
            from models.checkpoints.placement import TooLargeError

            while True:
                try:
                    with self._alone(offer.name):
                        loaded = self._load(offer.name, progress=lazy.report, **offer.settings)
                        return BatchingDenoiser(loaded, seen=metrics.PASS_ROWS.observe)
                except TooLargeError as error:
                    failure = str(error)
                # Outside the except clause, because the error holds what was loaded before it failed.
                if not self._unload_idle():
                    raise ValueError(failure)

        lazy = LazyDenoiser(load)
        return lazy

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Wait until no other model is being downloaded or loaded, and let none begin before the context ends."""
        with self._loading:
            self._loads = name
            try:
                yield
            finally:
                self._loads = None

    def _unload_idle(self) -> bool:
        """Unload the model that has been idle longest; return False if there is none."""
        from models.checkpoints.placement import reclaim

        with self._leasing:
            idle = [name for name, lazy in self._others.items() if lazy.ready and not self._runs[name]]
            if idle:
                self._others[min(idle, key=self._wanted.__getitem__)].drop()
        reclaim()
        return bool(idle)

    def first(self) -> Denoiser:
        """Return the page's first model; wait while it is read from the disk, but not for a download.

        Raises InfillError while it is being downloaded, and if it cannot be loaded.
        """
        self._wait_for_first()
        if not self.ready and self._first.failure:
            failure, self._first.failure = self._first.failure, ""
            raise InfillError(failure)
        try:
            return self._first.get()
        except ValueError as error:
            raise InfillError(str(error)) from error

    def _wait_for_first(self) -> None:
        """Wait until the first model is loaded or has failed; raise InfillError during any download."""
        if not self.ready:
            self._first.start()
        while not self.ready and self._first.loading:
            if any(lazy.downloading for lazy in (self._given, *self._others.values())):
                raise InfillError(f"{self._describe_loading(FIRST)} Fill again when it is ready.")
            self._first.wait(_POLL)

    @contextmanager
    def lease(self, name: str) -> Iterator[Denoiser]:
        """Return a model for one run; it stays loaded until the context ends.

        Waits for the first model as `first` does. Raises InfillError if another one is not loaded yet, and tells why if
        it could not be: then the next call tries again.
        """
        lazy = self._find(name)
        if lazy is self._first:
            yield self.first()
            return
        with self._leasing:
            self._runs[name] += 1
            self._wanted[name] = time.monotonic()
        try:
            if not lazy.ready:
                self._start(lazy)
                raise InfillError(
                    f"{self._describe_loading(name)} Fill again when it is ready, or choose another model."
                )
            yield lazy.get()
        finally:
            with self._leasing:
                self._runs[name] -= 1

    def ask_for(self, name: str) -> tuple[bool, str]:
        """Return whether a model is loaded, and how far that is, in words; start loading it if nobody has.

        Raises InfillError if there is no such model, and if it could not be loaded: the next call tries again.
        """
        lazy = self._find(name)
        self._wanted[name] = time.monotonic()
        if lazy.ready:
            denoiser = lazy.get()
            return True, f"{denoiser.name} is ready." + "".join(f" {notice}" for notice in denoiser.notices)
        self._start(lazy)
        return False, self._describe_loading(name)

    def loaded(self, name: str) -> Denoiser | None:
        """Return a model if it is loaded; never load one."""
        lazy = self._first if name in (FIRST, self.name) else self._others.get(name)
        with self._leasing:  # so that it is not unloaded in between
            return lazy.get() if lazy is not None and lazy.ready else None

    @staticmethod
    def _start(lazy: LazyDenoiser) -> None:
        """Start loading unless it has begun. Raises InfillError, once, if the last attempt has failed."""
        if lazy.loading:
            return
        failure, lazy.failure = lazy.failure, ""
        if failure:
            raise InfillError(failure)
        lazy.start()

    def _find(self, name: str) -> LazyDenoiser:
        if name in (FIRST, self.name):
            return self._first
        if name not in self._others and self.has_others:
            self._wait_for_first()
            self.choices()
        if name not in self._others:
            raise self._refusal(name)
        return self._others[name]

    def _refusal(self, name: str) -> InfillError:
        """Return why a model cannot be chosen, and what to do."""
        offered = [self.name, *(other for other in self._others if other != self.name)]
        if not is_public_name(name):
            return unknown("model", name, offered)
        if not self.has_others:
            return InfillError(f"'{name}' is not offered: this page has {self.name} only")
        if name in self._named or (models.ALL in self._named and name in models.CATALOGUE):
            return InfillError(
                f"'{name}' does not fit into the free memory of this machine; choose one of {', '.join(offered)}"
            )
        more = ",".join([*self._named, name])
        return InfillError(
            f"'{name}' is not offered here; choose one of {', '.join(offered)}. To offer it, start the page with "
            f"--offer {more}, or name it under offer in the Spacefile of a Space"
        )

    def _describe_loading(self, name: str) -> str:
        """Say how far a model is, and which other one it waits for: there is one download at a time."""
        shown, lazy, loads = name or self.name, self._others.get(name, self._given), self._loads
        if lazy.downloading:
            here, total = lazy.downloaded
            return f"{shown} is being downloaded: {here / 1e6:.0f} of {total / 1e6:.0f} MB."
        if loads is None or loads == (FIRST if name == self.name else name):
            return f"{shown} is being loaded."
        return f"{shown} comes next: {self._describe_loading(loads)}"
