"""Write the map as tables: Markdown, CSV, JSON."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.measure.bootstrap import Estimate
from app.measure.map.statistics import Summary

_HEADINGS = (
    "configuration", "knobs", "NFE", "calls", "ROUGE-L", "exact %", "risk", "tau", "to `low_confidence` T=N",
    "at equal NFE", "verdict", "front",
)  # fmt: skip


def markdown(rows: Sequence[Summary]) -> str:
    """Return a Markdown table; intervals in brackets, a star for the Pareto front."""
    lines = [f"| {' | '.join(_HEADINGS)} |", f"|{' --- |' * len(_HEADINGS)}"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cells(row: Summary) -> tuple[str, ...]:
    verdict = row.verdict or "–"
    if row.failed:
        failure = row.failure.replace("|", "\\|").replace("\n", " ")
        verdict += f"; {row.failed} of {row.runs + row.failed} runs failed: {failure}"
    return (
        f"`{row.strategy}` {row.setting}",
        ", ".join(f"{name} {_knob(value)}" for name, value in row.knobs.items()) or "–",
        _number(row.nfe, ".1f"),
        _number(row.calls, ".1f"),
        _estimate(row.rougeL, ".1f"),
        _number(row.exact, ".1f"),
        _number(row.risk, ".2f"),
        _number(row.tau, ".2f"),
        _estimate(row.to_best, "+.1f"),
        _estimate(row.to_equal, "+.1f"),
        verdict,
        "★" if row.front else "",
    )


def _knob(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else f"{value:{form}}"


def _estimate(estimate: Estimate, form: str) -> str:
    if math.isnan(estimate.mean):
        return "–"
    if math.isnan(estimate.low):
        return f"{estimate.mean:{form}}"
    return f"{estimate.mean:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


MARKS = {"better": " ▲", "worse": " ▼"}
"""Marks of the verdicts at equal NFE; no mark if the difference is no more than noise."""
_COLUMNS = ("T=N", "T=N/2", "T=N/4", "safe", "balanced", "fast")


def by_strategy(path: Path) -> str:
    """Return a file of `write_csv` as Markdown: ROUGE-L and NFE of every strategy at its budgets and presets."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        rouge = f"{float(row['rougeL']):.1f}" if row["rougeL"] else "–"
        cell = f"{rouge} at {float(row['nfe']):.1f}{MARKS.get(row['verdict'], '')}"
        found.setdefault(row["strategy"], {})[row["setting"]] = cell + " ★" * (row["front"] == "True")
    lines = [f"| strategy | {' | '.join(_COLUMNS)} |", f"|{' --- |' * (1 + len(_COLUMNS))}"]
    for name, cells in sorted(found.items()):
        lines.append(f"| `{name}` | {' | '.join(cells.get(column, '–') for column in _COLUMNS)} |")
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
