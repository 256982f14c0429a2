"""The figures below the page: of the run on the stage, and only while they can be seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.views.registry import views
from tests.ui.visitor import Visitor, run

VIEWS = list(views())


@pytest.fixture(scope="module")
def visitor(address: str) -> Iterator[Visitor]:
    opened = Visitor(address)
    yield opened
    opened.close()


def figures(visitor: Visitor, data: Any, view: str, *, is_open: bool, dark: bool = False) -> tuple[str, dict[str, Any]]:
    """The name of the run that is stored, and the figures that were drawn by view."""
    (output,) = visitor.events("figure", data, (view, is_open, dark, "en"))
    name, *plots = output
    drawn = {each: plot for each, plot in zip(VIEWS, plots, strict=True) if plot and plot.get("plot")}
    return name, drawn


def test_a_figure_is_drawn_only_while_the_panel_is_open(visitor: Visitor) -> None:
    name = visitor.fill(run())[-1][0]["run"]
    assert figures(visitor, {"run": name}, "masks_left", is_open=False) == (name, {})
    kept, drawn = figures(visitor, {"run": name}, "masks_left", is_open=True)
    assert (kept, list(drawn)) == (name, ["masks_left"])
    light = drawn["masks_left"]["plot"]
    (dark,) = figures(visitor, {"run": name}, "masks_left", is_open=True, dark=True)[1].values()
    assert dark["plot"] != light


@pytest.mark.parametrize("data", [None, 3, {}, {"run": None}, {"run": ["a"]}, {"run": "gone"}])
def test_a_run_that_is_not_stored_has_no_figure(visitor: Visitor, data: Any) -> None:
    assert figures(visitor, data, "masks_left", is_open=True)[1] == {}
