"""Reading and drawing training logs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_SYMBOLS = ("circle", "square", "diamond", "cross", "x")


@dataclass(frozen=True)
class Mask:
    """The attention mask that a step was trained with."""

    step: int
    share: float  # of all pairs of a token and a later one, those in which the later one could be seen
    rows: list[str]  # of 0 and 1: whether token i of the first 12 could see token j


@dataclass(frozen=True)
class Curve:
    """The log of one training, in order of steps."""

    steps: list[int]  # of the training losses
    losses: list[float]  # nats per token, of single batches
    validated: list[int]  # steps
    tokens: list[int]  # seen by these steps
    validation: list[float]  # nats per token
    masks: list[Mask] = field(default_factory=list)  # of an adaptation


def kept_folder(out: Path, step: int) -> Path:
    """Return the folder of a checkpoint that the training of `out` keeps."""
    return out.with_name(f"{out.name}.kept") / f"step_{step:05}"


def kept(out: Path, curve: Curve) -> dict[int, Path]:
    """Return the folders of the checkpoints that the training of `out` has kept, by step; `curve` is its log."""
    folders = {step: kept_folder(out, step) for step in sorted(curve.validated)}
    return {step: folder for step, folder in folders.items() if folder.is_dir()}


def read_log(path: Path) -> Curve:
    """Read a log of the trainer, without steps after the last checkpoint of a killed run, which were repeated.

    A cut-off last line is also left out. Raises ValueError if the file is not such a log.
    """
    training: dict[int, float] = {}
    validation: dict[int, tuple[int, float]] = {}
    masks: dict[int, Mask] = {}
    try:
        whole = path.read_text(encoding="utf-8").split("\n")[:-1]
        if not whole:
            raise ValueError("it has no whole line")
        for line in whole:
            record = json.loads(line)
            if "resumed_at" in record:
                first = record["resumed_at"]
                training = {step: loss for step, loss in training.items() if step <= first}
                validation = {step: point for step, point in validation.items() if step <= first}
                masks = {step: mask for step, mask in masks.items() if step <= first}
            elif "validation" in record:
                validation[record["step"]] = record["tokens"], record["validation"]
            else:
                training[record["step"]] = record["loss"]
                if "mask" in record:
                    masks[record["step"]] = Mask(record["step"], record["future"], record["mask"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the log of a training: {error}") from error
    return Curve(
        list(training),
        list(training.values()),
        list(validation),
        [tokens for tokens, _ in validation.values()],
        [loss for _, loss in validation.values()],
        list(masks.values()),
    )


def read_start(path: Path) -> dict[str, Any]:
    """Return what a log says of its training: `parent`, `machine`, `command` and the plan, as it was started last.

    Raises ValueError if it says none of it.
    """
    starts = [line for line in path.read_text(encoding="utf-8").split("\n")[:-1] if '"resumed_at"' in line]
    start = json.loads(starts[-1]) if starts else {}
    if not {"parent", "machine", "command"} <= start.keys():
        raise ValueError(f"{path} does not say how the training was started; train again with this version")
    return start


def draw(curves: Mapping[str, Curve], out: Path, *, title: str, training: bool = True) -> None:
    """Write a chart of validation losses over tokens, and faintly of training losses, as a page that works offline.

    Curves differ in dash and symbol as well as in colour. plotly's script is written beside the page, once per folder.
    """
    import plotly.graph_objects as go  # takes a second to import

    figure = go.Figure()
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        per_step = curve.tokens[-1] / curve.validated[-1] if any(curve.validated) else 1
        if training:
            figure.add_scatter(
                x=[step * per_step / 1e6 for step in curve.steps],
                y=curve.losses,
                mode="lines",
                line={"color": colour, "width": 1},
                opacity=0.3,
                name=f"{name}, training batches",
            )
        figure.add_scatter(
            x=[tokens / 1e6 for tokens in curve.tokens],
            y=curve.validation,
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": _DASHES[number % len(_DASHES)]},
            marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)], "size": 7},
            name=f"{name}, validation" if training else name,
        )
    if len(curves) == 1:
        _shade_annealing(figure, *curves.values())
    lowest, highest = _range([curve.validation for curve in curves.values()])
    figure.update_layout(
        title=title,
        xaxis_title="tokens seen, in millions",
        yaxis={"title": "nats per token", "range": [lowest, highest]},
        template="plotly_white",
        legend={"x": 0.99, "xanchor": "right", "y": 0.99},
    )
    figure.write_html(out, include_plotlyjs="directory")


def _shade_annealing(figure: Any, curve: Curve) -> None:
    """Shade the steps in which attention was opened from causal to full, if there were any."""
    half_open = [mask.step for mask in curve.masks if mask.share < 1]
    if half_open and any(curve.validated):
        end = min((mask.step for mask in curve.masks if mask.step > half_open[-1]), default=half_open[-1])
        figure.add_vrect(
            x0=0,
            x1=end * curve.tokens[-1] / curve.validated[-1] / 1e6,
            fillcolor="#000000",
            opacity=0.06,
            line_width=0,
            annotation_text="attention opens",
            annotation_position="bottom left",
        )


def plot(*, logs: Sequence[Path], out: Path) -> None:
    """Draw the curves of several trainings, each named after its log."""
    draw({log.stem: read_log(log) for log in logs}, out, title="Training")


_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#000000",
)  # Okabe and Ito: distinct without red and green


def _range(series: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the range of all validation losses with some room, so that early training losses do not flatten them."""
    every = [value for values in series for value in values] or [0.0, 1.0]
    room = 0.05 * (max(every) - min(every) or 1.0)
    return min(every) - room, max(every) + room
