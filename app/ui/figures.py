"""Tabs with the figures of a run; a figure is drawn when its tab is opened, and again after a run while it is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from plotly.graph_objects import Figure

from app.errors import InfillError
from app.ui.store import RunStore
from app.views.palette import DARK, LIGHT
from app.views.registry import views

READING = """
- **Hatched boxes** are masks: positions that are not written yet. The bar under a box shows how sure the model is of
  its current draft.
- A token on **yellow with a frame** was committed in the step on screen. The **bar** under a token shows how sure the
  model was when it committed the token, the small **number** the step in which it did.
- Scrub with the slider (arrow keys work), or play. In the text, left and right move between positions, up and down
  between steps; space plays.
- Hover over, tap or focus a position to see its best candidates *in that step*. This needs no further computation.
- With an empty suffix the model continues the prefix; with an empty prefix it leads up to the suffix; with both empty
  it writes freely. The model learns from worked examples in the prefix, as any language model does.
- Several gaps: write `[[3]]` for 3 missing tokens, `[[auto]]` if you do not know how many are missing, `[[8|3:dog]]`
  for 8 tokens of which the third is *dog*, and `\\[[` for the characters `[[`. A pinned word is **underlined twice**,
  with *given* under it.
- **NFE** counts the canvases that went through the network: the cost of a fill. The line below the numbers shows what
  the strategy based its choice on in the step on screen.
"""


def figure_tabs(runs: RunStore, run: gr.State) -> Callable[[Any], None]:
    """Build the tabs; return a function that redraws the open figure after a given event."""
    open_tab = gr.State("")
    dark = gr.Checkbox(False, visible=False)  # not a State, whose value never comes from the browser
    theme = "(...values) => [...values.slice(0, -1), document.body.classList.contains('dark')]"
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    plots: dict[str, gr.Plot] = {}

    def draw(run_name: str, view: str, is_dark: bool) -> Figure | None:
        try:
            return views()[view].draw(runs.get(run_name), DARK if is_dark else LIGHT)
        except InfillError:
            return None  # no run yet

    with gr.Tabs():
        with gr.Tab("Guide") as guide:
            gr.Markdown(READING)
        guide.select(lambda: "", None, open_tab, **quiet)
        for name, view in views().items():
            with gr.Tab(view.title, id=name) as tab:
                gr.Markdown(view.summary)
                plots[name] = gr.Plot(show_label=False, elem_id=f"plot-{name}")

            def opened(run_name: str, is_dark: bool, name: str = name) -> tuple[Figure | None, str]:
                return draw(run_name, name, is_dark), name

            tab.select(opened, [run, dark], [plots[name], open_tab], js=theme, **quiet)

    def redrawn(run_name: str, name: str, is_dark: bool) -> list[Any]:
        return [draw(run_name, each, is_dark) if each == name else gr.skip() for each in plots]

    def redraw_after(event: Any) -> None:
        event.then(redrawn, [run, open_tab, dark], list(plots.values()), js=theme, **quiet)

    return redraw_after
