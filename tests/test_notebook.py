"""The notebook: every cell runs, its figures can be drawn, and git has none of its outputs."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from plotly.graph_objects import Figure

from app.strategies import registry
from app.strategies.registry import GROUPS, strategies

ROOT = Path(__file__).parents[1]
NOTEBOOK = json.loads((ROOT / "notebooks" / "playground.ipynb").read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def _clean(monkeypatch) -> None:
    """Forget the notebook's strategy, and where it has looked for the code."""
    monkeypatch.setattr(registry, "_strategies", dict(strategies()))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(ROOT / "notebooks")


def run(source: str, names: dict[str, Any]) -> object:
    """Run a cell as a notebook does, and return the value of a last line that is an expression."""
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None  # pyright: ignore
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(compile(last, "cell", "eval"), names)


@pytest.mark.usefixtures("_clean")
def test_every_cell_runs_and_the_figures_can_be_drawn(capsys):
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [run(source, names) for source in CODE]
    figures = [value for value in shown if isinstance(value, Figure)]
    assert len(figures) == 4
    for figure in figures:
        Figure(figure.to_dict())  # plotly checks every property
    printed = capsys.readouterr().out
    assert "Done in all 8 passes" in printed
    assert printed.count("every_nth") == 3
    trace = names["own"]
    assert trace.ended == "complete"
    assert sorted(trace.order[[0, 3, 6]]) == [1, 2, 3]


@pytest.mark.usefixtures("_clean")
def test_a_cell_with_a_strategy_can_be_changed_and_run_again():
    (source,) = [source for source in CODE if "@strategy" in source]
    names: dict[str, Any] = {"__name__": "__main__"}
    run(source, names)
    run(source.replace("Every n-th", "Each n-th"), names)
    assert strategies()["every_nth"].title == "Each n-th place first"
    assert strategies()["every_nth"].group in GROUPS
    with pytest.raises(AssertionError, match="two strategies are called low_confidence"):
        run(source.replace("every_nth", "low_confidence"), names)


def test_outputs_are_not_in_git():
    for cell in NOTEBOOK["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert NOTEBOOK["nbformat"] == 4
