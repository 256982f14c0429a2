"""Tabs with the figures of a run in a closed panel; a figure is drawn while it can be seen."""

from __future__ import annotations

from typing import Any

import gradio as gr
from plotly.graph_objects import Figure

from app.errors import InfillError
from app.ui.language import translate
from app.ui.store import RunStore
from app.views.palette import DARK, LIGHT
from app.views.registry import views

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
_SEEN = (
    "(...values) => [...values.slice(0, -2), document.body.classList.contains('dark'), document.documentElement.lang]"
)


def figure_panel(store: RunStore, component: gr.HTML) -> None:
    """Add the panel; the component's event `figure` names the run that is on the stage.

    What is open, and the run, are in hidden components: a gr.State would cost every tab of the browser a stream.
    """
    names = list(views())
    plots: dict[str, gr.Plot] = {}
    tabs: dict[str, gr.Tab] = {}
    with gr.Accordion("Figures", open=False, elem_id="figures") as panel:
        run = gr.Textbox("", visible=False)
        chosen = gr.Textbox(names[0], visible=False)
        is_open, dark = gr.Checkbox(False, visible=False), gr.Checkbox(False, visible=False)
        language = gr.Textbox("en", visible=False)
        with gr.Tabs():
            for name, view in views().items():
                with gr.Tab(view.title, id=name) as tabs[name]:
                    gr.Markdown(view.summary)
                    plots[name] = gr.Plot(show_label=False, elem_id=f"plot-{name}")

    def draw(run_name: str, view: str, is_dark: bool, code: str) -> Figure | None:
        try:
            return translate(views()[view].draw(store.get(run_name), DARK if is_dark else LIGHT), code)
        except InfillError:
            return None  # no run yet, or it is gone

    def drawn(run_name: str, view: str, shown: bool, is_dark: bool, code: str) -> list[Any]:
        """Return the figure of the tab that is open, and no change for the others."""
        return [draw(run_name, each, is_dark, code) if shown and each == view else gr.skip() for each in names]

    def another_run(event: gr.EventData, view: str, shown: bool, is_dark: bool, code: str) -> list[Any]:
        name = event._data.get("run") if isinstance(event._data, dict) else None
        name = name if isinstance(name, str) else ""
        return [name, *drawn(name, view, shown, is_dark, code)]

    def opened(run_name: str, view: str, is_dark: bool, code: str) -> list[Any]:
        return [True, *drawn(run_name, view, True, is_dark, code)]

    component.figure(another_run, [chosen, is_open, dark, language], [run, *plots.values()], js=_SEEN, **_QUIET)
    panel.expand(opened, [run, chosen, dark, language], [is_open, *plots.values()], js=_SEEN, **_QUIET)
    panel.collapse(lambda: False, None, is_open, **_QUIET)
    for name, tab in tabs.items():

        def selected(run_name: str, shown: bool, is_dark: bool, code: str, name: str = name) -> list[Any]:
            return [name, *drawn(run_name, name, shown, is_dark, code)]

        tab.select(selected, [run, is_open, dark, language], [chosen, *plots.values()], js=_SEEN, **_QUIET)
