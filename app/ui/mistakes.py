"""How a mistake that a visitor can put right appears on the page."""

from __future__ import annotations

import html

import gradio as gr


def shown(error: ValueError) -> gr.Error:
    """A message to raise; it stays until it is closed. It may quote what was typed, and Gradio renders HTML in it."""
    return gr.Error(html.escape(str(error), quote=False), print_exception=False, duration=None)
