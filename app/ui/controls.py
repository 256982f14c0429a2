"""The choice of a strategy: a paragraph about it, and its knobs with the settings calibrated for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.presets import LEVELS, Presets
from app.sampling.fields import Value
from app.strategies.registry import BUDGETS, Strategy, find, strategies
from app.ui.pool import FIRST
from app.ui.widgets import widget

PAPER = "paper's value"
"""The setting before anything is changed."""
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}


@dataclass(frozen=True)
class StrategyControls:
    """The widgets for a strategy and the knobs of all strategies."""

    choice: gr.Dropdown
    knobs: Mapping[str, Mapping[str, Any]]  # strategy to knob to widget

    @property
    def widgets(self) -> list[Any]:
        """All of them."""
        return [self.choice, *(each for knobs in self.knobs.values() for each in knobs.values())]

    def read(self, values: Mapping[Any, Any]) -> tuple[str, dict[str, Value]]:
        """Return the strategy and its knobs, from the values by widget."""
        strategy = values[self.choice]
        return strategy, {name: values[each] for name, each in self.knobs.get(strategy, {}).items()}


def strategy_controls(choice: gr.Dropdown, model: gr.Dropdown, presets: Presets) -> StrategyControls:
    """Add the paragraph and the knobs for a dropdown of strategies; only those of the chosen one are visible.

    `presets` are those of the page's first model; while `model` is another one, only the papers' values are offered.
    """
    default = str(choice.value)
    about = gr.Markdown(explain(default), elem_classes="about-strategy")
    knobs, groups = {}, {}
    for name, strategy in strategies().items():
        if not strategy.knobs:
            continue
        with gr.Row(visible=name == default) as groups[name]:
            setting = _setting() if name in presets else None
            knobs[name] = {knob.name: widget(knob) for knob in strategy.knobs}
        if setting is not None:
            _connect(setting, model, strategy, knobs[name], presets[name])

    def show(chosen: str) -> list[Any]:
        return [explain(chosen), *[gr.Row(visible=name == chosen) for name in groups]]

    choice.change(show, choice, [about, *groups.values()], show_progress="hidden", api_visibility="private")
    return StrategyControls(choice, knobs)


def preset_values(
    strategy: Strategy, levels: Mapping[str, Mapping[str, Value]], setting: str | None
) -> Mapping[str, Value]:
    """Return the values of the calibrated knobs: the preset's, or the paper's if the setting is not a level."""
    paper = strategy.defaults
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
    """Let a setting move the knobs, clear it when a knob is moved by hand, and hide it for other models."""
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


def explain(name: str) -> str:
    """Return what a strategy does and what the step budget means for it, as Markdown."""
    strategy = find(name)
    papers = ", ".join(f"[arXiv:{paper}](https://arxiv.org/abs/{paper})" for paper in strategy.papers)
    return f"{strategy.summary} **The step budget is** {BUDGETS[strategy.budget]}. {papers}"
