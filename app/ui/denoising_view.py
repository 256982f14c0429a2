"""The custom component that draws a run in the browser; its parts are assets/denoising_view.{html,js} and style.css."""

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
    """A gr.HTML whose value is one message of `messages`; its template is static, so no text is ever read as HTML.

    A function, not a subclass: of subclasses Gradio writes a .pyi file beside the source.
    """

    def answer(asked: Any, look_up: Callable[[Trace, Any], Answer]) -> Answer:
        """What the browser asks for about a run; a mistake travels as data, there is no other way to say it."""
        asked = asked if isinstance(asked, dict) else {}
        try:
            return look_up(runs.get(asked.get("run")), asked.get("step"))
        except InfillError as error:
            return {"error": str(error)}

    # Gradio hands a server function one value, whatever it is called with; here it is {run, step}.
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
