"""What a terminal shows: a progress bar on standard error, numbers and tables as text, the name of the processor."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(items: Sequence[Item], what: str, **settings: Any) -> Iterable[Item]:
    """Yield the items and show how many are done, if standard error is a terminal; `settings` are tqdm's."""
    return tqdm(items, desc=what, disable=None, leave=False, **settings)  # None: disabled unless it is a terminal


def as_text(value: float, form: str) -> str:
    """Return a number in a format such as .1f; a dash for NaN, which is a number that could not be measured."""
    return "–" if math.isnan(value) else f"{value:{form}}"


def plain(data: Any) -> Any:
    """Return JSON data with null in place of NaN, which JSON does not have."""
    if isinstance(data, Mapping):
        return {name: plain(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(value) for value in data]
    return None if isinstance(data, float) and math.isnan(data) else data


def table(rows: Sequence[Sequence[str]], *, header: Sequence[str] | None = None, left: int = 1) -> str:
    """Return rows of equally many cells as lines of aligned columns, two spaces apart.

    The first `left` columns are left-aligned, the others right-aligned. No line ends in spaces.
    """
    lines = [*([header] if header is not None else []), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = (
        (
            f"{cell:<{width}}" if number < left else f"{cell:>{width}}"
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
    return "\n".join("  ".join(cells).rstrip() for cells in aligned)


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
