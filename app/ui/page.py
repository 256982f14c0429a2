"""The page: the component in which everything happens, the settings beside it, the figures, the endpoint."""

from __future__ import annotations

from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from app.export import script
from app.lessons.lesson import describe, read_lessons
from app.presets import Presets
from app.sampling.request import TIME_LIMIT, InfillRequest
from app.trace.bounds import MAX_FILE
from app.trace.examples import read_recorded
from app.trace.messages import build_replay
from app.ui.blocks import PageBlocks
from app.ui.component import page_component
from app.ui.edge import HANDLERS
from app.ui.endpoint import endpoint
from app.ui.figures import figure_panel
from app.ui.gate import Gates
from app.ui.guard import Guard
from app.ui.language import languages
from app.ui.lessons import LessonDesk
from app.ui.looks import Looks
from app.ui.parent import LoadParent, ParentRuns, written_by
from app.ui.pool import ModelPool
from app.ui.queue import RUNS
from app.ui.runner import runner, runs_at_once
from app.ui.runs import PageRuns
from app.ui.setup import build_setup
from app.ui.store import RunStore

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_HOUR = 3600  # seconds after which uploaded files are deleted
_SETTINGS = '<div class="pg-settings" data-part="settings"></div>'
_MOUNTED = """
const mount = element.querySelector("[data-part=settings]") ?? element;
window.dispatchEvent(new CustomEvent("settings-mounted", { detail: mount }));
"""
_LOST = "() => { window.dispatchEvent(new Event('run-lost')); }"


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
    `zero_gpu` runs the model in ZeroGPU's workers. `request` is the class whose fields the page and endpoint have.
    There is no gr.State: with one, Gradio keeps a stream for every tab, and browsers allow six for a server.
    """
    examples, lessons = read_recorded(), read_lessons()
    store = RunStore(examples={example.run: written_by(trace) for example, trace in examples})
    setup = build_setup(
        request,
        presets=presets,
        examples=[example for example, _ in examples],
        landing=build_replay(store.get(examples[0][0].run), examples[0][0].run),
        model=pool.name,
        has_models=pool.has_others,
        has_parent=parent is not None,
        can_pause=not zero_gpu,
        lessons=[describe(lesson) for lesson in lessons],
        can_look=not zero_gpu,
        languages=languages(),
    )
    gates, run_request = Gates(), runner(pool, time_limit, zero_gpu=zero_gpu)
    runs = PageRuns(
        pool,
        run_request,
        store,
        gates,
        parent=parent and ParentRuns(parent, time_limit),
        request=request,
        one_by_one=zero_gpu,
    )
    shared: dict[str, Any] = {"concurrency_id": RUNS, "concurrency_limit": runs_at_once(zero_gpu)}
    with PageBlocks(title="Infilling playground", analytics_enabled=False, delete_cache=(_HOUR, _HOUR)) as page:
        looks = Looks(pool, zero_gpu=zero_gpu)
        component = page_component(setup, store, gates, pool, LessonDesk(lessons, looks, store), looks, request)
        with gr.Sidebar(position="right", open=False, width=340, label="Settings"):
            gr.HTML(_SETTINGS, elem_id="settings", js_on_load=_MOUNTED, apply_default_css=False)
        figure_panel(store, component)
        running = component.run(runs.start, None, component, trigger_mode="multiple", **shared, **_QUIET)
        running.failure(None, js=_LOST, api_visibility="private")
        # Ending a run ends its generator, too. On ZeroGPU those that wait for a GPU have not even begun.
        component.halt(runs.halt, None, component, cancels=running if zero_gpu else None, queue=False, **_QUIET)
        gr.api(endpoint(run_request, request), api_name="infill", **shared)  # pyright: ignore[reportPrivateImportUsage]
    page.pool = pool
    page.queue()
    return page


# Gradio's file of weight 600 lacks most letters.
_FONT = [gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"]  # pyright: ignore


def launch_options() -> dict[str, Any]:
    """Return the arguments of `launch` in Gradio 6: the looks, and nothing that leaves the machine."""
    return {
        "css": script.style(),
        "theme": gr.themes.Base(primary_hue="indigo", font=_FONT),  # pyright: ignore[reportPrivateImportUsage]
        "footer_links": ["api", "gradio", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "max_threads": 64,  # for the runs of four models, including those that wait
        "max_file_size": MAX_FILE,
        "app_kwargs": {"middleware": [Middleware(Guard)], "exception_handlers": HANDLERS},
        "ssr_mode": False,
    }
