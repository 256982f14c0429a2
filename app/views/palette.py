"""Colours and layout that every figure shares, for light and dark pages; brightness alone carries the order."""

from __future__ import annotations

from dataclasses import dataclass

from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Palette:
    ink: str
    faint: str
    accent: str
    scale: tuple[tuple[float, str], ...]  # low to high; strictly brighter or darker, so it survives greyscale


LIGHT = Palette("#1f2430", "#d5d8e0", "#3d3ab8", ((0.0, "#f4f4fb"), (0.5, "#8e8ad8"), (1.0, "#1b1763")))
DARK = Palette("#e8eaf2", "#3a4152", "#a9a5ff", ((0.0, "#1a1d2b"), (0.5, "#6a64c8"), (1.0, "#efeeff")))


def dress(figure: Figure, palette: Palette, *, title: str, x: str, y: str) -> Figure:
    """Titles of figure and axes, colours, and a see-through background so that the page's own shows."""
    axis = {"gridcolor": palette.faint, "linecolor": palette.faint, "zeroline": False}
    figure.update_layout(
        title={"text": title, "font": {"size": 15}},
        font={"color": palette.ink, "size": 12},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 56, "r": 16, "t": 48, "b": 56},
        height=420,
        xaxis={"title": x, **axis},
        yaxis={"title": y, **axis},
        showlegend=False,
    )
    return figure
