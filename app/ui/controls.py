"""Strategies as widgets: a paragraph on the chosen one, and its knobs with the settings calibrated for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.presets import LEVELS, Presets
from app.strategies.registry import BUDGETS, Choice, Parameter, Strategy, Value, find, strategies
from app.ui.shelf import FIRST

PAPER = "paper's value"
"""The setting of a page that nobody has touched."""
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}


@dataclass(frozen=True)
class StrategyControls:
    choice: gr.Dropdown
    knobs: list[Any]  # the widgets of all strategies' knobs, in the order of `strategies()`
    names: list[tuple[str, str]]  # strategy and knob of each

    def chosen(self, strategy: str, values: tuple[Any, ...]) -> dict[str, Value]:
        """The knobs of one strategy, out of the values of all widgets."""
        return {knob: value for (owner, knob), value in zip(self.names, values, strict=True) if owner == strategy}


def strategy_controls(choice: gr.Dropdown, model: gr.Dropdown, presets: Presets) -> StrategyControls:
    """Add the paragraph and the knobs for a dropdown of strategies; knobs of those not chosen are hidden.

    `presets` are those of the page's first model; while `model` is another one, only the papers' values are offered.
    """
    default = str(choice.value)
    about = gr.Markdown(explanation(default), elem_classes="about-strategy")
    knobs, names, groups = [], [], {}
    for name, strategy in strategies().items():
        if not strategy.parameters:
            continue
        with gr.Row(visible=name == default) as groups[name]:
            setting = _setting() if name in presets else None
            widgets = {parameter.name: _widget(parameter) for parameter in strategy.parameters}
        if setting is not None:
            _connect(setting, model, strategy, widgets, presets[name])
        knobs += widgets.values()
        names += [(name, knob) for knob in widgets]

    def show(chosen: str) -> list[Any]:
        return [explanation(chosen), *[gr.Row(visible=name == chosen) for name in groups]]

    choice.change(show, choice, [about, *groups.values()], show_progress="hidden", api_visibility="private")
    return StrategyControls(choice, knobs, names)


def preset_values(
    strategy: Strategy, levels: Mapping[str, Mapping[str, Value]], setting: str | None
) -> Mapping[str, Value]:
    """Of the calibrated knobs: their preset, or the paper's value where the setting is no level."""
    paper = {parameter.name: parameter.default for parameter in strategy.parameters}
    return levels.get(setting or PAPER) or {knob: paper[knob] for knob in levels[next(iter(LEVELS))]}


def _setting() -> gr.Dropdown:
    return gr.Dropdown([PAPER, *LEVELS], value=PAPER, label="Setting", info="the paper's, or calibrated for this model")


def _connect(
    setting: gr.Dropdown,
    model: gr.Dropdown,
    strategy: Strategy,
    widgets: Mapping[str, Any],
    levels: Mapping[str, Mapping[str, Value]],
) -> None:
    """A setting moves the knobs; a knob that is moved by hand leaves no setting; another model has none."""
    moved = [widgets[knob] for knob in preset_values(strategy, levels, PAPER)]

    def move(chosen: str | None) -> dict[Any, Any]:
        return {widgets[knob]: value for knob, value in preset_values(strategy, levels, chosen).items()}

    def change(name: str, chosen: str | None) -> dict[Any, Any]:
        if name == FIRST or chosen not in levels:
            return {setting: gr.Dropdown(visible=name == FIRST)}
        return {setting: gr.Dropdown(value=PAPER, visible=False), **move(PAPER)}

    setting.input(move, setting, moved, **_QUIET)
    gr.on([widget.input for widget in moved], None, None, setting, js="() => null", **_QUIET)
    model.change(change, [model, setting], [setting, *moved], **_QUIET)


def explanation(name: str) -> str:
    """What a strategy does and what the step budget means for it, as markdown."""
    strategy = find(name)
    papers = ", ".join(f"[arXiv:{paper}](https://arxiv.org/abs/{paper})" for paper in strategy.papers)
    return f"{strategy.summary} **The step budget is** {BUDGETS[strategy.budget]}. {papers}"


def _widget(parameter: Parameter) -> Any:
    label, domain = parameter.name.replace("_", " "), parameter.domain
    if isinstance(domain, Choice):
        return gr.Dropdown(list(domain.options), value=parameter.default, label=label, info=domain.help)  # pyright: ignore
    if parameter.kind is bool:
        return gr.Checkbox(value=bool(parameter.default), label=f"{label}: {domain.help}")
    step = 1 if parameter.kind is int else 0.01 if domain.high - domain.low <= 2 else 0.05
    return gr.Slider(
        domain.low,
        domain.high,
        value=float(parameter.default),
        step=step,
        label=label,
        info=domain.help,
        precision=0 if parameter.kind is int else None,
    )
