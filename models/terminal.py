"""A progress bar on standard error, where somebody watches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(items: Sequence[Item], what: str, **settings: Any) -> Iterable[Item]:
    """The items, counted; `settings` are tqdm's."""
    return tqdm(items, desc=what, disable=None, leave=False, **settings)  # disable=None: unless it is a terminal
