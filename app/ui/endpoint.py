"""The endpoint for programs: the same runs, streamed as JSON."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr

from app.errors import InfillError
from app.sampling.fields import Field, Knob, Settings, State, Words
from app.sampling.request import InfillRequest, fields_of, from_fields
from app.trace.length_choice import to_json
from app.trace.trace import Trace
from app.ui import metrics
from app.ui.asked import read_model
from app.ui.gate import LEFT, Gate
from app.ui.pool import FIRST
from app.ui.queue import current_reader
from app.ui.runner import Run, paced

_ABOUT = """Fill the gap between prefix and suffix, or the gaps of a text; yield the start and every step's state.

While a run waits for others, or the length of a gap is being chosen, there are additional states before these, in which
"settled" is false. "choosing" counts the forward passes of such choices ("rows" canvases in "calls" batches) and their
"seconds"; "nfe", "calls" and "seconds" are those of the run after them."""
_MODEL = "one of the models that the page offers; empty for the one that it starts with"


def endpoint(run: Run, request: type[InfillRequest] = InfillRequest) -> Callable[..., Iterator[dict[str, Any]]]:
    """Return the function behind `/infill`: a parameter for each field of a request, and the model.

    Its runs are not kept on the server.
    """
    fields = fields_of(request)
    parameters = [_parameter(field.name, _hint(field), _default(field)) for field in fields]
    parameters.append(_parameter("model", str, FIRST))
    optional = {field.name for field in fields if _default(field) is None}
    signature = inspect.Signature(parameters, return_annotation=Iterator[dict[str, Any]])

    def infill_text(*args: Any, **given: Any) -> Iterator[dict[str, Any]]:
        asked: dict[str, Any] = signature.bind(*args, **given).arguments
        model = asked.pop("model", FIRST)
        try:
            left_out = {name for name in optional if asked.get(name) is None}
            wanted = from_fields({name: value for name, value in asked.items() if name not in left_out}, request)
            gate = Gate(reader=current_reader())
            for trace in paced(run(wanted, read_model(model), gate), gate):
                yield _state(trace)
            if gate.reader.left():
                raise InfillError(LEFT)
        except InfillError as error:
            metrics.ERRORS.labels("mistake").inc()
            raise gr.Error(str(error), print_exception=False) from None

    infill_text.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    infill_text.__annotations__ = {each.name: each.annotation for each in parameters}
    described = [f"{field.name}: {_describe(field)}." for field in fields]
    infill_text.__doc__ = "\n    ".join([_ABOUT + "\n\nArgs:", *described, f"model: {_MODEL}."])
    return infill_text


def _parameter(name: str, hint: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=hint)


def _hint(field: Field) -> Any:
    """Return the type of a field's values in JSON."""
    if isinstance(field.domain, Settings | State):
        return dict[str, Any] | None
    if isinstance(field.domain, Words):
        return list[str] | None
    if isinstance(field.domain, Knob) and field.domain.auto:
        return int | str
    return field.kind


def _default(field: Field) -> Any:
    return None if isinstance(field.domain, Settings | Words) else field.default


def _describe(field: Field) -> str:
    return f"{field.domain.help} ({field.range})"


def _state(trace: Trace) -> dict[str, Any]:
    return {
        "step": len(trace.steps),
        "nfe": trace.nfe,
        "calls": trace.calls,
        "masks_left": int(trace.canvas.masked.sum()),
        "seconds": trace.seconds,
        "pieces": trace.pieces(len(trace.steps)),
        "fill": trace.fill,
        "fills": list(trace.fills),
        "text": trace.text,
        "notices": list(trace.notices),
        "choosing": asdict(trace.choosing),
        "choices": {str(gap): to_json(choice) for gap, choice in trace.choices.items()},
        "settled": trace.begun,
        "ended": trace.ended,
    }
