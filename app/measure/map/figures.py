"""Draw the map: one figure for each question. Names stand beside the points that matter; the rest are on hover."""

from __future__ import annotations

import html
import math
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.measure.map.configurations import TRUTH, YARDSTICK
from app.measure.map.references import is_reference
from app.measure.map.statistics import Summary
from app.strategies.registry import GROUPS, find

_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "pentagon", "star", "hexagram")
_GROUPS: Mapping[str, tuple[str, str]] = {  # colour (Okabe and Ito) and symbol
    **dict(
        zip(
            GROUPS,
            (
                ("#0072b2", "circle"),
                ("#d55e00", "square"),
                ("#009e73", "diamond"),
                ("#cc79a7", "triangle-up"),
                ("#e69f00", "cross"),
            ),
            strict=True,
        )
    ),
    "What no user can have": ("#000000", "star-open"),
}
_WIDTH, _HEIGHT = 1100, 720  # pixels of the picture
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 30, 90, 60  # margins
_LABELS = 24  # at most
_FEW = 40  # points, of which all get a name for which there is room
_LETTER, _LINE = 6.3, 15.0  # pixels of a label of font size 11


def symbol(number: int) -> str:
    """Return plotly's name of a marker; the first twenty differ without colour."""
    return _SYMBOLS[number % len(_SYMBOLS)] + "-open" * (number // len(_SYMBOLS) % 2)


@dataclass(frozen=True)
class Axis:
    """A number of a row, and its name."""

    title: str
    value: Callable[[Summary], float]
    zero: bool = False  # whether the axis begins at 0
    log: bool = False  # whether each doubling takes the same room

    def place(self, row: Summary) -> float:
        """Return the number in plotly's units of the axis: its logarithm to base 10 on a log axis."""
        return math.log10(self.value(row)) if self.log else self.value(row)


@dataclass(frozen=True)
class Question:
    """A figure: what it is asked, and where the answer is read."""

    name: str  # of its picture's file
    asks: str
    x: Axis
    y: Axis
    front: Callable[[Summary], bool] = lambda row: False
    truth: bool = True  # whether the truth's own number is drawn
    arrows: bool = False  # whether an arrow leads from each configuration to the same with redraw


_NFE = Axis("forward passes (mean NFE), each doubling as wide", lambda row: row.nfe, log=True)
_NATS = Axis("nats a token for the parent (lower is likelier)", lambda row: row.nats.mean)
QUESTIONS = (
    Question("likelihood", "What do fewer passes cost in likelihood?", _NFE, _NATS, lambda row: row.nats_front),
    Question(
        "rouge",
        "What do fewer passes cost in overlap with the true middle?",
        _NFE,
        Axis("ROUGE-L, mean", lambda row: row.rougeL.mean),
        lambda row: row.front,
        truth=False,
    ),
    Question(
        "risk",
        "Does the risk of assuming independence foretell the likelihood?",
        Axis("independence risk, nats", lambda row: row.risk, zero=True),
        _NATS,
    ),
    Question(
        "diversity",
        "What is gained in likelihood, and lost in variety?",
        Axis("distinct bigrams among one problem's fills, %", lambda row: row.distinct.mean),
        _NATS,
        lambda row: row.variety_front,
        arrows=True,
    ),
    Question(
        "repetition",
        "Does the text repeat itself?",
        _NFE,
        Axis("3-grams that occurred before in the same fill, %", lambda row: row.repeated, zero=True),
    ),
)


def answerable(rows: Sequence[Summary]) -> list[Question]:
    """Return the questions for which something was measured in these rows."""
    return [
        question
        for question in QUESTIONS
        if sum(_drawable(question, row) and row.strategy != TRUTH for row in rows) > 1
    ]


def _drawable(question: Question, row: Summary) -> bool:
    return not (math.isnan(question.x.value(row)) or math.isnan(question.y.value(row)))


def draw(rows: Sequence[Summary], question: Question, *, title: str) -> Any:
    """Return the plotly figure of a question: symbol and colour tell groups apart, names stand at the main points."""
    import plotly.graph_objects as go  # takes a second to import

    truth = next((question.y.value(row) for row in rows if row.strategy == TRUTH and question.truth), math.nan)
    rows = [row for row in rows if row.strategy != TRUTH and _drawable(question, row)]
    figure = go.Figure()
    for group, (colour, shape) in _GROUPS.items():
        mine = [row for row in rows if _group(row) == group]
        if mine:
            figure.add_scatter(
                x=[question.x.value(row) for row in mine],
                y=[question.y.value(row) for row in mine],
                text=[_hover(row) for row in mine],
                hovertemplate="%{text}<extra></extra>",
                name=group,
                mode="markers",
                cliponaxis=False,
                marker={"size": 9, "color": colour, "symbol": shape, "opacity": 0.75},
            )
    curve = [row for row in rows if row.strategy == YARDSTICK and not row.preset and not row.redraw]
    if curve:
        _join(figure, question, curve, name=f"{YARDSTICK}, all budgets", dash="dot", colour="#0072b2")
    front = [row for row in rows if question.front(row)]
    if front:
        _join(
            figure, question, sorted(front, key=question.x.value), name="Pareto front", dash="solid", colour="#777777"
        )
    ranges = [_range(question.x, rows), _range(question.y, rows, truth)]
    figure.update_xaxes(title=question.x.title, range=ranges[0])
    if question.x.log:
        figure.update_xaxes(type="log", tickvals=[2**power for power in range(10)])
    figure.update_yaxes(title=question.y.title, range=ranges[1])
    if not math.isnan(truth):
        figure.add_hline(
            y=truth, line={"dash": "dash", "color": "#444444", "width": 1}, annotation_text="the truth",
            annotation_position="top right",
        )  # fmt: skip
    if question.arrows:
        _draw_arrows(figure, question, rows)
    named = [
        *front,
        *(row for row in rows if is_reference(row.strategy)),
        *(row for pair in _pairs(rows) for row in pair),
    ]
    named += [*curve, *(rows if len(rows) <= _FEW else ())]
    _name_points(figure, question, rows, list({row.label: row for row in named}.values()), ranges)
    figure.update_layout(
        title={"text": f"{question.asks}<br><sup>{html.escape(title)}</sup>", "x": 0.02, "y": 0.97, "yanchor": "top"},
        template="plotly_white",
        height=_HEIGHT,
        margin={"l": _LEFT, "r": _RIGHT, "t": _TOP, "b": _BOTTOM, "autoexpand": False},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 12}},
    )
    return figure


