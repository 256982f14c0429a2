"""Colours and layout that every figure shares, for light and dark pages; brightness alone carries the order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Palette:
    ink: str
    faint: str
    accent: str
    scale: tuple[tuple[float, str], ...]  # low to high; strictly brighter or darker, so it survives greyscale


LIGHT = Palette("#1f2430", "#d5d8e0", "#3d3ab8", ((0.0, "#f4f4fb"), (0.5, "#8e8ad8"), (1.0, "#1b1763")))
DARK = Palette("#e8eaf2", "#3a4152", "#a9a5ff", ((0.0, "#1a1d2b"), (0.5, "#6a64c8"), (1.0, "#efeeff")))


def figure(
    palette: Palette,
    *traces: dict[str, Any],
    title: str,
    x: str,
    y: str,
    xaxis: dict[str, Any] | None = None,
    yaxis: dict[str, Any] | None = None,
) -> Figure:
    """A figure of plotly traces, given as plotly's own dictionaries; see-through, so that the page's background shows.

    plotly would check every property at every call, which takes longer than a denoising step; the tests do it instead.
    """
    axis = {"gridcolor": palette.faint, "linecolor": palette.faint, "zeroline": False}
    layout = {
        "template": {},  # plotly's own is 5 kB that every figure would carry
        "title": {"text": title, "font": {"size": 15}},
        "font": {"color": palette.ink, "size": 12},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 56, "r": 16, "t": 48, "b": 56},
        "height": 420,
        "showlegend": False,
        "xaxis": axis | {"title": {"text": x}} | (xaxis or {}),
        "yaxis": axis | {"title": {"text": y}} | (yaxis or {}),
    }
    return Figure({"data": list(traces), "layout": layout}, _validate=False)


def whole_numbers(largest: int) -> dict[str, Any]:
    """An axis of whole numbers up to about `largest`, without a tick between two of them."""
    return {"tickformat": "d"} | ({"dtick": 1} if largest <= 10 else {})


def position_axis(names: list[str]) -> dict[str, Any]:
    """The x axis of the gap's positions, from 1, each with its token."""
    count = len(names)
    return {
        "range": [0.3, count + 0.7],
        "tickvals": list(range(1, count + 1)),
        "ticktext": names,
        "tickangle": -60 if count > 6 else 0,
        "automargin": True,
    }
