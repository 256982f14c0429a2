"""Declared fields as Gradio widgets."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.sampling.fields import Field, Knob, OneOf, Switch, Text

_WIDEST_SLIDER = 1000


def widget(field: Field, *, value: Any = None, **settings: Any) -> Any:
    """Return the widget for a field, with the field's default unless a value is given; `settings` override its own.

    Numbers become sliders, or number boxes if their range is too wide for one; switches check boxes; choices of two a
    radio, of more a dropdown; texts and words text boxes.
    """
    domain, value = field.domain, field.default if value is None else value
    named: dict[str, Any] = {"value": value, "label": field.label, "info": domain.help}
    if isinstance(domain, Knob):
        low, high = domain.slider or (domain.low, domain.high)
        whole = 0 if field.kind is int else None
        if high - low > _WIDEST_SLIDER:
            return gr.Number(**named | {"precision": whole, "minimum": low, "maximum": high} | settings)
        step = 1 if field.kind is int else 0.01 if high - low <= 2 else 0.05
        return gr.Slider(low, high, **named | {"step": step, "precision": whole} | settings)
    if isinstance(domain, Switch):
        return gr.Checkbox(**named | settings)
    if isinstance(domain, OneOf):
        form = gr.Radio if len(domain.options) == 2 else gr.Dropdown
        return form(list(domain.options), **named | settings)
    shown = value if isinstance(value, str) else ", ".join(value)
    placeholder = getattr(domain, "placeholder", "")
    lines = 3 if isinstance(domain, Text) else 1
    return gr.Textbox(
        **named | {"value": shown, "lines": lines, "max_lines": 12, "placeholder": placeholder} | settings
    )
