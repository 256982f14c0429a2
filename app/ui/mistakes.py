"""How a mistake that a visitor can fix appears on the page."""

from __future__ import annotations

import html

import gradio as gr


def as_gradio_error(error: ValueError) -> gr.Error:
    """Return a message to raise; it stays until it is closed.

    It is escaped, because it may quote what was typed, and Gradio renders HTML in it.
    """
    return gr.Error(html.escape(str(error), quote=False), print_exception=False, duration=None)
