"""Write the map as tables: Markdown, CSV, JSON."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.measure.bootstrap import Estimate
from app.measure.map.configurations import TRUTH
from app.measure.map.statistics import Summary
from models.terminal import as_text

_Column = tuple[str, Callable[[Summary], str]]

_ALWAYS: tuple[_Column, ...] = (
    ("configuration", lambda row: f"`{row.strategy}` {row.setting}".strip() if row.setting else row.strategy),
    (
        "knobs",
        lambda row: ", ".join(f"{name} {_knob(value)}" for name, value in row.knobs.items()) or "–",
    ),
    ("NFE", lambda row: as_text(row.nfe, ".1f")),
    ("calls", lambda row: as_text(row.calls, ".1f")),
)
_ROUGE: tuple[_Column, ...] = (
    ("ROUGE-L", lambda row: _estimate(row.rougeL, ".1f")),
    ("exact %", lambda row: as_text(row.exact, ".1f")),
    ("ROUGE-L at equal NFE", lambda row: _estimate(row.to_equal, "+.1f")),
    ("verdict", lambda row: row.verdict or "–"),
    ("risk", lambda row: as_text(row.risk, ".2f")),
    ("tau", lambda row: as_text(row.tau, ".2f")),
)
_NATS: tuple[_Column, ...] = (
    ("nats a token", lambda row: _estimate(row.nats, ".2f")),
    ("next 16", lambda row: as_text(row.nats_after, ".2f")),
    ("nats at equal NFE", lambda row: _estimate(row.nats_to_equal, "+.2f")),
    ("verdict", lambda row: row.nats_verdict or "–"),
)
_VARIETY: tuple[_Column, ...] = (
    ("unigram nats", lambda row: as_text(row.unigram, ".2f")),
    ("bigram nats", lambda row: as_text(row.bigram, ".2f")),
    ("repeated %", lambda row: as_text(row.repeated, ".1f")),
)
_DISTINCT: tuple[_Column, ...] = (("distinct-2 %", lambda row: _estimate(row.distinct, ".1f")),)
_TIME: tuple[_Column, ...] = (
    ("seconds", lambda row: as_text(row.seconds, ".2f")),
    ("time", lambda row: as_text(row.time_ratio, ".2f") + "x" * (not math.isnan(row.time_ratio))),
)
_END: tuple[_Column, ...] = (
    ("front", lambda row: "★" * row.nats_front + "☆" * row.front),
    ("failed", lambda row: _failed(row)),
)


def markdown(rows: Sequence[Summary]) -> str:
    """Return a Markdown table with intervals in brackets.

    A filled star marks the Pareto front of nats and NFE, an open one that of ROUGE-L and NFE. Columns for which
    nothing was measured are left out.
    """
    columns = [*_ALWAYS]
    columns += _TIME * _measured(rows, "seconds") + _NATS * _measured(rows, "nats") + _VARIETY
    columns += _DISTINCT * _measured(rows, "distinct") + _ROUGE + _END[:1] + _END[1:] * any(row.failed for row in rows)
    lines = [f"| {' | '.join(name for name, _ in columns)} |", f"|{' --- |' * len(columns)}"]
    lines += [f"| {' | '.join(cell(row) for _, cell in columns)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _measured(rows: Sequence[Summary], name: str) -> bool:
    values = [getattr(row, name) for row in rows]
    return not all(math.isnan(value.mean if isinstance(value, Estimate) else value) for value in values)


def _failed(row: Summary) -> str:
    failure = row.failure.replace("|", "\\|").replace("\n", " ")
    return f"{row.failed} of {row.runs + row.failed} runs: {failure}" if row.failed else ""


def _knob(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _estimate(estimate: Estimate, form: str) -> str:
    if math.isnan(estimate.mean):
        return "–"
    if math.isnan(estimate.low):
        return f"{estimate.mean:{form}}"
    return f"{estimate.mean:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


MARKS = {"better": " ▲", "worse": " ▼"}
"""Marks of the verdicts at equal NFE; no mark if the difference is no more than noise."""
_SETTINGS = ("T=N", "T=N/2", "T=N/4", "safe", "balanced", "fast")


def by_strategy(path: Path) -> str:
    """Return a file of `write_csv` as Markdown: the parent's nats and NFE of every strategy at budgets and presets."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if not row["setting"]:
            continue  # the truth
        nats = f"{float(row['nats']):.2f}" if row["nats"] else "–"
        cell = f"{nats} at {float(row['nfe']):.1f}{MARKS.get(row['nats_verdict'], '')}" if row["nfe"] else "–"
        found.setdefault(row["strategy"], {})[row["setting"]] = cell + " ★" * (row["nats_front"] == "True")
    lines = [f"| strategy | {' | '.join(_SETTINGS)} |", f"|{' --- |' * (1 + len(_SETTINGS))}"]
    for name, cells in sorted(found.items()):
        lines.append(f"| `{name}` | {' | '.join(cells.get(setting, '–') for setting in _SETTINGS)} |")
    return "\n".join(lines)


_SHOWN: Mapping[str, tuple[str, str]] = {  # heading, and format
    "nfe": ("passes", ".1f"),
    "calls": ("calls", ".1f"),
    "time_ratio": ("time", ".2f"),
    "nats": ("nats a token", ".2f"),
    "nats_after": ("next 16", ".2f"),
    "nats_to_equal": ("at equal passes", "+.2f"),
    "unigram": ("unigram entropy", ".2f"),
    "repeated": ("repeated %", ".1f"),
    "distinct": ("distinct-2 %", ".1f"),
    "rougeL": ("ROUGE-L", ".1f"),
    "risk": ("risk", ".1f"),
}


def excerpt(path: Path, labels: Sequence[str], columns: Sequence[str]) -> str:
    """Return some rows and columns of a file of `write_csv` as Markdown, with intervals where there are any."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}

    def cell(row: Mapping[str, str], name: str) -> str:
        form = _SHOWN[name][1]
        if not row[name]:
            return "–"
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        interval = f" [{float(low):{form}}, {float(high):{form}}]" if low and high else ""
        return f"{float(row[name]):{form}}" + interval

    lines = [
        f"| configuration | {' | '.join(_SHOWN[name][0] for name in columns)} |",
        f"|{' --- |' * (1 + len(columns))}",
    ]
    for label in labels:
        strategy, _, setting = label.partition(" ")
        name = label if label == TRUTH else f"`{strategy}` {setting}"
        lines.append(f"| {name} | {' | '.join(cell(rows[label], column) for column in columns)} |")
    return "\n".join(lines)


def write_csv(rows: Sequence[Summary], path: Path) -> None:
    """Write a line for each configuration, with four digits after the point."""
    flat = [row.flat() for row in rows]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(flat[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _plain(value, "") for name, value in row.items()} for row in flat)


def write_json(facts: Mapping[str, Any], rows: Sequence[Summary], path: Path) -> None:
    """Write the facts, and an object for each configuration; null if there is no number."""
    flat = [{name: _plain(value, None) for name, value in row.flat().items()} for row in rows]
    path.write_text(json.dumps({**facts, "rows": flat}, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any, nothing: Any) -> Any:
    if isinstance(value, float):
        return nothing if math.isnan(value) else round(value, 4)
    return value
