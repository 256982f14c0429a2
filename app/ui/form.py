"""The form for a request: a widget for every declared field, and the way back from their values to a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from app.errors import InfillError
from app.presets import Presets
from app.sampling.fields import AUTO, State
from app.sampling.request import InfillRequest, fields_of
from app.strategies.registry import strategies
from app.ui.controls import strategy_controls
from app.ui.denoising_view import ASSETS
from app.ui.mistakes import as_gradio_error
from app.ui.widgets import widget

START = {"temperature": 0.7, "top_p": 0.95}
"""Values with which the page starts instead of the request's defaults."""
_TEXT_INFO = (
    "[[3]] is a gap of 3 tokens, [[auto]] one whose length the model chooses, [[8|3:dog]] one of 8 tokens, the third "
    "of them “dog”. While there is text here, the boxes above it and the number below it are ignored."
)
_IN_A_ROW = 3
_CONSTRAINTS = ("banned", "one_line")
_EXAMPLE = ("prefix", "suffix", "text", "length", "steps")


class Form:
    """The widgets of a request by field name. `show_first` and `show_rest` place them in the page being built."""

    def __init__(self, request: type[InfillRequest] = InfillRequest) -> None:
        """`request` is the class whose fields are shown."""
        self._request = request
        self._fields = {field.name: field for field in fields_of(request)}
        self.widgets: dict[str, Any] = {}

    def _place(self, name: str, **settings: Any) -> Any:
        self.widgets[name] = widget(self._fields[name], value=START.get(name), **settings)
        return self.widgets[name]

    def show_first(self, model: gr.Dropdown, presets: Presets) -> None:
        """Place the texts, the number of masks, the budget, the strategy with its knobs, and the examples."""
        with gr.Row():
            self._place("prefix", info=None)
            self._place("suffix", info=None)
        self._place("text", lines=1, info=_TEXT_INFO)
        with gr.Row():
            with gr.Column(min_width=160):
                self._place("length")
                self.auto = gr.Checkbox(False, label="Auto: let the model choose the number")
            self._place("steps")
            choice = gr.Dropdown(
                list(strategies()),
                value=self._fields["strategy"].default,
                label="Strategy",
                info=self._fields["strategy"].domain.help,
            )
        self.strategy = strategy_controls(choice, model, presets)
        self._show_examples()

    def _show_examples(self) -> None:
        examples = json.loads((ASSETS / "examples.json").read_text())
        gr.Examples(
            [[example[name] for name in (*_EXAMPLE, "strategy")] for example in examples],
            [*(self.widgets[name] for name in _EXAMPLE), self.strategy.choice],
            example_labels=[f"{example['mode']}: {example['title']}" for example in examples],
            label="Examples: one click fills in the form",
            examples_per_page=len(examples),
            api_visibility="private",
        )

    def show_rest(self) -> None:
        """Place every other field, in two closed panels."""
        placed = {*self.widgets, "strategy", "knobs"}
        rest = [n for n, field in self._fields.items() if n not in placed and not isinstance(field.domain, State)]
        for title, names in (
            ("Sampling", [name for name in rest if name not in _CONSTRAINTS]),
            ("Constraints", [name for name in rest if name in _CONSTRAINTS]),
        ):
            with gr.Accordion(title, open=False):
                for start in range(0, len(names), _IN_A_ROW):
                    with gr.Row():
                        for name in names[start : start + _IN_A_ROW]:
                            self._place(name)

    @property
    def inputs(self) -> set[Any]:
        """Every widget that a request is read from."""
        return {*self.widgets.values(), self.auto, *self.strategy.widgets}

    def read(self, values: Mapping[Any, Any]) -> InfillRequest:
        """Return the request for the values by widget. Raises gr.Error; what the visitor typed stays in place."""
        given = {name: values[each] for name, each in self.widgets.items()}
        given["strategy"], given["knobs"] = self.strategy.read(values)
        if values[self.auto]:
            given["length"] = AUTO
        if given["text"]:
            given["prefix"] = given["suffix"] = ""
        try:
            return self._request(**given)
        except InfillError as error:
            raise as_gradio_error(error) from None
