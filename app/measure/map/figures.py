"""Draw the map: quality against forward passes, and against the risk of assuming independence."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.measure.map.configurations import YARDSTICK
from app.measure.map.statistics import Summary

_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "pentagon", "star", "hexagram")
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000")  # Okabe and Ito
_SIZE = (1500, 900)  # pixels of the picture
_HOVER = (
    "%{text}<br>NFE %{customdata[0]:.1f}, ROUGE-L %{y:.1f} [%{customdata[1]:.1f}, %{customdata[2]:.1f}]"
    "<br>risk %{customdata[3]:.2f} nats<br>%{customdata[4]}<extra></extra>"
)


def symbol(number: int) -> str:
    """Return plotly's name of a marker; the first twenty differ without colour."""
    return _SYMBOLS[number % len(_SYMBOLS)] + "-open" * (number // len(_SYMBOLS) % 2)


def draw_map(rows: Sequence[Summary], *, title: str) -> Any:
    """Return a plotly figure: symbol, colour, hover text and legend identify strategies, the front has labels."""
    import plotly.graph_objects as go  # takes a second to import
    from plotly.subplots import make_subplots

    rows = [row for row in rows if row.runs]
    figure = make_subplots(
        1, 2, shared_yaxes=True, column_widths=[0.6, 0.4], horizontal_spacing=0.03,
        subplot_titles=("quality against forward passes", "quality against the risk of independence"),
    )  # fmt: skip
    for number, name in enumerate(dict.fromkeys(row.strategy for row in rows)):
        mine = [row for row in rows if row.strategy == name]
        for panel, x in ((1, [row.nfe for row in mine]), (2, [row.risk for row in mine])):
            figure.add_trace(go.Scatter(x=x, showlegend=panel == 1, **_points(name, number, mine)), 1, panel)
    front = sorted((row for row in rows if row.front), key=lambda row: row.nfe)
    for panel, x in ((1, [row.nfe for row in front]), (2, [row.risk for row in front])):
        figure.add_trace(go.Scatter(x=x, showlegend=panel == 1, **_front(front, line=panel == 1)), 1, panel)
    figure.update_xaxes(title="forward passes (mean NFE)", rangemode="tozero", row=1, col=1)
    figure.update_xaxes(title="independence risk, nats", rangemode="tozero", row=1, col=2)
    figure.update_yaxes(title="ROUGE-L, mean", row=1, col=1)
    figure.update_layout(
        title=title,
        template="plotly_white",
        height=_SIZE[1] - 20,
        legend={"itemsizing": "constant", "font": {"size": 11}, "tracegroupgap": 0},
    )
    return figure


def write_page(figure: Any, path: Path) -> None:
    """Write a figure as one HTML file that needs no network."""
    config = {"modeBarButtonsToRemove": ["sendChartToCloud"], "displaylogo": False, "responsive": True}
    figure.write_html(path, include_plotlyjs=True, config=config)


def _points(name: str, number: int, rows: Sequence[Summary]) -> dict[str, Any]:
    return {
        "y": [row.rougeL.mean for row in rows],
        "text": [row.label for row in rows],
        "customdata": [[row.nfe, row.rougeL.low, row.rougeL.high, row.risk, _verdict(row)] for row in rows],
        "hovertemplate": _HOVER,
        "name": name,
        "legendgroup": name,
        "mode": "lines+markers" if name == YARDSTICK else "markers",
        "cliponaxis": False,
        "line": {"dash": "dot", "width": 1},
        "marker": {
            "size": 9,
            "color": _COLOURS[number % len(_COLOURS)],
            "symbol": symbol(number),
        },
    }


def _verdict(row: Summary) -> str:
    return f"at equal NFE {row.verdict} ({row.to_equal.mean:+.1f} to {YARDSTICK})"


def _front(front: Sequence[Summary], *, line: bool) -> dict[str, Any]:
    """Return rings around the points; with `line` also their names and steps from one to the next."""
    return {
        "y": [row.rougeL.mean for row in front],
        "text": [row.label for row in front],
        "name": "Pareto front",
        "legendgroup": "Pareto front",
        "mode": "lines+markers+text" if line else "markers",
        "cliponaxis": False,
        "line": {"shape": "hv", "color": "#555555", "width": 1.5},
        "marker": {"size": 16, "symbol": "circle-open", "color": "#555555", "line": {"width": 2}},
        "textposition": [("bottom right", "top right")[place % 2] for place in range(len(front))],
        "textfont": {"size": 11},
        "hoverinfo": "skip",
    }


def take_picture(figure: Any, path: Path) -> bool:
    """Take a picture of a figure (PNG) with headless Chromium; return False if there is no browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        still = Path(folder) / "still.html"
        figure.write_html(still, include_plotlyjs=True, config={"staticPlot": True})
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=10000"]
        flags += [f"--window-size={_SIZE[0]},{_SIZE[1]}", f"--user-data-dir={folder}/profile"]
        asked = [browser, *flags, f"--screenshot={path.resolve()}", still.as_uri()]
        subprocess.run(asked, check=True, capture_output=True, timeout=120)
    return True
