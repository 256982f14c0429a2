"""The page: what to fill in, the live view, the figures; a run is one generator from the request to the browser."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import gradio as gr
from plotly.graph_objects import Figure

from app import messages, recording
from app.errors import InfillError
from app.infill import infill
from app.request import MAX_LENGTH, MAX_STEPS, InfillRequest
from app.strategies.registry import strategies
from app.trace import Trace
from app.ui.controls import StrategyControls, strategy_controls
from app.ui.denoising_view import ASSETS, denoising_view
from app.ui.runs import Runs
from app.views.palette import DARK, LIGHT
from app.views.registry import views
from models.denoiser import Denoiser

TIME_LIMIT = 90.0
"""Seconds after which a run on the page ends; what is there stays."""

DEFAULT_STRATEGY = "low_confidence"

INTRODUCTION = """# Infilling playground
Give a **prefix**, a **suffix** and a **step budget**: a masked diffusion language model fills what lies between, and
you see every denoising state and the order in which the tokens unmask."""

READING = """
- **Hatched boxes** are masks: positions that are not known yet. The bar under a box is how sure the model is of its
  present draft.
- A token on **yellow with a frame** was committed in the step on screen. The **bar** under a token is how sure the
  model was when it committed it, the small **number** the step in which it did.
- Scrub with the slider (arrow keys work), or play. In the text, arrow left and right move between positions, up and
  down between steps; space plays.
- Hover over, tap or focus a position to see its best candidates *in that step*. Nothing is computed again for this.
- An empty suffix continues the prefix; an empty prefix leads up to the suffix; with both empty the model writes from
  nothing. Worked examples in the prefix are learnt from, as with any language model.
