"""What a visitor is told when something is wrong: a mistake that they can fix, or a fault of the program."""

from __future__ import annotations

import html
import secrets
from logging import getLogger

import gradio as gr

from app.ui import metrics

_FAULT = "This is a fault in the program and not in what you sent. Try again, or send something else."


def as_gradio_error(error: ValueError) -> gr.Error:
    """Return a message to raise; it stays until it is closed.

    It is escaped, because it may quote what was typed, and Gradio renders HTML in it.
    """
    return gr.Error(html.escape(str(error), quote=False), print_exception=False, duration=None)


def report_fault(what: str, told: str = _FAULT) -> str:
    """Log and count the exception that is being handled, and return what the visitor is told.

    Both hold the same reference, so that whoever reports the fault names the entry in the log.
    """
    reference = secrets.token_hex(4)
    metrics.ERRORS.labels("crash").inc()
    getLogger(__name__).exception("%s, reference %s", what, reference)
    return f"{told} The log has it under the reference {reference}."
