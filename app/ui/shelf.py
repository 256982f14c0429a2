"""The models of a page: the one it starts with, and others that this machine can run, loaded when one is chosen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import models
from app.errors import InfillError, unknown
from models.batching import BatchingDenoiser
from models.denoiser import Denoiser
from models.lazy import LazyDenoiser

if TYPE_CHECKING:  # it imports torch
    from models.placement import Offer

FIRST = ""
"""How a request asks for the model that the page starts with."""
_POLL = 0.3  # seconds


class Shelf:
    """Every model is shared by all visitors; one that is being loaded keeps nobody waiting who did not ask for it."""

    def __init__(
        self,
        first: LazyDenoiser,
        *,
        offers: Callable[[], Sequence[Offer]] | None = None,
        load: Callable[..., Denoiser] = models.load,
        merge: bool = True,
    ) -> None:
        """`offers`, which may take a moment, says what else fits; `merge` lets runs share the first model's passes."""
        self._load, self._offers = load, offers
        self._first = LazyDenoiser(lambda: BatchingDenoiser(first.get())) if merge else first
        self._others: dict[str, LazyDenoiser] = {}

    @property
    def has_others(self) -> bool:
        return self._offers is not None

    def choices(self) -> list[tuple[str, str]]:
        """(label, name) of all models: what they are, and what they need. Waits for the first one."""
        try:
            first = self._first.get().name
        except ValueError:  # told to whoever wants to fill with it
            first = "the page's own"
        found = [(first, FIRST)]
        for offer in self._offers() if self._offers else ():
            if offer.name == first:
                found[0] = (f"{offer.name}: {offer.about}", FIRST)
                continue
            self._others.setdefault(offer.name, self._lazy(offer))
            form = f", {offer.settings['quantize']}" if offer.settings else ""
            found.append((f"{offer.name}: {offer.about} ({offer.gigabytes:.1f} GB{form})", offer.name))
        return found

    def _lazy(self, offer: Offer) -> LazyDenoiser:
        def load() -> Denoiser:
            return BatchingDenoiser(self._load(offer.name, progress=lazy.tell, **offer.settings))

        lazy = LazyDenoiser(load)
        return lazy

    def get(self, name: str) -> Denoiser:
        """Wait for the first model; raise InfillError, rather than wait, while another one is not there yet."""
        lazy = self._find(name)
        if lazy is not self._first and not lazy.ready:
            lazy.start()
            raise InfillError(f"{self._told(name, lazy)} Fill again when it is ready, or choose another model.")
        try:
            return lazy.get()
        except ValueError as error:
            raise InfillError(str(error)) from error

    def preparing(self, name: str) -> Iterator[str]:
        """Load a model; what to tell meanwhile, and at last. Raises InfillError if there is no such model."""
        lazy = self._find(name)
        lazy.start()
        while not lazy.ready and lazy.loading:
            yield self._told(name, lazy)
            time.sleep(_POLL)
        if lazy.ready:
            yield f"{lazy.get().name} is ready." + "".join(f" {notice}" for notice in lazy.get().notices)
        else:
            yield lazy.failure or f"{name} could not be loaded."

    def _find(self, name: str) -> LazyDenoiser:
        if name == FIRST:
            return self._first
        if name not in self._others and self.has_others:
            self.choices()
        if name not in self._others:
            raise unknown("model", name, list(self._others))
        return self._others[name]

    def _told(self, name: str, lazy: LazyDenoiser) -> str:
        here, total = lazy.downloaded
        if 0 < here < total:
            return f"{name} is being downloaded: {here / 1e6:.0f} of {total / 1e6:.0f} MB."
        return f"{name or 'The model'} is being loaded."
