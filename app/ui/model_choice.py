"""The choice of a model, and the line below it that says how far its loading is."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.errors import InfillError
from app.ui.mistakes import shown
from app.ui.shelf import FIRST, Shelf


def model_choice(page: gr.Blocks, shelf: Shelf) -> gr.Dropdown:
    """A dropdown of the models that this machine can run, hidden where there is but one; the one chosen is loaded."""
    model = gr.Dropdown(
        [(f"{shelf.name}: loading…", FIRST)], value=FIRST, label="Model", visible=shelf.has_others, elem_id="model"
    )
    status = gr.Markdown(visible=shelf.has_others, elem_id="model-status")

    def prepare(name: str) -> Iterator[str]:
        try:
            for told in shelf.preparing(name):
                yield html.escape(told, quote=False)
        except InfillError as error:
            raise shown(error) from None

    def start() -> Iterator[str]:
        """How far the page's own model is; nothing where it is there already."""
        if shelf.ready:
            yield ""
        else:
            yield from prepare(FIRST)

    if shelf.has_others:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        page.load(lambda: gr.Dropdown(choices=shelf.choices()), None, model, **quiet)
        page.load(start, None, status, **quiet)
        model.change(prepare, model, status, **quiet)
    return model
