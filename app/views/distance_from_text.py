"""Whether what is near the given text is known and written sooner."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from app.analysis.ordering import distances, edges
from app.analysis.settling import settling
from app.trace.trace import Trace
from app.views.palette import Palette, figure, say, whole_numbers
from app.views.registry import view


@view
def distance_from_text(trace: Trace, palette: Palette) -> Figure:
    """Show the step that knew each token (circle) and that wrote it (dot), by how far it is from the given text.

    The line between the two is idle time. Means by distance are joined.
    """
    found = settling(trace)
    far = distances(trace)[found.places]
    near = ~np.isnan(far)
    curve = edges(trace, found)
    steps = len(trace.steps)
    ends = {"known": found.settled[near], "written": found.written[near]}
    x = far[near].astype(int).tolist()
    pairs = zip(*(values.tolist() for values in ends.values()), strict=True)
    marks: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [place for each in x for place in (each, each, None)],
            "y": [end for pair in pairs for end in (*pair, None)],
            "line": {"color": palette.faint, "width": 4},
            "hoverinfo": "skip",
        }
    ]
    for (name, values), symbol, dash in zip(ends.items(), ("circle-open", "circle"), ("dot", "solid"), strict=True):
        marks += [
            {
                "type": "scatter",
                "mode": "markers",
                "x": x,
                "y": values.tolist(),
                "marker": {"symbol": symbol, "size": 9, "color": palette.accent, "line": {"width": 2}},
                "hovertemplate": f"distance %{{x}}<br>{name} in step %{{y}}<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "x": [edge.distance for edge in curve],
                "y": [round((edge.settled if name == "known" else edge.written) * steps, 3) for edge in curve],
                "line": {"color": palette.accent, "dash": dash, "width": 1.5},
                "hoverinfo": "skip",
            },
        ]
    nothing = "" if x else "No token that the run wrote has given text in its stretch of the gap."
    return figure(
        palette,
        *(marks if x else ()),
        title="Distance from given text: known (circle, dotted) and written (dot, solid)",
        x="positions to the nearest given text",
        y="denoising step",
        xaxis=whole_numbers(max(x, default=1)),
        yaxis=whole_numbers(steps) | {"range": [0.4, max(1, steps) + 0.6]},
        layout=say(html.escape(nothing)) if nothing else None,
    )
