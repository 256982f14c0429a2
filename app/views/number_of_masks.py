"""How the number of masks was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from app.trace.length_choice import LengthChoice
from app.trace.trace import Trace
from app.views.palette import Palette, figure
from app.views.registry import view


@view
def number_of_masks(trace: Trace, palette: Palette) -> Figure:
    """How probable each length was, where it was left open: bars, a star on the chosen one; lines: confidence, bias."""
    if trace.choices:
        titles = {number: f"Number of masks in gap {number + 1}" for number in trace.choices}
        curves = [length_curve(choice, palette, title=titles[n]) for n, choice in trace.choices.items()]
        return curves[0] if len(curves) == 1 else _stacked(curves)
    names = [f"gap {number}" for number in range(1, len(trace.start.gaps) + 1)]
    bars = {"type": "bar", "x": names, "y": [len(gap) for gap in trace.start.gaps], "width": 0.3}
    bars["marker"] = {"color": palette.scale[1][1], "line": {"color": palette.ink, "width": 1}}
    drawn = figure(palette, bars, title="Number of masks", x="gap", y="tokens in it")
    said = "The number of masks was given. Ask for auto, and this shows how it was chosen."
    if not trace.begun:
        said = "The run ended before it began: where a number was asked for as auto, none was chosen."
    drawn.layout["annotations"] = [_said(said, 1.0)]
    return drawn


def _said(text: str, height: float) -> dict[str, Any]:
    """Words above a panel; `height` is 1 at the figure's top."""
    place = {"xref": "paper", "yref": "paper", "x": 0.5, "y": height, "yanchor": "bottom", "showarrow": False}
    return {"text": text, **place}


def _stacked(curves: Sequence[Figure]) -> Figure:
    """The curves of several gaps, one above the other."""
    data, axes, titles = [], {}, []
    for number, curve in enumerate(curves):
        found, first = curve.to_dict(), str(number + 1) if number else ""
        left, right = str(2 * number + 1) if number else "", str(2 * number + 2)
        low, high = 1 - (number + 1) / len(curves), 1 - number / len(curves)
        panel = {"domain": [low + 0.28 * (high - low), high], "anchor": f"x{first}"}
        layout = found["layout"]
        axes[f"xaxis{first}"] = layout["xaxis"] | {"anchor": f"y{left}"}
        axes[f"yaxis{left}"] = layout["yaxis"] | panel
        axes[f"yaxis{right}"] = layout["yaxis2"] | {"overlaying": f"y{left}", "anchor": f"x{first}"}
        titles.append(_said(layout["title"]["text"], high))
        data += [
            part | {"xaxis": f"x{first}", "yaxis": f"y{right if 'yaxis' in part else left}"} for part in found["data"]
        ]
    whole = curves[0].to_dict()["layout"] | axes | {"annotations": titles, "height": 320 * len(curves) + 60}
    whole["title"] = whole["title"] | {"text": "Number of masks"}
    return Figure({"data": data, "layout": whole}, _validate=False)


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
        "textposition": ["top center" if n - lengths[0] > 2 else "top right" for n in choice.tried.tolist()],
        "cliponaxis": False,
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
            "textposition": "top left" if values[-1] > other[-1] else "bottom left",
            "hovertemplate": f"{name} at %{{x}} masks: %{{y:.2f}}<extra></extra>",
        }
        for name, values, other, dash in (
            ("confidence", choice.phi, choice.bias, "solid"),
            ("its bias", choice.bias, choice.phi, "dash"),
        )
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
