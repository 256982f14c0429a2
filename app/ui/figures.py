"""Tabs with the figures of a run, each drawn when it is opened, and drawn anew after a run while it is open."""

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
- **Hatched boxes** are masks: positions that are not known yet. The bar under a box is how sure the model is of its
  present draft.
- A token on **yellow with a frame** was committed in the step on screen. The **bar** under a token is how sure the
  model was when it committed it, the small **number** the step in which it did.
- Scrub with the slider (arrow keys work), or play. In the text, arrow left and right move between positions, up and
  down between steps; space plays.
- Hover over, tap or focus a position to see its best candidates *in that step*. Nothing is computed again for this.
- An empty suffix continues the prefix; an empty prefix leads up to the suffix; with both empty the model writes from
  nothing. Worked examples in the prefix are learnt from, as with any language model.
- Several gaps: write `[[3]]` where 3 tokens are missing, `[[auto]]` where you do not know how many, `[[8|3:dog]]` for 8
  with *dog* in third place, and `\\[[` for the characters themselves. A word that you pinned is **underlined
  twice**, with *given* under it.
- **NFE** is the number of forward passes: what a fill costs. The line under the numbers is what the strategy itself
  went by in the step on screen.
"""


def figure_tabs(runs: RunStore, run: gr.State) -> Callable[[Any], None]:
    """Build the tabs; returns what to call with an event after which the open figure has to be drawn anew."""
    open_tab = gr.State("")
    dark = gr.Checkbox(False, visible=False)  # not a State: those never come from the browser
    theme = "(...values) => [...values.slice(0, -1), document.body.classList.contains('dark')]"
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    plots: dict[str, gr.Plot] = {}

    def draw(run_name: str, view: str, is_dark: bool) -> Figure | None:
        try:
            return views()[view].draw(runs.get(run_name), DARK if is_dark else LIGHT)
        except InfillError:
            return None  # nothing has run yet

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
