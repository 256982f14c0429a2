"""Which step fixed which position."""

from __future__ import annotations

import numpy as np
from plotly.graph_objects import Figure, Scatter

from app.trace import Trace
from app.views.palette import Palette, dress
from app.views.registry import labels, view


@view
def unmasking_order(trace: Trace, palette: Palette) -> Figure:
    """Position against the step that committed it: a rising line is left to right, a V is outside in."""
    figure = Figure()
    names = labels(trace)
    for kind, symbol in (("committed", "circle"), ("remasked", "x-open")):
        steps, places = [], []
        for number, step in enumerate(trace.steps, start=1):
            chosen = step.selection.commit if kind == "committed" else step.selection.remask
            places += (chosen - trace.start.span[0]).tolist()
            steps += [number] * len(chosen)
        if not places:
            continue
        figure.add_trace(
            Scatter(
                x=np.array(places) + 1,
                y=steps,
                mode="markers+text",
                text=[str(step) for step in steps],
                textposition="top center",
                customdata=[names[place] for place in places],
                hovertemplate=f"%{{customdata}}<br>{kind} in step %{{y}}<extra></extra>",
                marker={
                    "symbol": symbol,
                    "size": 11,
                    "color": palette.accent,
                    "line": {"color": palette.ink, "width": 1},
                },
            )
        )
    count = len(trace.start.span)
    dress(figure, palette, title="Unmasking order", x="position in the gap", y="denoising step")
    figure.update_xaxes(
        range=[0.3, count + 0.7], tickvals=list(range(1, count + 1)), ticktext=names, tickangle=-60 if count > 6 else 0
    )
    figure.update_yaxes(range=[len(trace.steps) + 1, 0], tickformat="d")
    return figure
