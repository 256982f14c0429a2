"""The page: what to fill in, the live view, the figures; a run is one generator from the request to the browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import gradio as gr

from app.errors import InfillError
from app.presets import Presets
from app.sampling.request import GUIDES, MAX_LENGTH, MAX_STEPS, TIME_LIMIT, InfillRequest
from app.sampling.template import AUTO
from app.strategies.registry import strategies
from app.trace import messages, recording
from app.trace.trace import Trace
from app.ui.controls import StrategyControls, strategy_controls
from app.ui.denoising_view import ASSETS, denoising_view
from app.ui.endpoint import endpoint
from app.ui.figures import figure_tabs
from app.ui.mistakes import shown
from app.ui.model_choice import model_choice
from app.ui.parent import LoadParent, parent_panel
from app.ui.runner import runner, runs_at_once
from app.ui.runs import Runs, closed
from app.ui.shelf import Shelf

INTRODUCTION = """# Infilling playground
Give a **prefix**, a **suffix** and a **step budget**: a masked diffusion language model fills what lies between, and
you see every denoising state and the order in which the tokens unmask. Or write a **text with several gaps**."""


class Inputs(NamedTuple):
    """The widgets of a request, in the order in which their values arrive."""

    prefix: gr.Textbox
    suffix: gr.Textbox
    text: gr.Textbox
    length: gr.Slider
    auto: gr.Checkbox
    steps: gr.Slider
    temperature: gr.Slider
    top_p: gr.Slider
    seed: gr.Number
    space: gr.Checkbox
    guidance: gr.Slider
    guided_by: gr.Radio
    banned: gr.Textbox
    one_line: gr.Checkbox


def build(
    shelf: Shelf, *, parent: LoadParent | None = None, presets: Presets | None = None, time_limit: float = TIME_LIMIT
) -> gr.Blocks:
    """The page as Gradio Blocks; `launch_options()` belongs to it.

    `parent` loads what the first model was adapted from, `presets` are those that were calibrated for it.
    """
    runs, make = Runs(), runner(shelf, time_limit)
    examples = json.loads((ASSETS / "examples.json").read_text())
    hour = 3600  # uploaded files are deleted after one
    with gr.Blocks(title="Infilling playground", analytics_enabled=False, delete_cache=(hour, hour)) as page:
        gr.Markdown(INTRODUCTION)
        run = gr.State("")
        model = model_choice(page, shelf)
        with gr.Row():
            prefix = gr.Textbox(label="Prefix", lines=3, max_lines=12, placeholder="What stands before the gap")
            suffix = gr.Textbox(label="Suffix", lines=3, max_lines=12, placeholder="What stands after the gap")
        text = gr.Textbox(
            label="Or a text with several gaps",
            info="[[3]] is a gap of 3 tokens, [[auto]] one whose number is chosen, [[8|3:dog]] has 8, the third “dog”. "
            "While there is a text here, the boxes above it and the number below it do not count.",
            max_lines=12,
            placeholder="Tom went to the [[3]] and saw a [[auto]] dog.",
        )
        with gr.Row():
            with gr.Column(min_width=160):
                length = gr.Slider(
                    1, MAX_LENGTH, value=16, step=1, precision=0, label="Number of masks", info="tokens to fill in"
                )
                auto = gr.Checkbox(False, label="Auto: let the model choose the number")
            steps = gr.Slider(
                1, MAX_STEPS, value=16, step=1, precision=0, label="Step budget", info="fewer: more tokens at once"
            )
            choice = gr.Dropdown(
                list(strategies()), value=InfillRequest.strategy, label="Strategy", info="who goes first"
            )
        strategy = strategy_controls(choice, model, presets or {})
        gr.Examples(
            [[e[name] for name in ("prefix", "suffix", "text", "length", "steps", "strategy")] for e in examples],
            [prefix, suffix, text, length, steps, strategy.choice],
            example_labels=[f"{e['mode']}: {e['title']}" for e in examples],
            label="Examples: one click fills in the boxes",
            examples_per_page=len(examples),
            api_visibility="private",
        )
        with gr.Row(elem_id="actions"):
            fill = gr.Button("Fill", variant="primary", elem_id="fill", min_width=100)
            stop = gr.Button("Stop", variant="stop", elem_id="stop", min_width=100)
            upload = gr.UploadButton(
                "Open a trace", file_types=[".json"], type="binary", elem_id="open-trace", min_width=100
            )
        view = denoising_view(runs)
        with gr.Accordion("Sampling", open=False):
            sampling = _sampling()
        with gr.Accordion("Constraints", open=False), gr.Row():
            banned = gr.Textbox(
                "", label="Banned words", info="never written, in whatever case", placeholder="dog, cat"
            )
            one_line = gr.Checkbox(False, label="One line only", info="never write a line break")
        inputs = Inputs(prefix, suffix, text, length, auto, steps, *sampling, banned, one_line)
        redraw_after = figure_tabs(runs, run)
        if parent is not None:
            parent_panel(runs, run, parent, lambda: shelf.first().name)

        def fill_in(chosen: str, *values: Any) -> Iterator[tuple[Any, Any]]:
            name, request = runs.name(), _requested(values, inputs, strategy)
            for trace in _kept(make(request, chosen), runs, name):
                message = (
                    messages.build_live(trace, name)
                    if trace.ended == "running"
                    else messages.build_closing(trace, name)
                )
                yield message, name if not trace.steps else gr.skip()

        def chosen_number(name: str) -> Any:
            """Where the number was chosen, the slider goes there, so that it can be changed by a little."""
            with suppress(InfillError):
                trace = runs.get(name)
                if trace.choices and not trace.request.text:
                    return trace.request.length
            return gr.skip()

        def stopped(name: str) -> Any:
            try:
                # The generator is closed only when the step in flight ends; what is on screen ends now.
                return messages.build_closing(runs.end(name), name)
            except InfillError:
                return gr.skip()  # nothing has run yet

        def opened(content: bytes) -> tuple[messages.Message, str]:
            try:
                trace = closed(recording.load(content.decode()))
            except UnicodeDecodeError:
                raise shown(InfillError("this file is not a trace: it is not text")) from None
            except InfillError as error:
                raise shown(error) from None
            name = runs.name()
            runs.put(name, trace)
            return messages.build_closing(trace, name), name

        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        shared: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": runs_at_once()}
        asked = [fill.click, prefix.submit, suffix.submit, text.submit]
        gr.on(asked, None, js="() => { window.dispatchEvent(new Event('fill-asked-for')); }", api_visibility="private")
        filling = gr.on(
            asked,
            fill_in,
            [model, *inputs, strategy.choice, *strategy.knobs],
            [view, run],
            **shared,
            **quiet,
        )
        redraw_after(filling)
        filling.success(chosen_number, run, length, **quiet)
        filling.failure(stopped, run, view, queue=False, **quiet)  # what came before a crash stays
        filling.failure(None, js="() => { window.dispatchEvent(new Event('fill-refused')); }", api_visibility="private")
        redraw_after(stop.click(stopped, run, view, cancels=filling, queue=False, **quiet))
        redraw_after(upload.upload(opened, upload, [view, run], cancels=filling, **quiet))
        gr.api(endpoint(make), api_name="infill", **shared)  # pyright: ignore[reportPrivateImportUsage]
    page.queue(max_size=24)
    return page


def _sampling() -> tuple[gr.Slider, gr.Slider, gr.Number, gr.Checkbox, gr.Slider, gr.Radio]:
    """The widgets from `temperature` to `guided_by`."""
    with gr.Row():
        temperature = gr.Slider(0, 2, value=0.7, step=0.05, label="Temperature", info="0: the likeliest token")
        top_p = gr.Slider(0.05, 1, value=0.95, step=0.05, label="Top-p", info="1 switches it off")
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**32 - 1, info="same seed, same run")
        space = gr.Checkbox(True, label="Space between words", info="off: the gap may end inside a word")
    with gr.Row():
        guidance = gr.Slider(
            0, 5, value=0, step=0.1, label="Guidance", info="how much more one side counts; 0 is off, else two passes"
        )
        guided_by = gr.Radio(
            list(GUIDES), value=InfillRequest.guided_by, label="Guided by", info="the side that counts"
        )
    return temperature, top_p, seed, space, guidance, guided_by


def launch_options() -> dict[str, Any]:
    """What belongs to `launch` in Gradio 6: looks, and nothing that leaves the machine."""
    return {
        "css_paths": [ASSETS / "style.css"],
        "theme": gr.themes.Default(),  # pyright: ignore[reportPrivateImportUsage]
        "footer_links": ["api", "gradio", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "max_threads": 64,  # for the runs of four models, those that wait included
        "max_file_size": "16mb",
        "ssr_mode": False,
    }


def _requested(values: tuple[Any, ...], inputs: Inputs, strategy: StrategyControls) -> InfillRequest:
    """The widgets' values as a request. Raises gr.Error, the visitor's text stays where it is."""
    given = dict(zip(inputs._fields, values, strict=False))
    chosen, knobs = values[len(inputs)], values[len(inputs) + 1 :]
    if given.pop("auto"):
        given["length"] = AUTO
    if given["text"]:
        given["prefix"] = given["suffix"] = ""
    try:
        return InfillRequest(strategy=chosen, knobs=strategy.chosen(chosen, knobs), **given)
    except InfillError as error:
        raise shown(error) from None


def _kept(traces: Iterator[Trace], runs: Runs, name: str) -> Iterator[Trace]:
    """The traces of a run, each remembered under its name; a run that is closed early is remembered as stopped.

    It ends by itself where *Stop* has ended it meanwhile: Gradio's own cancelling may come some steps later.
    """
    trace = None
    try:
        for trace in traces:
            if runs.put(name, trace) is not trace:
                return
            yield trace
    except InfillError as error:
        raise shown(error) from None
    finally:
        if trace is not None:
            runs.put(name, closed(trace))
