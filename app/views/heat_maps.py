"""Heat maps of what the model believed about every position at every step: confidence and entropy."""

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
    """Show the probability of the drafted token at each position and step; a bar marks the step that committed it."""
    return _draw_map(trace, palette, trace.recorded("confidence"), "Confidence", "probability", top=1.0)


@view
def entropy_map(trace: Trace, palette: Palette) -> Figure:
    """Show how undecided the model was, in nats, at each position and step; a bar marks the step that committed."""
    values = trace.recorded("entropy")
    top = float(np.nanmax(values, initial=0.1))
    return _draw_map(trace, palette, values, "Entropy", "nats", top=top)


def _draw_map(trace: Trace, palette: Palette, values: Floats, title: str, unit: str, *, top: float) -> Figure:
    """Draw `values` [steps, n], NaN where the model was not asked, as a map; small maps have numbers in their cells.

    Values are sent to the browser as bytes: percent of `top`, and 0 where the model was not asked. Percent can be shown
    in the hover text, and stays small in JSON: larger bytes have many "/" in base64, each of which plotly escapes with
    six characters.
    """
    names = labels(trace)
    count = len(names)
    shown = np.where(np.isnan(values), 0, np.clip((values / top * 100).round(), 1, 100)).astype(np.uint8)
    texts = None
    if values.size <= _MOST_NUMBERED_CELLS:
        decimals = "{:.2f}" if top <= 1 else "{:.1f}"
        texts = [["" if np.isnan(value) else decimals.format(value).lstrip("0") for value in row] for row in values]
    value = f"{unit} %{{text}}" if texts else "%{z}% of full scale"
    heat = {
        "type": "heatmap",
        "z": shown,
        "x": list(range(1, count + 1)),
        "y": list(range(1, len(values) + 1)),
        "zmin": 0,
        "zmax": 100,
        # Cells where the model was not asked are transparent.
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
