"""The registry of views, from which the page makes its tabs."""

from __future__ import annotations

import functools
import html
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from plotly.graph_objects import Figure

import app.views
from app.trace.trace import Trace
from app.views.palette import Palette


@dataclass(frozen=True)
class View:
    """A registered view: its name, and the function that draws it."""

    name: str
    draw: Callable[[Trace, Palette], Figure]

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @property
    def summary(self) -> str:
        """First line of the docstring, which the page shows above the figure."""
        return (inspect.getdoc(self.draw) or "").partition("\n")[0]


_views: dict[str, View] = {}


def view(draw: Callable[[Trace, Palette], Figure]) -> View:
    """Register a function `(trace, palette) -> Figure` under its own name."""
    made = View(draw.__name__, draw)
    _views[made.name] = made
    return made


@functools.cache
def views() -> Mapping[str, View]:
    """Return all views by name, the unmasking order first because it is the one that most visitors want."""
    for module in pkgutil.iter_modules(app.views.__path__):
        importlib.import_module(f"app.views.{module.name}")
    return dict(sorted(_views.items(), key=lambda item: (item[0] != "unmasking_order", item[0])))


def labels(trace: Trace) -> list[str]:
    """Return a label [n] such as "3 dog" for each slot in the last state, escaped because plotly reads some HTML.

    With several gaps, the first label of each starts with "gap 2: " or the like. Labels of pinned words end in
    "(given)".
    """
    pieces, start = trace.pieces(len(trace.steps)), trace.start
    starts = {start.places(np.array([gap.start]))[0]: f"gap {n}: " for n, gap in enumerate(start.gaps, start=1)}
    return [
        f"{starts.get(place, '') if len(start.gaps) > 1 else ''}{place + 1} {html.escape(_visible(piece), quote=False)}"
        + " (given)" * bool(pinned)
        for place, (piece, pinned) in enumerate(zip(pieces, start.pinned, strict=True))
    ]


def _visible(piece: str | None) -> str:
    """Return a short visible form of a token; "·" if it has no text of its own, "▒" if it is masked."""
    if not piece:
        return "▒" if piece is None else "·"
    return piece.replace("\n", "↵").strip()[:16] or "␣"
