"""Strategies as widgets: a paragraph on the chosen one, and the knobs of each, shown when it is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.strategies.registry import BUDGETS, Choice, Parameter, Value, find, strategies


@dataclass(frozen=True)
class StrategyControls:
    choice: gr.Dropdown
    knobs: list[Any]  # the widgets of all strategies' knobs, in the order of `strategies()`
    names: list[tuple[str, str]]  # strategy and knob of each

    def chosen(self, strategy: str, values: tuple[Any, ...]) -> dict[str, Value]:
        """The knobs of one strategy, out of the values of all widgets."""
        return {knob: value for (owner, knob), value in zip(self.names, values, strict=True) if owner == strategy}


def strategy_controls(choice: gr.Dropdown) -> StrategyControls:
    """Add the paragraph and the knobs for a dropdown of strategies; knobs of those not chosen are hidden."""
    default = str(choice.value)
    about = gr.Markdown(explanation(default), elem_classes="about-strategy")
    knobs, names, groups = [], [], {}
    for name, strategy in strategies().items():
        if not strategy.parameters:
            continue
        with gr.Row(visible=name == default) as groups[name]:
            for parameter in strategy.parameters:
                knobs.append(_widget(parameter))
                names.append((name, parameter.name))

    def show(chosen: str) -> list[Any]:
        return [explanation(chosen), *[gr.Row(visible=name == chosen) for name in groups]]

    choice.change(show, choice, [about, *groups.values()], show_progress="hidden", api_visibility="private")
    return StrategyControls(choice, knobs, names)


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
