"""Rows of numbers as an aligned table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_COLUMNS = {  # heading and format of each number that a row may have
    "nats_per_token": ("nats/token", ".3f"),
    "bits_per_byte": ("bits/byte", ".3f"),
    "percent": ("top-1 %", ".1f"),
    "agreement": ("agree %", ".1f"),
    "megabytes": ("MB", ".1f"),
    "milliseconds": ("ms", ".1f"),
    "relative": ("x time", ".2f"),
    "standard_error": ("± s.e.", ".3f"),
    "rouge1": ("R-1", ".1f"),
    "rouge2": ("R-2", ".1f"),
    "rougeL": ("R-L", ".1f"),
    "exact": ("exact %", ".1f"),
    "nfe": ("NFE", ".1f"),
    **{f"distinct{n}": (f"dist-{n}", ".3f") for n in (1, 2, 3)},
    **{f"entropy{n}": (f"H-{n}", ".3f") for n in (1, 2, 3)},
    "repeated3": ("rep-3", ".3f"),
    "problems": ("problems", "d"),
    "samples": ("samples", "d"),
    "chunks": ("chunks", "d"),
    "tokens": ("tokens", "d"),
}


def table(title: str, rows: Sequence[dict[str, Any]]) -> str:
    """Aligned: a row's name, then its numbers."""
    keys = [key for key in rows[0] if key in _COLUMNS]
    first = max(len(title), *(len(row["name"]) for row in rows))
    lines = [f"{title:<{first}}" + "".join(f"  {_COLUMNS[key][0]:>7}" for key in keys)]
    for row in rows:
        numbers = (f"  {row[key]:>{max(7, len(_COLUMNS[key][0]))}{_COLUMNS[key][1]}}" for key in keys)
        lines.append(f"{row['name']:<{first}}" + "".join(numbers))
    return "\n".join(lines)
