"""The choice of a model, and a line below it with the progress of loading."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.errors import InfillError
from app.ui.mistakes import as_gradio_error
from app.ui.pool import FIRST, ModelPool


def model_choice(page: gr.Blocks, pool: ModelPool) -> gr.Dropdown:
    """Return a dropdown of the models that this machine can run, hidden if there is only one; choosing one loads it."""
    model = gr.Dropdown(
        [(f"{pool.name}: loading…", FIRST)], value=FIRST, label="Model", visible=pool.has_others, elem_id="model"
    )
    status = gr.Markdown(visible=pool.has_others, elem_id="model-status")

    def prepare(name: str) -> Iterator[str]:
        try:
            for progress in pool.prepare(name):
                yield html.escape(progress, quote=False)
        except InfillError as error:
            raise as_gradio_error(error) from None

    def start() -> Iterator[str]:
        """Yield the progress of loading the page's first model; an empty text if it is loaded already."""
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
