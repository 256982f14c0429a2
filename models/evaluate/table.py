"""Evaluation results as aligned tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.terminal import as_text, table

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


def format_rows(title: str, rows: Sequence[dict[str, Any]]) -> str:
    """Return a table with the rows' names under `title`, then a column for each number that `_COLUMNS` knows."""
    columns = {key: _COLUMNS[key] for key in rows[0] if key in _COLUMNS}
    cells = [(row["name"], *(as_text(row[key], form) for key, (_, form) in columns.items())) for row in rows]
    return table(cells, header=(title, *(heading for heading, _ in columns.values())))
