"""What seeing the suffix is worth: the fill on screen beside what the autoregressive parent writes into the gap."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.errors import InfillError
from app.prefix_only import continue_prefix
from app.trace.trace import Trace
from app.ui.mistakes import as_gradio_error
from app.ui.store import RunStore

if TYPE_CHECKING:  # it imports torch
    from models.networks.autoregressive import AutoregressiveModel

LoadParent = Callable[[], "AutoregressiveModel"]

EXPLANATION = """
The bundled diffusion model was adapted from an **autoregressive parent** of the same size, trained on the same text.
The parent writes from left to right and never sees the suffix. Here it continues the same prefix with the same number
of tokens. *Best of 16* draws sixteen continuations and keeps the one that the suffix follows best: sixteen times the
work, and each is still written without seeing the suffix. This works for **a single gap** without pinned words,
because a model that writes from left to right cannot take account of what comes later.
"""


def parent_panel(runs: RunStore, run: gr.State, load: LoadParent, name_of_child: Callable[[], str]) -> None:
    """Add a closed panel with a button; `load` is called when the button is first pressed."""
    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "parent", "concurrency_limit": 1}

    def ask_parent(name: str) -> str:
        try:
            if not name:
                raise InfillError("there is no run to compare with yet: fill a gap first, then ask the parent")
            trace = runs.get(name)
            if trace.model != (child := name_of_child()):
                raise InfillError(f"this is the parent of '{child}', and the gap was filled by '{trace.model}'")
            found = continue_prefix(trace.request, load())
        except InfillError as error:
            raise as_gradio_error(error) from None
        rows = {
            "Diffusion: saw both sides": trace.fill,
            "Parent: continued the prefix": found.greedy,
            "Parent: best of 16": found.best_before_suffix,
        }
        return "".join(_row(trace, title, fill) for title, fill in rows.items())

    with gr.Accordion("What seeing the suffix is worth", open=False, elem_id="parent"):
        gr.Markdown(EXPLANATION)
        ask = gr.Button("Let the parent fill the same gap", elem_id="ask-parent")
        answer = gr.HTML(elem_id="parent-answer")
        ask.click(ask_parent, run, answer, **quiet)


def _row(trace: Trace, title: str, fill: str) -> str:
    before, after = (html.escape(part) for part in trace.request.parts)
    return f'<p><b>{title}</b><br><span class="dv-passage">{before}<mark>{html.escape(fill)}</mark>{after}</span></p>'
