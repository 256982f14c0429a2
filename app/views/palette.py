"""Colours and layout of all figures, for light and dark pages; scales are ordered by brightness alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Palette:
    """Colours of a figure on a light or a dark page."""

    ink: str
    faint: str
    accent: str
    scale: tuple[tuple[float, str], ...]  # low to high; strictly brighter or darker, so that it works in greyscale


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
    yaxis2: dict[str, Any] | None = None,
    layout: dict[str, Any] | None = None,
) -> Figure:
    """Build a figure from plotly traces, given as plotly's own dictionaries, with a transparent background.

    `layout` replaces parts of plotly's layout, and `yaxis2` adds a second y axis.

    plotly's check of every property is skipped: it takes longer than a denoising step. The tests run it instead.
    """
    axis = {"gridcolor": palette.faint, "linecolor": palette.faint, "zeroline": False}
    whole = {
        "template": {},  # plotly's default would add 5 kB to every figure
        "title": {"text": title, "font": {"size": 15}},
        "font": {"color": palette.ink, "size": 12},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 56, "r": 16, "t": 48, "b": 56},
        "height": 420,
        "showlegend": False,
        "xaxis": axis | {"title": {"text": x}} | (xaxis or {}),
        "yaxis": axis | {"title": {"text": y}} | (yaxis or {}),
        **({"yaxis2": axis | yaxis2} if yaxis2 else {}),
        **(layout or {}),
    }
    return Figure({"data": list(traces), "layout": whole}, _validate=False)


def say(text: str) -> dict[str, Any]:
    """Return the layout of a figure that has nothing to draw, and says why in its middle."""
    note = {"text": text, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False, "width": 460}
    return {"annotations": [note]}


def whole_numbers(largest: int) -> dict[str, Any]:
    """Return settings of an axis of whole numbers up to about `largest`, without ticks at fractions."""
    return {"tickformat": "d"} | ({"dtick": 1} if largest <= 10 else {})


def position_axis(names: list[str]) -> dict[str, Any]:
    """Return settings of an x axis of positions in the gaps, from 1, each labelled with its name."""
    count = len(names)
    return {
        "range": [0.3, count + 0.7],
        "tickvals": list(range(1, count + 1)),
        "ticktext": names,
        "tickangle": -60 if count > 6 else 0,
        "automargin": True,
    }
