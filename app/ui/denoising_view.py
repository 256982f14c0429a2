"""The component that draws a run in the browser; its parts are assets/denoising_view.{html,js} and style.css."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from app.errors import InfillError
from app.trace import messages, recording
from app.trace.trace import Trace
from app.ui.store import RunStore

ASSETS = Path(__file__).parents[2] / "assets"

Answer = dict[str, Any]


def denoising_view(runs: RunStore) -> gr.HTML:
    """Return a gr.HTML whose value is one of `messages`; its template is static, so text is never read as HTML.

    This is a function and not a subclass, because Gradio writes a .pyi file beside the source of subclasses.
    """

    def answer(asked: Any, look_up: Callable[[Trace, Any], Answer]) -> Answer:
        """Answer the browser's question about a run; a mistake is returned as data, because it cannot be raised."""
        asked = asked if isinstance(asked, dict) else {}
        try:
            return look_up(runs.get(asked.get("run")), asked.get("step"))
        except InfillError as error:
            return {"error": str(error)}

    # Gradio passes a server function a single value; here it is {run, step}.
    def opening(asked: Any) -> Answer:
        return answer(asked, lambda trace, _: {"opening": messages.build_opening(trace)})

    def candidates(asked: Any) -> Answer:
        return answer(asked, lambda trace, step: {"candidates": messages.list_candidates(trace, step)})

    def recorded(asked: Any) -> Answer:
        return answer(asked, lambda trace, _: {"trace": recording.dump(trace)})

    return gr.HTML(
        elem_id="denoising",
        html_template=(ASSETS / "denoising_view.html").read_text(),
        js_on_load=(ASSETS / "denoising_view.js").read_text(),
        server_functions=[opening, candidates, recorded],
        apply_default_css=False,
    )