def _draw_arrows(figure: Any, question: Question, rows: Sequence[Summary]) -> None:
    """Draw an arrow from each configuration to the same with redraw."""
    for plain, again in _pairs(rows):
        figure.add_annotation(
            x=question.x.place(again),
            y=question.y.place(again),
            ax=question.x.place(plain),
            ay=question.y.place(plain),
            axref="x",
            ayref="y",
            text="",
            showarrow=True,
            arrowhead=2,
            arrowwidth=1.2,
            arrowcolor="#999999",
            standoff=6,
        )


def _pairs(rows: Sequence[Summary]) -> list[tuple[Summary, Summary]]:
    """Return each configuration that was also run with redraw, and that run."""
    plain = {row.label: row for row in rows}
    return [(plain[name], row) for row in rows if row.redraw and (name := row.label.removesuffix(" redraw")) in plain]


def _group(row: Summary) -> str:
    return "What no user can have" if is_reference(row.strategy) else find(row.strategy).group


def _hover(row: Summary) -> str:
    lines = [f"<b>{row.label}</b>", f"NFE {row.nfe:.1f}"]
    if not math.isnan(row.nats.mean):
        lines.append(f"{row.nats.mean:.2f} nats a token [{row.nats.low:.2f}, {row.nats.high:.2f}]")
    if not math.isnan(row.rougeL.mean):
        lines.append(f"ROUGE-L {row.rougeL.mean:.1f} [{row.rougeL.low:.1f}, {row.rougeL.high:.1f}]")
    if not math.isnan(row.distinct.mean):
        lines.append(f"distinct bigrams {row.distinct.mean:.1f} %")
    lines.append(f"repeated 3-grams {row.repeated:.1f} %, risk {row.risk:.2f} nats")
    if row.nats_verdict:
        lines.append(f"at equal NFE {row.nats_verdict} ({row.nats_to_equal.mean:+.2f} nats to {YARDSTICK})")
    return "<br>".join(lines)


