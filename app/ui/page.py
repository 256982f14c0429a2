"""The page: the form, the live view, the figures; a run is one generator from the request to the browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import gradio as gr

from app.errors import InfillError
from app.presets import Presets
from app.sampling.request import TIME_LIMIT, InfillRequest
from app.trace import messages, recording
from app.trace.trace import Trace
from app.ui.denoising_view import ASSETS, denoising_view
from app.ui.endpoint import endpoint
from app.ui.figures import figure_tabs
from app.ui.form import Form
from app.ui.mistakes import as_gradio_error
from app.ui.model_choice import model_choice
from app.ui.parent import LoadParent, parent_panel
from app.ui.pool import ModelPool
from app.ui.runner import Run, runner, runs_at_once
from app.ui.store import RunStore, end

INTRODUCTION = """# Infilling playground
Give a **prefix**, a **suffix** and a **step budget**: a masked diffusion language model fills the gap between them, and
you see every denoising state and the order in which the tokens unmask. Or write a **text with several gaps**."""

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_HOUR = 3600  # seconds after which uploaded files are deleted


def build(
    pool: ModelPool,
    *,
    parent: LoadParent | None = None,
    presets: Presets | None = None,
    time_limit: float = TIME_LIMIT,
    zero_gpu: bool = False,
    request: type[InfillRequest] = InfillRequest,
) -> gr.Blocks:
    """Return the page as Gradio Blocks; launch it with `launch_options()`.

    `parent` loads the model that the first model was adapted from, `presets` are those calibrated for the first model.
    `zero_gpu` runs the model in ZeroGPU's workers. `request` is the class whose fields the form and endpoint have.
    """
    store, run_request = RunStore(), runner(pool, time_limit, zero_gpu=zero_gpu)
    shared: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": runs_at_once(zero_gpu)}
    with gr.Blocks(title="Infilling playground", analytics_enabled=False, delete_cache=(_HOUR, _HOUR)) as page:
        gr.Markdown(INTRODUCTION)
        run = gr.State("")
        model, form = model_choice(page, pool), Form(request)
        form.show_first(model, presets or {})
        with gr.Row(elem_id="actions"):
            fill = gr.Button("Fill", variant="primary", elem_id="fill", min_width=100)
            stop = gr.Button("Stop", variant="stop", elem_id="stop", min_width=100)
            upload = gr.UploadButton(
                "Open a trace", file_types=[".json"], type="binary", elem_id="open-trace", min_width=100
            )
        view = denoising_view(store)
        form.show_rest()
        redraw_after = figure_tabs(store, run)
        if parent is not None:
            parent_panel(store, run, parent, lambda: pool.first().name)

        asked = [fill.click, *(form.widgets[name].submit for name in ("prefix", "suffix", "text"))]
        gr.on(asked, None, js="() => { window.dispatchEvent(new Event('fill-asked-for')); }", api_visibility="private")
        fill_in = _filler(form, model, run_request, store)
        filling = gr.on(asked, fill_in, {model, *form.inputs}, [view, run], **shared, **_QUIET)
        redraw_after(filling)
        filling.success(_chosen_number(store), run, form.widgets["length"], **_QUIET)
        stop_run = _stopper(store)
        filling.failure(stop_run, run, view, queue=False, **_QUIET)  # the steps before a crash stay
        filling.failure(None, js="() => { window.dispatchEvent(new Event('fill-refused')); }", api_visibility="private")
        redraw_after(stop.click(stop_run, run, view, cancels=filling, queue=False, **_QUIET))
        redraw_after(upload.upload(_opener(store), upload, [view, run], cancels=filling, **_QUIET))
        gr.api(endpoint(run_request, request), api_name="infill", **shared)  # pyright: ignore[reportPrivateImportUsage]
    page.queue(max_size=24)
    return page


def _filler(form: Form, model: gr.Dropdown, run_request: Run, store: RunStore) -> Any:
    """Return the handler of *Fill*: the form's values to messages for the live view, and the run's name."""

    def fill_in(values: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
        name, request = store.new_name(), form.read(values)
        for trace in _stored(run_request(request, values[model]), store, name):
            running = trace.ended == "running"
            message = messages.build_live(trace, name) if running else messages.build_closing(trace, name)
            yield message, name if not trace.steps else gr.skip()

    return fill_in


def _chosen_number(store: RunStore) -> Any:
    """Return the handler that moves the slider to a length that was chosen, so that it can be adjusted from there."""

    def move(name: str) -> Any:
        with suppress(InfillError):
            trace = store.get(name)
            if trace.choices and not trace.request.text:
                return trace.request.length
        return gr.skip()

    return move


def _stopper(store: RunStore) -> Any:
    """Return the handler of *Stop*, which ends the run on screen at once; its generator closes after the next step."""

    def stop_run(name: str) -> Any:
        try:
            return messages.build_closing(store.end(name), name)
        except InfillError:
            return gr.skip()  # no run yet

    return stop_run


def _opener(store: RunStore) -> Any:
    """Return the handler of *Open a trace*."""

    def open_trace(content: bytes) -> tuple[messages.Message, str]:
        try:
            trace = end(recording.load(content.decode()))
        except UnicodeDecodeError:
            raise as_gradio_error(InfillError("this file is not a trace: it is not text")) from None
        except InfillError as error:
            raise as_gradio_error(error) from None
        name = store.new_name()
        store.put(name, trace)
        return messages.build_closing(trace, name), name

    return open_trace


def launch_options() -> dict[str, Any]:
    """Return the arguments of `launch` in Gradio 6: the looks, and nothing that leaves the machine."""
    return {
        "css_paths": [ASSETS / "style.css"],
        "theme": gr.themes.Default(),  # pyright: ignore[reportPrivateImportUsage]
        "footer_links": ["api", "gradio", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "max_threads": 64,  # for the runs of four models, including those that wait
        "max_file_size": "16mb",
        "ssr_mode": False,
    }


def _stored(traces: Iterator[Trace], store: RunStore, name: str) -> Iterator[Trace]:
    """Yield the traces of a run, each stored under its name; a run that is closed early is stored as stopped.

    It ends by itself if *Stop* has ended the run in the store: Gradio's own cancelling may come some steps later.
    """
    trace = None
    try:
        for trace in traces:
            if store.put(name, trace) is not trace:
                return
            yield trace
    except InfillError as error:
        raise as_gradio_error(error) from None
    finally:
        if trace is not None:
            store.put(name, end(trace))
