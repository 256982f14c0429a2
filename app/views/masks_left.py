"""How fast the gaps are filled."""

from __future__ import annotations

from plotly.graph_objects import Figure

from app.trace.trace import Trace
from app.views.palette import Palette, figure, whole_numbers
from app.views.registry import view


@view
def masks_left(trace: Trace, palette: Palette) -> Figure:
    """Show how many positions are masked after each step; a steep drop means many tokens were committed at once."""
    left = trace.masks_left
    return figure(
        palette,
        {
            "type": "scatter",
            "x": list(range(len(left))),
            "y": left,
            "mode": "lines+markers+text",
            "line": {"shape": "hv", "color": palette.accent, "width": 2},
            "marker": {"size": 7, "color": palette.accent},
            "text": [str(masks) for masks in left],
            "textposition": "top right",
            "hovertemplate": "after step %{x}: %{y} masks left<extra></extra>",
        },
        title="Masks left",
        x="denoising step",
        y="masks left",
        xaxis=whole_numbers(len(left)) | {"range": [-0.3, len(left) - 0.3]},
        yaxis=whole_numbers(max(left)) | {"rangemode": "tozero"},
    )
