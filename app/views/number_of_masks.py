"""How the number of masks was chosen."""

from __future__ import annotations

import numpy as np
from plotly.graph_objects import Figure

from app.length.choice import LengthChoice
from app.trace import Trace
from app.views.palette import Palette, figure
from app.views.registry import view


@view
def number_of_masks(trace: Trace, palette: Palette) -> Figure:
    """How probable each length was, where it was left open: bars, a star on the chosen one; lines: confidence, bias."""
    if trace.choices:
        number, choice = next(iter(trace.choices.items()))
        drawn = length_curve(choice, palette, title=f"Number of masks in gap {number + 1}")
        others = [f"gap {n + 1}: {other.chosen}" for n, other in trace.choices.items() if n != number]
        said = f"in the other gaps: {', '.join(others)}" if others else ""
    else:
        names = [f"gap {number}" for number in range(1, len(trace.start.gaps) + 1)]
        bars = {"type": "bar", "x": names, "y": [len(gap) for gap in trace.start.gaps], "width": 0.3}
        bars["marker"] = {"color": palette.scale[1][1], "line": {"color": palette.ink, "width": 1}}
        drawn = figure(palette, bars, title="Number of masks", x="gap", y="tokens in it")
        said = "The number of masks was given. Ask for auto, and this shows how it was chosen."
    if said:
        place = {"xref": "paper", "yref": "paper", "x": 0.5, "y": 1.0, "yanchor": "bottom", "showarrow": False}
        drawn.layout["annotations"] = [{"text": said, **place}]
    return drawn


def length_curve(choice: LengthChoice, palette: Palette, *, title: str) -> Figure:
    """One choice, as `number_of_masks` says."""
    lengths = choice.lengths.tolist()
    shares = np.exp(choice.score - choice.score.max())
    shares = (shares / shares.sum()).round(4)
    top = max(float(shares.max()), 1e-9)
    places = np.searchsorted(choice.lengths, choice.tried)
    bars = {
        "type": "bar",
        "x": lengths,
        "y": shares.tolist(),
        "marker": {"color": palette.scale[1][1], "line": {"color": palette.ink, "width": 1}},
        "opacity": 0.6,
        "hovertemplate": "%{x} masks: %{y:.1%}<extra></extra>",
    }
    marks = {
        "type": "scatter",
        "x": choice.tried.tolist(),
        "y": (shares[places] + 0.04 * top).tolist(),
        "mode": "markers+text",
        "marker": {
            "symbol": ["star" if n == choice.chosen else "circle-open" for n in choice.tried],
            "size": 13,
            "color": palette.accent,
        },
        "text": [f"chosen {n}" if n == choice.chosen else str(n) for n in choice.tried],
        "textposition": "top center",
        "customdata": choice.rerank.round(3).tolist(),
        "hovertemplate": f"%{{x}} masks, written out; ranked by {choice.rule}: %{{customdata}}<extra></extra>",
    }
    lines = [
        {
            "type": "scatter",
            "x": lengths,
            "y": values.round(4).tolist(),
            "yaxis": "y2",
            "mode": "lines+text",
            "line": {"dash": dash, "color": palette.ink, "width": 2},
            "text": [""] * (len(lengths) - 1) + [name],
            "textposition": "top left",
            "hovertemplate": f"{name} at %{{x}} masks: %{{y:.2f}}<extra></extra>",
        }
        for name, values, dash in (("confidence", choice.phi, "solid"), ("its bias", choice.bias, "dash"))
    ]
    drawn = figure(
        palette,
        bars,
        *lines,
        marks,
        title=title,
        x="masks in the gap",
        y="share of the score",
        xaxis={"tickformat": "d", "range": [lengths[0] - 0.8, lengths[-1] + 0.8], "showgrid": False},
        yaxis={"range": [0, 1.25 * top], "tickformat": ".0%"},
    )
    drawn.layout["margin"]["r"] = 64  # for the axis of the lines
    drawn.layout["yaxis2"] = {
        "title": {"text": "mean confidence"},
        "overlaying": "y",
        "side": "right",
        "range": [0, 1],
        "showgrid": False,
        "zeroline": False,
    }
    return drawn
