"""Which step committed which position."""

from __future__ import annotations

from plotly.graph_objects import Figure

from app.trace.trace import Trace
from app.views.palette import Palette, figure, position_axis, whole_numbers
from app.views.registry import labels, view


@view
def unmasking_order(trace: Trace, palette: Palette) -> Figure:
    """Show which step committed each position: a falling line is left to right, a V is outside in."""
    names = labels(trace)
    marks = []
    for kind, symbol in (("commit", "circle"), ("remask", "x-open")):
        events = [
            (place, number)
            for number, step in enumerate(trace.steps, start=1)
            for place in trace.start.places(getattr(step.selection, kind))
        ]
        if events:
            marks.append(
                {
                    "type": "scatter",
                    "x": [place + 1 for place, _ in events],
                    "y": [number for _, number in events],
                    "mode": "markers+text",
                    "text": [str(number) for _, number in events],
                    "textposition": "top center",
                    "customdata": [names[place] for place, _ in events],
                    "hovertemplate": f"%{{customdata}}<br>{kind} in step %{{y}}<extra></extra>",
                    "marker": {
                        "symbol": symbol,
                        "size": 11,
                        "color": palette.accent,
                        "line": {"color": palette.ink, "width": 1},
                    },
                }
            )
    steps = len(trace.steps)
    return figure(
        palette,
        *marks,
        title="Unmasking order",
        x="position in the gap",
        y="denoising step",
        xaxis=position_axis(names),
        yaxis=whole_numbers(steps) | {"range": [steps + 0.6, 0.4 - 0.08 * steps]},  # room for the label of step 1
    )