def _join(figure: Any, question: Question, rows: Sequence[Summary], *, name: str, dash: str, colour: str) -> None:
    figure.add_scatter(
        x=[question.x.value(row) for row in rows],
        y=[question.y.value(row) for row in rows],
        name=name,
        mode="lines",
        hoverinfo="skip",
        line={"dash": dash, "width": 1.5, "color": colour},
    )


def _range(axis: Axis, rows: Sequence[Summary], *more: float) -> tuple[float, float]:
    values = [value for value in (*map(axis.place, rows), *more) if not math.isnan(value)]
    low, high = (0.0 if axis.zero else min(values)), max(values)
    pad = 0.06 * ((high - low) or 1.0)
    return (low if axis.zero else low - pad), high + pad


Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""


def _name_points(
    figure: Any,
    question: Question,
    rows: Sequence[Summary],
    named: Sequence[Summary],
    ranges: Sequence[tuple[float, float]],
) -> None:
    """Write names beside points, without overlap; the others are shown on hover."""
    size = (_WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM)

    def at(row: Summary) -> tuple[float, float]:
        shares = [
            (axis.place(row) - low) / (high - low)
            for axis, (low, high) in zip((question.x, question.y), ranges, strict=True)
        ]
        return shares[0] * size[0], (1 - shares[1]) * size[1]

    points = [at(row) for row in rows]
    places = place_labels([(row.label, at(row)) for row in named], points, size=size)
    for row, place in zip(named, places, strict=True):
        if place is not None:
            figure.add_annotation(
                x=question.x.place(row),
                y=question.y.place(row),
                text=row.label,
                ax=place[0],
                ay=place[1],
                showarrow=True,
                arrowhead=0,
                arrowwidth=0.7,
                arrowcolor="#888888",
                font={"size": 11},
                standoff=4,
            )


def place_labels(
    named: Sequence[tuple[str, tuple[float, float]]],
    points: Sequence[tuple[float, float]],
    *,
    size: tuple[float, float],
    most: int = _LABELS,
) -> list[tuple[float, float] | None]:
    """Return where to put the middle of each label, as an offset in pixels from its point; None if nowhere.

    A label lies inside the figure, and covers neither another label nor a point. The first have the first choice.
    """
    taken: list[Box] = [(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    found: list[tuple[float, float] | None] = []
    for text, (x, y) in named:
        wide, tall = len(text) * _LETTER, _LINE
        offset = None
        if sum(place is not None for place in found) < most:
            for far in (14, 28, 46, 70, 100):
                for turn in range(16):
                    angle = math.tau * turn / 16
                    dx, dy = math.cos(angle) * (far + wide / 2), -math.sin(angle) * (far + tall / 2)
                    box = (x + dx - wide / 2, y + dy - tall / 2, x + dx + wide / 2, y + dy + tall / 2)
                    inside = box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]
                    if inside and not any(_overlap(box, other) for other in taken):
                        offset = (dx, dy)
                        taken.append(box)
                        break
                if offset:
                    break
        found.append(offset)
    return found


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


_CONFIG = {"modeBarButtonsToRemove": ["sendChartToCloud"], "displaylogo": False, "responsive": True}


def write_page(figure: Any, path: Path) -> None:
    """Write a figure as one HTML file that needs no network."""
    figure.write_html(path, include_plotlyjs=True, config=_CONFIG)


def write_pages(figures: Sequence[Any], path: Path, *, title: str) -> None:
    """Write figures below one another as one HTML file that needs no network."""
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=not place, config=_CONFIG)
        for place, figure in enumerate(figures)
    ]
    head = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title></head><body>'
    )
    path.write_text("\n".join([head, *parts, "</body></html>\n"]), encoding="utf-8")


def take_picture(figure: Any, path: Path) -> bool:
    """Take a picture of a figure (PNG) with headless Chromium; return False if there is no browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        still = Path(folder) / "still.html"
        figure.write_html(still, include_plotlyjs=True, config={"staticPlot": True}, default_width=f"{_WIDTH}px")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=10000"]
        flags += [f"--window-size={_WIDTH + 16},{_HEIGHT + 16}", f"--user-data-dir={folder}/profile"]
        asked = [browser, *flags, f"--screenshot={path.resolve()}", still.as_uri()]
        subprocess.run(asked, check=True, capture_output=True, timeout=120)
    return True
