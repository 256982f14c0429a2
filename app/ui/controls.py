"""Strategies as widgets: a paragraph on the chosen one, and its knobs with the settings calibrated for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.calibration import LEVELS, Presets
from app.strategies.registry import BUDGETS, Choice, Parameter, Strategy, Value, find, strategies
from app.ui.shelf import FIRST

PAPER = "paper's value"
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
            widgets = [_widget(parameter) for parameter in strategy.parameters]
        if setting is not None:
            _connect(setting, model, strategy, widgets, presets[name])
        knobs += widgets
        names += [(name, parameter.name) for parameter in strategy.parameters]

    def show(chosen: str) -> list[Any]:
        return [explanation(chosen), *[gr.Row(visible=name == chosen) for name in groups]]

    choice.change(show, choice, [about, *groups.values()], show_progress="hidden", api_visibility="private")
    return StrategyControls(choice, knobs, names)


def preset_values(strategy: Strategy, levels: Mapping[str, Mapping[str, Value]], setting: str) -> list[Any]:
    """Of all knobs of a strategy, in order: its preset or the paper's value; `gr.skip()` for uncalibrated ones."""
    paper = {parameter.name: parameter.default for parameter in strategy.parameters}
    calibrated = levels[next(iter(LEVELS))]
    chosen = levels.get(setting, paper)
    return [chosen[knob] if knob in calibrated else gr.skip() for knob in paper]


def _setting() -> gr.Dropdown:
    return gr.Dropdown([PAPER, *LEVELS], value=PAPER, label="Setting", info="calibrated for this model")


def _connect(
    setting: gr.Dropdown,
    model: gr.Dropdown,
    strategy: Strategy,
    widgets: list[Any],
    levels: Mapping[str, Mapping[str, Value]],
) -> None:
    """A setting moves the knobs; a knob that is moved by hand leaves no setting; another model has none."""
    setting.input(lambda chosen: preset_values(strategy, levels, chosen), setting, widgets, **_QUIET)
    for parameter, widget in zip(strategy.parameters, widgets, strict=True):
        if parameter.name in levels[next(iter(LEVELS))]:
            widget.input(None, None, setting, js="() => null", **_QUIET)

    def change(name: str, chosen: str | None) -> list[Any]:
        kept = chosen if name == FIRST or chosen not in LEVELS else PAPER
        values = preset_values(strategy, levels, kept) if kept != chosen else [gr.skip()] * len(widgets)
        return [gr.Dropdown(value=kept, visible=name == FIRST), *values]

    model.change(change, [model, setting], [setting, *widgets], **_QUIET)


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