- **NFE** is the number of forward passes: what a fill costs.
"""


class Inputs(NamedTuple):
    """The widgets of a request, in the order in which their values arrive."""

    prefix: gr.Textbox
    suffix: gr.Textbox
    length: gr.Slider
    steps: gr.Slider
    temperature: gr.Slider
    top_p: gr.Slider
    seed: gr.Number
    space: gr.Checkbox


class LazyDenoiser:
    """Loads a denoiser once, in the background if asked to, so that the page need not wait for torch."""

    def __init__(self, load: Callable[[], Denoiser]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._denoiser: Denoiser | None = None

    def start(self) -> None:
        threading.Thread(target=self.get, name="load-model", daemon=True).start()

    def get(self) -> Denoiser:
        with self._lock:
            if self._denoiser is None:
                self._denoiser = self._load()
            return self._denoiser


def build(denoiser: LazyDenoiser, *, time_limit: float = TIME_LIMIT) -> gr.Blocks:
    """The page as Gradio Blocks; `launch_options()` belongs to it."""
    runs = Runs()
    examples = json.loads((ASSETS / "examples.json").read_text())
    with gr.Blocks(title="Infilling playground", analytics_enabled=False) as page:
        gr.Markdown(INTRODUCTION)
        run = gr.State("")
        with gr.Row():
            prefix = gr.Textbox(label="Prefix", lines=3, max_lines=12, placeholder="What stands before the gap")
            suffix = gr.Textbox(label="Suffix", lines=3, max_lines=12, placeholder="What stands after the gap")
        with gr.Row():
            length = gr.Slider(
                1, MAX_LENGTH, value=16, step=1, precision=0, label="Number of masks", info="tokens to fill in"
            )
            steps = gr.Slider(
                1, MAX_STEPS, value=16, step=1, precision=0, label="Step budget", info="fewer: more tokens at once"
            )
            choice = gr.Dropdown(list(strategies()), value=DEFAULT_STRATEGY, label="Strategy", info="who goes first")
        strategy = strategy_controls(choice)
        gr.Examples(
            [[e["prefix"], e["suffix"], e["length"], e["steps"], e["strategy"]] for e in examples],
            [prefix, suffix, length, steps, strategy.choice],
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
        with gr.Accordion("Sampling", open=False), gr.Row():
            temperature = gr.Slider(0, 2, value=0.7, step=0.05, label="Temperature", info="0: the likeliest token")
            top_p = gr.Slider(0.05, 1, value=0.95, step=0.05, label="Top-p", info="1 switches it off")
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**32 - 1, info="same seed, same run")
            space = gr.Checkbox(True, label="Space between words", info="off: the gap may end inside a word")
        inputs = Inputs(prefix, suffix, length, steps, temperature, top_p, seed, space)
        draw_open_tab = _figures(runs, run)

        def fill_in(*values: Any) -> Iterator[tuple[Any, Any]]:
            name = runs.name()
            for trace in _kept(_requested(values, inputs, strategy), denoiser, runs, name, time_limit):
                message = messages.live(trace, name) if trace.ended == "running" else messages.closing(trace, name)
                yield message, name if not trace.steps else gr.skip()

        def stopped(name: str) -> Any:
            try:
                trace = runs.get(name)
            except InfillError:
                return gr.skip()  # nothing has run yet
            # The generator is closed only when the step in flight ends; what is on screen ends now.
            return messages.closing(_closed(trace), name)

        def opened(content: bytes) -> tuple[messages.Message, str]:
            try:
                trace = recording.load(content.decode())
            except UnicodeDecodeError:
                raise _shown(InfillError("this file is not a trace: it is not text")) from None
            except InfillError as error:
                raise _shown(error) from None
            name = runs.name()
            runs.put(name, trace)
            return messages.closing(trace, name), name

        filling = gr.on(
            [fill.click, prefix.submit, suffix.submit],
            fill_in,
            [*inputs, strategy.choice, *strategy.knobs],
            [view, run],
            concurrency_id="model",
            concurrency_limit=1,
            show_progress="hidden",
            api_visibility="private",
        )
        draw_open_tab(filling)
        draw_open_tab(
            stop.click(
                stopped, run, view, cancels=filling, queue=False, show_progress="hidden", api_visibility="private"
            )
        )
        draw_open_tab(upload.upload(opened, upload, [view, run], show_progress="hidden", api_visibility="private"))
        gr.api(  # pyright: ignore[reportPrivateImportUsage]
            _endpoint(denoiser, runs, time_limit), api_name="infill", concurrency_id="model", concurrency_limit=1
        )
    page.queue(max_size=24)
    return page


def launch_options() -> dict[str, Any]:
    """What belongs to `launch` in Gradio 6: looks, and nothing that leaves the machine."""
    return {
        "css_paths": [ASSETS / "style.css"],
        "theme": gr.themes.Default(),  # pyright: ignore[reportPrivateImportUsage]
        "footer_links": ["api", "gradio", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "max_file_size": "16mb",
        "ssr_mode": False,
    }


def _requested(values: tuple[Any, ...], inputs: Inputs, strategy: StrategyControls) -> InfillRequest:
    """The widgets' values as a request. Raises gr.Error, the visitor's text stays where it is."""
    given = dict(zip(inputs._fields, values, strict=False))
    chosen, knobs = values[len(inputs)], values[len(inputs) + 1 :]
    try:
        return InfillRequest(strategy=chosen, knobs=strategy.chosen(chosen, knobs), **given)
    except InfillError as error:
        raise _shown(error) from None


def _shown(error: ValueError) -> gr.Error:
    """As a message on the page; it may quote what was typed, and Gradio renders HTML in it."""
    return gr.Error(html.escape(str(error), quote=False), print_exception=False, duration=None)


def _kept(request: InfillRequest, denoiser: LazyDenoiser, runs: Runs, name: str, time_limit: float) -> Iterator[Trace]:
    """The traces of a run, each remembered under its name; a run that is closed early is remembered as stopped."""
    trace = None
    try:
        for trace in infill(request, denoiser.get(), time_limit=time_limit):
            runs.put(name, trace)
            yield trace
    except ValueError as error:  # InfillError, or a model that cannot be loaded
        raise _shown(error) from None
    finally:
        if trace is not None:
            runs.put(name, _closed(trace))


def _closed(trace: Trace) -> Trace:
    """A trace that nothing will be added to."""
    return replace(trace, ended="stopped") if trace.ended == "running" else trace


def _endpoint(denoiser: LazyDenoiser, runs: Runs, time_limit: float) -> Callable[..., Iterator[dict[str, Any]]]:
    def infill_text(
        prefix: str,
        suffix: str = "",
        length: int = 16,
        steps: int = 16,
        strategy: str = DEFAULT_STRATEGY,
        knobs: dict[str, Any] | None = None,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        space: bool = True,
    ) -> Iterator[dict[str, Any]]:
        """Fill the gap between prefix and suffix; yields the state before the first denoising step and after each.

        Args:
            prefix: the text before the gap; may be empty.
            suffix: the text after the gap; may be empty.
            length: number of masked tokens.
            steps: the step budget.
            strategy: name of a decoding strategy.
            knobs: the strategy's own settings.
            temperature: 0 takes the most probable token.
            top_p: nucleus mass.
            seed: the same seed gives the same run.
            space: put a space before a suffix that starts with a letter or digit.
        """
        try:
            request = InfillRequest(
                prefix=prefix,
                suffix=suffix,
                length=length,
                steps=steps,
                strategy=strategy,
                knobs=knobs or {},
                temperature=temperature,
                top_p=top_p,
                seed=seed,
                space=space,
            )
        except InfillError as error:
            raise _shown(error) from None
        for trace in _kept(request, denoiser, runs, runs.name(), time_limit):
            yield {
                "step": len(trace.steps),
                "nfe": trace.nfe,
                "masks_left": trace.masks_left[-1],
                "seconds": trace.seconds,
                "pieces": trace.pieces(len(trace.steps)),
                "fill": trace.fill,
                "text": trace.text,
                "ended": trace.ended,
            }

    return infill_text


def _figures(runs: Runs, run: gr.State) -> Callable[[Any], None]:
    """Tabs with the figures, each drawn when it is opened; returns what to call to have the open one drawn anew."""
    open_tab = gr.State("")
    dark = gr.Checkbox(False, visible=False)  # not a State: those never come from the browser
    theme = "(...values) => [...values.slice(0, -1), document.body.classList.contains('dark')]"
    plots: dict[str, gr.Plot] = {}
    with gr.Tabs():
        with gr.Tab("Guide"):
            gr.Markdown(READING)
        for name, view in views().items():
            with gr.Tab(view.title, id=name) as tab:
                gr.Markdown(view.summary)
                plots[name] = gr.Plot(show_label=False, elem_id=f"plot-{name}")

            def draw(run_name: str, is_dark: bool, name: str = name) -> tuple[Any, str]:
                return _figure(runs, run_name, name, is_dark), name

            tab.select(
                draw, [run, dark], [plots[name], open_tab], js=theme, show_progress="hidden", api_visibility="private"
            )

    def redraw(run_name: str, name: str, is_dark: bool) -> list[Any]:
        return [_figure(runs, run_name, each, is_dark) if each == name else gr.skip() for each in plots]

    def after(event: Any) -> None:
        event.then(
            redraw,
            [run, open_tab, dark],
            list(plots.values()),
            js=theme,
            show_progress="hidden",
            api_visibility="private",
        )

    return after


def _figure(runs: Runs, run: str, name: str, dark: bool) -> Figure | None:
    try:
        return views()[name].draw(runs.get(run), DARK if dark else LIGHT)
    except InfillError:
        return None  # nothing has run yet
