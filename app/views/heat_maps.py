"""What the model believed about every position at every step: confidence and entropy."""

from __future__ import annotations

import numpy as np
from plotly.graph_objects import Figure

from app.trace.trace import Trace
from app.views.palette import Palette, figure, position_axis, whole_numbers
from app.views.registry import labels, view
from models.denoiser import Floats

_MOST_NUMBERED_CELLS = 640


@view
def confidence_map(trace: Trace, palette: Palette) -> Figure:
    """Probability of the drafted token, position against step; a bar under it marks the step that committed it."""
    return _map(trace, palette, trace.recorded("confidence"), "Confidence", "probability", top=1.0)


@view
def entropy_map(trace: Trace, palette: Palette) -> Figure:
    """How undecided the model was in nats, position against step; a bar marks the step that committed the token."""
    values = trace.recorded("entropy")
    top = float(np.nanmax(values, initial=0.1))
    return _map(trace, palette, values, "Entropy", "nats", top=top)


def _map(trace: Trace, palette: Palette, values: Floats, title: str, unit: str, *, top: float) -> Figure:
    """values [steps, n], NaN where nothing was asked: bytes on the wire, numbers in the cells while they fit.

    The bytes are percent of `top`, 0 where nothing was asked: hover can show them, and plotly takes six characters to
    write the "/" that larger bytes are full of in base64.
    """
    names = labels(trace)
    count = len(names)
    shown = np.where(np.isnan(values), 0, np.clip((values / top * 100).round(), 1, 100)).astype(np.uint8)
    texts = None
    if values.size <= _MOST_NUMBERED_CELLS:
        decimals = "{:.2f}" if top <= 1 else "{:.1f}"
        texts = [["" if np.isnan(value) else decimals.format(value).lstrip("0") for value in row] for row in values]
    value = f"{unit} %{{text}}" if texts else "%{z} % of the scale"
    heat = {
        "type": "heatmap",
        "z": shown,
        "x": list(range(1, count + 1)),
        "y": list(range(1, len(values) + 1)),
        "zmin": 0,
        "zmax": 100,
        # Where nothing was asked the map stays see-through.
        "colorscale": [[0, "rgba(0,0,0,0)"], *[[max(stop, 0.01), colour] for stop, colour in palette.scale]],
        "colorbar": {
            "title": {"text": unit},
            "tickvals": [1, 25, 50, 75, 100],
            "ticktext": [f"{top * share:.2f}" for share in (0, 0.25, 0.5, 0.75, 1)],
        },
        "hovertemplate": f"position %{{x}}, step %{{y}}<br>{value}<extra></extra>",
    }
    if texts:
        heat |= {"text": texts, "texttemplate": "%{text}"}
    order = trace.order
    fixed = np.flatnonzero(order)
    bars = {
        "type": "scatter",
        "x": fixed + 1,
        "y": order[fixed] + 0.38,
        "mode": "markers",
        "marker": {"symbol": "line-ew-open", "size": 18, "color": palette.accent, "line": {"width": 4}},
        "hoverinfo": "skip",
    }
    return figure(
        palette,
        heat,
        bars,
        title=title,
        x="position in the gap",
        y="denoising step",
        xaxis=position_axis(names) | {"showgrid": False},
        yaxis=whole_numbers(len(trace.steps)) | {"autorange": "reversed", "showgrid": False},
    )
