"""A field that is added to a request appears everywhere by itself."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import gradio as gr
import pytest

import models
from app import cli
from app.errors import InfillError
from app.infill import infill
from app.sampling.fields import Knob, OneOf, declared
from app.sampling.request import InfillRequest, fields_of, markdown
from app.sampling.start import Start
from app.strategies.registry import find
from app.trace import recording
from app.trace.trace import Trace
from app.ui.asked import read_request
from app.ui.endpoint import endpoint
from app.ui.setup import build_setup


@dataclass(frozen=True, kw_only=True)
class Extended(InfillRequest):
    """The request, and two fields more."""

    patience: Annotated[float, Knob(0.0, 9.0, "how long to wait for a surer word")] = 2.5
    tone: Annotated[str, OneOf(("calm", "loud"), "how it reads", label="Tone of voice")] = "calm"


def parsed(*arguments: str) -> Extended:
    parser = cli.Parser(prog="test", allow_abbrev=False)
    cli.add_commands(parser.add_subparsers(), find("low_confidence"), Extended)
    request = cli._requested(parser.parse_args(["infill", *arguments]), Extended)
    assert isinstance(request, Extended)
    return request


def test_a_new_field_is_checked():
    assert Extended().patience == 2.5
    with pytest.raises(InfillError, match="patience must be a number from 0 to 9, not 10"):
        Extended(patience=10)
    with pytest.raises(InfillError, match="tone must be one of calm, loud, not 'shrill'"):
        Extended(tone="shrill")


def test_a_new_field_has_a_flag(capsys):
    assert (parsed().patience, parsed().tone) == (2.5, "calm")
    assert (parsed("--patience", "3").patience, parsed("--tone", "loud").tone) == (3.0, "loud")
    with pytest.raises(InfillError, match="from 0 to 9"):
        parsed("--patience", "10")
    with pytest.raises(SystemExit):
        parsed("--help")
    assert "how long to wait for a surer word; 0 to 9 (default: 2.5)" in " ".join(capsys.readouterr().out.split())


def test_a_new_field_is_on_the_page_and_its_value_reaches_the_request():
    fields = {field["name"]: field for field in build_setup(Extended)["fields"]}
    assert fields["patience"] == {
        **{"name": "patience", "label": "Patience", "help": "how long to wait for a surer word", "kind": "float"},
        **{"default": 2.5, "low": 0.0, "high": 9.0, "step": 0.05},
    }
    assert (fields["tone"]["label"], fields["tone"]["options"]) == ("Tone of voice", ["calm", "loud"])
    draft = build_setup(Extended)["draft"]
    assert (draft["patience"], draft["tone"]) == (2.5, "calm")
    asked = {"text": "a [[2]]", "patience": 4.0, "tone": "loud"}
    assert read_request(asked, Extended) == Extended(**asked)
    with pytest.raises(InfillError, match="patience must be a number from 0 to 9"):
        read_request({**asked, "patience": 10.0}, Extended)


def test_a_new_field_is_a_parameter_of_the_endpoint():
    asked: list[Any] = []

    def run(request: InfillRequest, model: str, *others: Any) -> Iterator[Trace]:
        asked.append(request)
        yield next(infill(request, models.load("toy")))

    infill_text = endpoint(run, Extended)
    parameters = inspect.signature(infill_text).parameters
    assert (parameters["patience"].default, parameters["patience"].annotation) == (2.5, float)
    assert "patience: how long to wait for a surer word (0 to 9)." in (infill_text.__doc__ or "")
    assert next(infill_text(prefix="a", patience=7.0, knobs=None))["step"] == 0
    assert asked == [Extended(prefix="a", patience=7.0)]
    with pytest.raises(gr.Error, match="from 0 to 9"):
        next(infill_text(patience=10))


def test_a_new_field_is_recorded():
    *_, trace = infill(Extended(length=2, steps=2, patience=4.0), models.load("toy"))
    content = recording.dump(trace)
    assert '"patience":4.0' in content
    assert recording.load(content, Extended).request == trace.request
    old = recording.dump(replace(trace, request=InfillRequest(length=2, steps=2)))
    with pytest.raises(InfillError, match="this trace is broken"):
        recording.load(old, Extended)


def test_every_field_of_the_request_is_in_the_docs_table():
    for field in fields_of():
        assert f"| `{field.name}` |" in markdown()


def test_a_field_without_a_domain_is_refused_with_an_example():
    with pytest.raises(TypeError, match=r"'tau' must be annotated as Annotated\[type, Knob"):
        declared({"tau": float}, {"tau": 0.5})


def test_a_start_has_a_flag_a_parameter_and_a_place_in_the_recording():
    start = {"gaps": [[1, None]], "locked": [0], "confidence": [[0.5, 0.0]]}
    wanted = parsed("--length", "2", "--start", json.dumps(start))
    assert wanted.start == Start.from_json(start)
    with pytest.raises(InfillError, match="start is not JSON"):
        parsed("--length", "2", "--start", "a")

    asked: list[Any] = []

    def run(request: InfillRequest, model: str, *others: Any) -> Iterator[Trace]:
        asked.append(request)
        yield next(infill(request, models.load("toy")))

    infill_text = endpoint(run)
    parameter = inspect.signature(infill_text).parameters["start"]
    assert (parameter.default, parameter.annotation) == (None, dict[str, Any] | None)
    assert next(infill_text(length=2, start=start))["masks_left"] == 1
    assert next(infill_text(length=2, start=None))["masks_left"] == 2
    assert [each.start for each in asked] == [wanted.start, None]
    with pytest.raises(gr.Error, match="start has gaps of 2"):
        next(infill_text(length=3, start=start))

    *_, trace = infill(asked[0], models.load("toy"))
    assert json.loads(recording.dump(trace))["request"]["start"] == start
    assert recording.load(recording.dump(trace)).request.start == wanted.start


def test_a_start_has_no_control():
    assert "start" not in {field["name"] for field in build_setup()["fields"]}
