"""The choice of a model, and the line below it that says how far its loading is."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.errors import InfillError
from app.ui.mistakes import as_gradio_error
from app.ui.pool import FIRST, ModelPool


def model_choice(page: gr.Blocks, pool: ModelPool) -> gr.Dropdown:
    """A dropdown of the models that this machine can run, hidden where there is but one; the one chosen is loaded."""
    model = gr.Dropdown(
        [(f"{pool.name}: loading…", FIRST)], value=FIRST, label="Model", visible=pool.has_others, elem_id="model"
    )
    status = gr.Markdown(visible=pool.has_others, elem_id="model-status")

    def prepare(name: str) -> Iterator[str]:
        try:
            for told in pool.prepare(name):
                yield html.escape(told, quote=False)
        except InfillError as error:
            raise as_gradio_error(error) from None

    def start() -> Iterator[str]:
        """How far the page's own model is; nothing where it is there already."""
        if pool.ready:
            yield ""
        else:
            yield from prepare(FIRST)

    if pool.has_others:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        page.load(lambda: gr.Dropdown(choices=pool.choices()), None, model, **quiet)
        page.load(start, None, status, **quiet)
        model.change(prepare, model, status, **quiet)
    return model
