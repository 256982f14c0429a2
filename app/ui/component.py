"""The page's component: its parts are assets/page/, and its server functions answer the browser's questions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from app.errors import InfillError
from app.export import script, web_page
from app.sampling import template
from app.sampling.request import InfillRequest
from app.sampling.unfamiliar import unfamiliar
from app.trace import messages, recording
from app.ui import language as languages
from app.ui import metrics
from app.ui.asked import read_model, read_text
from app.ui.gate import Gates
from app.ui.lessons import LessonDesk
from app.ui.looks import Looks
from app.ui.mistakes import report_fault
from app.ui.outgoing import Answer
from app.ui.parent import written_by
from app.ui.pool import FIRST, ModelPool
from app.ui.store import RunStore, end

_START = """
begin({ element, props, trigger, watch, server, setup: %s });
// Gradio looks for the names of the events in this text: "run", "halt", "figure"."""


def page_component(
    setup: dict[str, Any],
    store: RunStore,
    gates: Gates,
    pool: ModelPool,
    lessons: LessonDesk,
    looks: Looks,
    request: type[InfillRequest],
) -> gr.HTML:
    """Return a gr.HTML whose value is {"messages": […]}, see `outgoing`; its template is static.

    `setup` is what `build_setup` returns; it is no property, because Gradio copies all properties with every message.
    This is a function and not a subclass, because Gradio writes a .pyi file beside the source of subclasses.
    """
    return gr.HTML(
        {"messages": []},  # pyright: ignore[reportArgumentType]
        elem_id="page",
        html_template=(script.ASSETS / "page.html").read_text(encoding="utf-8"),
        js_on_load=script.script("main.js") + _START % json.dumps(setup, ensure_ascii=False),
        server_functions=[
            *about_runs(store, gates, request),
            *about_models(pool),
            *about_lessons(lessons),
            inspect_text(pool),
            *about_looks(looks, store),
            shell,
            language,
        ],
        apply_default_css=False,
    )


def answering(look_up: Callable[[dict[str, Any]], Answer]) -> Callable[[Any], Answer]:
    """Return a server function of the same name, to which Gradio passes one value; what goes wrong is {"error": …}."""

    @wraps(look_up)
    def answer(asked: Any = None) -> Answer:
        try:
            return look_up(asked if isinstance(asked, dict) else {})
        except InfillError as error:
            metrics.ERRORS.labels("mistake").inc()
            return {"error": str(error)}
        except Exception:  # noqa: BLE001 logged with its traceback
            return {"error": report_fault(f"the server function {look_up.__name__} has crashed")}

    # Gradio looks at the parameters, and finds those of the wrapped function otherwise.
    del answer.__wrapped__  # pyright: ignore[reportAttributeAccessIssue]
    answer.__annotations__ = {}
    return answer


def about_runs(store: RunStore, gates: Gates, request: type[InfillRequest]) -> list[Callable[[Any], Answer]]:
    """Return the server functions about runs; each takes an object that names one."""

    @answering
    def candidates(asked: dict[str, Any]) -> Answer:
        return {"candidates": messages.list_candidates(store.get(asked.get("run")), asked.get("step"))}

    @answering
    def replay(asked: dict[str, Any]) -> Answer:
        return {"replay": messages.build_replay(end(store.get(asked.get("run"))), str(asked.get("run")))}

    @answering
    def recorded(asked: dict[str, Any]) -> Answer:
        return {"trace": recording.dump(store.get(asked.get("run")))}

    @answering
    def opened(asked: dict[str, Any]) -> Answer:
        content = asked.get("content")
        if not isinstance(content, str):
            raise InfillError("this file is not a trace: it is not text")
        trace, name = written_by(end(recording.load(content, request))), store.new_name()
        store.put(name, trace)
        return {"closing": messages.build_closing(trace, name)}

    @answering
    def example(asked: dict[str, Any]) -> Answer:
        name = f"example-{asked.get('id')}"
        if name not in store.examples:
            raise InfillError("there is no such example; reload the page")
        return {"replay": messages.build_replay(store.get(name), name)}

    @answering
    def control(asked: dict[str, Any]) -> Answer:
        gates.control(asked.get("run"), asked.get("do"))
        return {}

    return [candidates, replay, recorded, opened, example, control]


def about_models(pool: ModelPool) -> list[Callable[[Any], Answer]]:
    """Return the server functions about models."""

    @answering
    def models(asked: dict[str, Any]) -> Answer:
        if not pool.has_others:
            return {"models": [{"name": FIRST, "label": pool.name}]}
        ready, progress = pool.ask_for(FIRST)
        if not ready:  # which others fit is known when the first one is loaded
            return {"models": [{"name": FIRST, "label": progress}], "loading": True}
        return {"models": [{"name": name, "label": label} for label, name in pool.choices()]}

    @answering
    def model(asked: dict[str, Any]) -> Answer:
        ready, text = pool.ask_for(read_model(asked.get("name")))
        return {"ready": ready, "text": text}

    return [models, model]


def inspect_text(pool: ModelPool) -> Callable[[Any], Answer]:
    """Return the server function that says how much of a text the model cannot know; it loads no model."""

    @answering
    def inspect(asked: dict[str, Any]) -> Answer:
        text = read_text(asked.get("text"))
        model = pool.loaded(read_model(asked.get("model")))
        try:
            parts = template.read(text).given
        except InfillError:  # it has no gap yet, or one that is still being typed
            parts = re.split(r"\[\[.*?(?:\]\]|$)", text)
        found = unfamiliar(parts, model.tokenizer) if model is not None else None
        return {"tokens": found.tokens, "unknown": found.unknown, "warning": found.warning} if found else {}

    return inspect


def about_looks(looks: Looks, store: RunStore) -> list[Callable[[Any], Answer]]:
    """Return the server functions that take a forward pass but are no runs."""

    @answering
    def proofread(asked: dict[str, Any]) -> Answer:
        return looks.proofread(asked)

    @answering
    def reads(asked: dict[str, Any]) -> Answer:
        return looks.reads(asked, store.get(asked.get("run")))

    return [proofread, reads]


def about_lessons(desk: LessonDesk) -> list[Callable[[Any], Answer]]:
    """Return the server functions of lessons."""

    @answering
    def lesson(asked: dict[str, Any]) -> Answer:
        return desk.lesson(asked)

    @answering
    def table(asked: dict[str, Any]) -> Answer:
        return desk.table(asked)

    return [lesson, table]


@answering
def shell(asked: dict[str, Any]) -> Answer:
    """Return the page that replays a run offline, before and after the place of the run."""
    before, after = web_page.shell()
    return {"before": before, "after": after}


@answering
def language(asked: dict[str, Any]) -> Answer:
    """Return the table of a language other than English."""
    return {"language": languages.language(asked.get("code"))}
