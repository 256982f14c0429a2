"""When the kind of a word was decided, and when the word."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from app.analysis.emergence import Cells, Emergence
from app.analysis.emergence import emergence as analyse
from app.analysis.report import NO_CLASSES
from app.trace.trace import Trace
from app.views.palette import Palette, figure, say, whole_numbers
from app.views.registry import labels, view
from models.denoiser import Bools

_MOST_LETTERED_CELLS = 640
_ROWS = (30, 18)  # pixels of a row with letters, and without
_TITLES = (
    "Emergence: a letter is the kind of the best guess, bold once it stays; a box once the word does",
    "Emergence: the darker, the less the kind of word is decided; a square where the word is known",
)
_CURVES = [0.0, 0.2]  # the part of the height for the curves
_WIDE, _LEFT = 0.9, 0.45  # of a cell: its bars at full length; from its middle to where they begin


@view
def emergence(trace: Trace, palette: Palette) -> Figure:
    """Show how undecided the model was about the kind of word (dark) and, given that, the word (light).

    Letters: the kind of the best guess, bold once it stays so. Box: the very word is known from here on.
    """
    found = analyse(trace)
    names = labels(trace)
    axes: dict[str, Any] = {
        "title": "Emergence",
        "x": "denoising step",
        "y": "position in the gap",
        "xaxis": whole_numbers(len(trace.steps)) | {"range": [0.4, max(1, len(trace.steps)) + 0.6], "anchor": "y2"},
    }
    if found is None:
        return figure(palette, **axes, layout=say(html.escape(NO_CLASSES)))
    few = found.class_entropy.size <= _MOST_LETTERED_CELLS
    cells, axes["title"] = (_lettered, _TITLES[0]) if few else (_mapped, _TITLES[1])
    legend = ", ".join(f"{each.letter} {each.name}" for each in trace.classes)
    axes["x"] += f"<br><sup>{html.escape(legend)}</sup>"
    return figure(
        palette,
        *cells(trace, found, palette),
        *_curves(found, palette),
        **axes,
        yaxis={
            "range": [len(names) + 0.6, 0.4],
            "tickvals": list(range(1, len(names) + 1)),
            "ticktext": names,
            "automargin": True,
            "title": {"text": "position in the gap", "standoff": 8},
            "showgrid": False,
            "domain": [_CURVES[1] + 0.08, 1.0],
        },
        yaxis2={"title": {"text": "nats"}, "domain": _CURVES, "rangemode": "tozero"},
        layout={
            "barmode": "overlay",
            "height": max(420, _ROWS[not few] * len(names) + 200),
            "margin": {"l": 56, "r": 16, "t": 48, "b": 72},
        },
    )


def _lettered(trace: Trace, found: Emergence, palette: Palette) -> list[dict[str, Any]]:
    """Return two bars, a letter and perhaps a box in each cell."""
    known = found.settling
    steps, tokens = np.nonzero(known.open)
    rows = known.places[tokens] + 1
    top = float(np.nanmax(found.class_entropy + found.class_given, initial=0.1))
    parts = [_WIDE * cells[steps, tokens] / top for cells in (found.class_entropy, found.class_given)]
    starts = [steps + 1 - _LEFT, steps + 1 - _LEFT + parts[0]]
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "x": part.round(2).tolist(),
            "base": start.round(2).tolist(),
            "y": rows.astype(np.uint8),
            "offset": 0.12,
            "width": 0.28,
            "marker": {"color": colour},
            "hoverinfo": "skip",
        }
        for part, start, colour in zip(parts, starts, (palette.accent, palette.scale[1][1]), strict=True)
    ]
    step = steps + 1
    bold = step >= found.class_settled[tokens]
    letters = [html.escape(trace.classes[place].letter) for place in found.guessed[steps, tokens].tolist()]
    middle = (rows - 0.18).round(2)
    text = {
        "type": "scatter",
        "mode": "text",
        "x": step.tolist(),
        "y": middle.tolist(),
        "text": [f"<b>{letter}</b>" if settled else letter for letter, settled in zip(letters, bold, strict=True)],
        "customdata": [
            f"{kind:.2f} + {word:.2f}"
            for kind, word in zip(found.class_entropy[steps, tokens], found.class_given[steps, tokens], strict=True)
        ],
        "hovertemplate": "step %{x}<br>kind of word + word within it: %{customdata} nats<extra></extra>",
    }
    return [*bars, text, _boxes(step, middle, step >= known.settled[tokens], palette)]


def _boxes(x: Any, y: Any, some: Bools, palette: Palette) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x[some].tolist(),
        "y": y[some].tolist(),
        "marker": {
            "symbol": "square-open",
            "size": 16,
            "color": palette.ink,
            "line": {"width": 1.5, "color": palette.ink},
        },
        "hoverinfo": "skip",
    }


def _mapped(trace: Trace, found: Emergence, palette: Palette) -> list[dict[str, Any]]:
    """Return a map of how undecided the kind of word was, with a box where the word was known: there is no room."""
    known = found.settling
    top = float(np.nanmax(found.class_entropy, initial=0.1))
    shown = np.zeros((len(trace.start.slots), known.steps))
    shown[known.places] = np.where(known.open, np.clip(found.class_entropy / top * 100, 1, 100), 0).T
    heat = {
        "type": "heatmap",
        "z": shown.round().astype(np.uint8),
        "x": list(range(1, known.steps + 1)),
        "y": list(range(1, len(shown) + 1)),
        "zmin": 0,
        "zmax": 100,
        "colorscale": [[0, "rgba(0,0,0,0)"], *[[max(stop, 0.01), colour] for stop, colour in palette.scale]],
        "showscale": False,
        "hovertemplate": "position %{y}, step %{x}<br>kind of word: %{z}% of full scale<extra></extra>",
    }
    known_at = _boxes(known.settled, known.places + 1, np.ones(len(known.places), dtype=np.bool_), palette)
    known_at["marker"] |= {"symbol": "square", "size": 6, "color": palette.scale[0][1]}  # seen on dark cells too
    return [heat, known_at]


def _curves(found: Emergence, palette: Palette) -> list[dict[str, Any]]:
    """Return the mean entropies of the masked slots in each step."""
    steps = [number for number, open_ in enumerate(found.settling.open) if open_.any()]

    def curve(cells: Cells, name: str, dash: str, where: str) -> dict[str, Any]:
        return {
            "type": "scatter",
            "mode": "lines+text",
            "x": [step + 1 for step in steps],
            "y": [round(float(np.nanmean(cells[step])), 3) for step in steps],
            "text": [name if place == 0 else "" for place in range(len(steps))],
            "textposition": where,
            "line": {"color": palette.ink, "dash": dash, "width": 1.5},
            "yaxis": "y2",
            "hovertemplate": f"step %{{x}}<br>{name}: %{{y}} nats<extra></extra>",
        }

    return [
        curve(found.class_entropy, "kind of word", "solid", "bottom right"),
        curve(found.class_given, "word within it", "dot", "top right"),
    ]
