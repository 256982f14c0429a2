"""Whether the model's confidence can be trusted."""

from __future__ import annotations

import numpy as np
from plotly.graph_objects import Figure

from app.analysis.calibration import calibration as analyse
from app.analysis.settling import settling
from app.trace.trace import Trace
from app.views.palette import Palette, figure, say
from app.views.registry import view


@view
def calibration(trace: Trace, palette: Palette) -> Figure:
    """Show how often the best guess became the final token, by its probability; points above the line: too modest.

    Each masked slot counts once a step, in ten bins; the number at a point says how many. Right means the run's own
    final token, not a true text.
    """
    found = analyse(trace, settling(trace))
    some = np.flatnonzero(found.counts)
    points = {
        "type": "scatter",
        "mode": "lines+markers+text",
        "x": found.confidence[some].round(3).tolist(),
        "y": found.right[some].round(3).tolist(),
        "text": [str(count) for count in found.counts[some].tolist()],
        "textposition": "top center",
        "line": {"color": palette.accent, "width": 1.5},
        "marker": {"size": 9, "color": palette.accent},
        "hovertemplate": "mean probability %{x}<br>right %{y}<br>%{text} guesses<extra></extra>",
    }
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"color": palette.ink, "dash": "dash", "width": 1},
        "hoverinfo": "skip",
    }
    nothing = not len(some)
    return figure(
        palette,
        diagonal,
        points,
        title="Calibration" if nothing else f"Calibration: expected error {100 * found.error:.0f} %",
        x="probability of the best guess",
        y="share that became the final token",
        xaxis={"range": [-0.02, 1.02]},
        yaxis={"range": [-0.02, 1.08]},
        layout=say("No guess can be compared with a final token yet.") if nothing else None,
    )
