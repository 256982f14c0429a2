"""How the number of masks in each gap was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from app.trace.length_choice import LengthChoice
from app.trace.trace import Trace
from app.views.palette import Palette, figure, whole_numbers
from app.views.registry import view
from models.denoiser import Floats


@view
def number_of_masks(trace: Trace, palette: Palette) -> Figure:
    """Show how each `auto` length was chosen: bars are scores, a star is the choice, lines are confidence and bias."""
    if trace.choices:
        titles = {number: f"Number of masks in gap {number + 1}" for number in trace.choices}
        curves = [length_curve(choice, palette, title=titles[n]) for n, choice in trace.choices.items()]
        return curves[0] if len(curves) == 1 else _stack(curves)
    explanation = "The number of masks was given. Set it to auto to see here how it is chosen."
    if not trace.begun:
        explanation = "The run ended before decoding began; lengths set to auto were not chosen."
    return _given_lengths(trace, palette, explanation)


def _given_lengths(trace: Trace, palette: Palette, explanation: str) -> Figure:
    """Draw a row of squares for each gap, one for each mask; full squares are pinned words."""
    gaps, pinned = trace.start.gaps, iter(trace.start.pinned.tolist())
    names = [f"gap {number}" for number in range(1, len(gaps) + 1)]
    squares = [
        (place, name, "square" if next(pinned) else "square-open")
        for name, gap in zip(names, gaps, strict=True)
        for place in range(1, len(gap) + 1)
    ]
    longest = max(map(len, gaps))
    row = {
        "type": "scatter",
        "x": [place for place, _, _ in squares],
        "y": [name for _, name, _ in squares],
        "mode": "markers",
        "marker": {
            "symbol": [symbol for _, _, symbol in squares],
            "size": max(4, min(16, 600 // longest)),
            "color": palette.accent,
        },
        "hovertemplate": "%{y}, position %{x}<extra></extra>",
    }
    ends = {
        "type": "scatter",
        "x": [len(gap) for gap in gaps],
        "y": names,
        "mode": "text",
        "text": [f"  {len(gap)}" for gap in gaps],
        "textposition": "middle right",
        "cliponaxis": False,
        "hoverinfo": "skip",
    }
    drawn = figure(
        palette,
        row,
        ends,
        title="Number of masks",
        x="position in the gap",
        y="gap",
        xaxis=whole_numbers(longest) | {"range": [0, max(longest, 16) + 1.5], "showgrid": False},
        yaxis={"autorange": "reversed", "showgrid": False},
    )
    drawn.layout["height"] = 150 + 40 * len(gaps)
    drawn.layout["annotations"] = [_annotate(explanation, 1.0)]
    return drawn


def _annotate(text: str, height: float) -> dict[str, Any]:
    """Return an annotation above a panel whose upper edge is at `height` (1 is the top of the figure)."""
    place = {"xref": "paper", "yref": "paper", "x": 0.5, "y": height, "yanchor": "bottom", "showarrow": False}
    return {"text": text, **place}


def _stack(curves: Sequence[Figure]) -> Figure:
    """Draw the curves of several gaps in one figure, one above the other."""
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
        titles.append(_annotate(layout["title"]["text"], high))
        data += [
            part | {"xaxis": f"x{first}", "yaxis": f"y{right if 'yaxis' in part else left}"} for part in found["data"]
        ]
    whole = curves[0].to_dict()["layout"] | axes | {"annotations": titles, "height": 320 * len(curves) + 60}
    whole["title"] = whole["title"] | {"text": "Number of masks"}
    return Figure({"data": data, "layout": whole}, _validate=False)


def length_curve(choice: LengthChoice, palette: Palette, *, title: str) -> Figure:
    """Draw one choice: scores as bars, marks on the lengths that were decoded, confidence and its bias as lines."""
    first, last = int(choice.lengths[0]), int(choice.lengths[-1])
    shares = np.exp(choice.score - choice.score.max())
    shares = (shares / shares.sum()).round(4)
    top = max(float(shares.max()), 1e-9)
    drawn = figure(
        palette,
        _score_bars(choice, palette, shares),
        _line(choice, palette, "confidence", choice.phi, dash="solid", above=bool(choice.phi[-1] > choice.bias[-1])),
        _line(choice, palette, "bias", choice.bias, dash="dash", above=bool(choice.bias[-1] > choice.phi[-1])),
        _decoded_marks(choice, palette, shares, lift=0.04 * top),
        title=title,
        x="masks in the gap",
        y="share of the score",
        xaxis={"tickformat": "d", "range": [first - 0.8, last + 0.8], "showgrid": False},
        yaxis={"range": [0, 1.25 * top], "tickformat": ".0%"},
    )
    drawn.layout["margin"]["r"] = 64  # room for the right-hand axis
    drawn.layout["yaxis2"] = {
        "title": {"text": "mean confidence"},
        "overlaying": "y",
        "side": "right",
        "range": [0, 1],
        "showgrid": False,
        "zeroline": False,
    }
    return drawn


def _bar_style(palette: Palette) -> dict[str, Any]:
    return {"color": palette.scale[1][1], "line": {"color": palette.ink, "width": 1}}


def _score_bars(choice: LengthChoice, palette: Palette, shares: Floats) -> dict[str, Any]:
    """Return a bar for each candidate length; `shares` [k] are the scores as shares of their sum."""
    return {
        "type": "bar",
        "x": choice.lengths.tolist(),
        "y": shares.tolist(),
        "marker": _bar_style(palette),
        "opacity": 0.6,
        "hovertemplate": "%{x} masks: %{y:.1%}<extra></extra>",
    }


def _decoded_marks(choice: LengthChoice, palette: Palette, shares: Floats, *, lift: float) -> dict[str, Any]:
    """Return a mark `lift` above the bar of each decoded length: a star on the chosen one, circles on the others."""
    places = np.searchsorted(choice.lengths, choice.tried)
    tried, first = choice.tried.tolist(), int(choice.lengths[0])
    return {
        "type": "scatter",
        "x": tried,
        "y": (shares[places] + lift).tolist(),
        "mode": "markers+text",
        "marker": {
            "symbol": ["star" if n == choice.chosen else "circle-open" for n in tried],
            "size": 13,
            "color": palette.accent,
        },
        "text": [f"chosen {n}" if n == choice.chosen else str(n) for n in tried],
        "textposition": ["top center" if n - first > 2 else "top right" for n in tried],
        "cliponaxis": False,
        "customdata": choice.rerank.round(3).tolist(),
        "hovertemplate": f"%{{x}} masks, decoded; ranked by {choice.rule}: %{{customdata}}<extra></extra>",
    }


def _line(
    choice: LengthChoice, palette: Palette, name: str, values: Floats, *, dash: str, above: bool
) -> dict[str, Any]:
    """Return a line over the lengths on the right-hand axis, with its name `above` or below its end."""
    lengths = choice.lengths.tolist()
    return {
        "type": "scatter",
        "x": lengths,
        "y": values.round(4).tolist(),
        "yaxis": "y2",
        "mode": "lines+text",
        "line": {"dash": dash, "color": palette.ink, "width": 2},
        "text": [""] * (len(lengths) - 1) + [name],
        "textposition": "top left" if above else "bottom left",
        "hovertemplate": f"{name} at %{{x}} masks: %{{y:.2f}}<extra></extra>",
    }
