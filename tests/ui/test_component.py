"""The page's component: its events and server functions over HTTP, as the browser calls them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import models
from app.infill import infill
from app.sampling.request import InfillRequest
from app.trace import recording
from app.ui.component import about_models, inspect_text
from app.ui.pool import ModelPool
from app.ui.store import RunStore
from models.checkpoints.placement import Offer
from models.serve.lazy import LazyDenoiser
from tests.ui.visitor import Visitor, run


@pytest.fixture(scope="module")
def visitor(address: str) -> Iterator[Visitor]:
    opened = Visitor(address)
    yield opened
    opened.close()


def test_a_run_streams_through_the_component(visitor: Visitor) -> None:
    updates = visitor.fill(run("k", text="Once [[4]] the end."))
    last = updates[-1][0]
    assert (last["key"], last["ended"], last["text"]) == ("k", "complete", "Once abc the end.")
    assert [state["nfe"] for state in last["states"]] == [0, 1, 2, 3, 4]


def test_what_is_known_about_a_run_can_be_asked_for_while_it_is_stored(visitor: Visitor) -> None:
    name = visitor.fill(run())[-1][0]["run"]
    candidates = visitor.ask("candidates", {"run": name, "step": 1})["candidates"]
    assert candidates[0][0][0] == " "
    replay = visitor.ask("replay", {"run": name})["replay"]
    assert replay["candidates"][0] == candidates
    assert len(replay["candidates"]) + 1 == len(replay["states"])
    trace = recording.load(visitor.ask("recorded", {"run": name})["trace"])
    assert trace.text == replay["text"]


def test_an_opened_trace_gets_a_name_of_its_own(visitor: Visitor) -> None:
    *_, trace = infill(InfillRequest(prefix="the ", length=3, steps=3), models.load("toy"))
    first, second = (visitor.ask("opened", {"content": recording.dump(trace)})["closing"] for _ in range(2))
    assert first["text"] == second["text"] == trace.text
    assert first["run"] != second["run"]
    assert visitor.ask("candidates", {"run": first["run"], "step": 2})["candidates"]
    running = json.loads(recording.dump(trace))
    running |= {"ended": "running", "steps": running["steps"][:1]}
    assert visitor.ask("opened", {"content": json.dumps(running)})["closing"]["ended"] == "stopped"


NOTHING: list[Any] = [None, 3, "x", [], {}, {"run": None}, {"run": ["a"]}, {"run": {"a": 1}}, {"run": "x" * 9999}]


@pytest.mark.parametrize("function", ["candidates", "replay", "recorded", "opened", "example", "control", "model"])
@pytest.mark.parametrize("asked", NOTHING, ids=range(len(NOTHING)))
def test_nonsense_is_answered_with_a_message(visitor: Visitor, function: str, asked: Any) -> None:
    answer = visitor.ask(function, asked)
    assert set(answer) == {"error"}
    assert answer["error"]


@pytest.mark.parametrize("content", ["", "[" * 100_000, "{}", '{"format": "infill-trace", "version": 99}', "NaN"])
def test_a_hostile_trace_is_answered_with_a_message(visitor: Visitor, content: str) -> None:
    assert "trace" in visitor.ask("opened", {"content": content})["error"]


@pytest.mark.parametrize("step", [None, "1", 0, -1, 99, 1.0, True])
def test_a_step_that_a_run_does_not_have_is_answered_with_a_message(visitor: Visitor, step: Any) -> None:
    name = visitor.fill(run())[-1][0]["run"]
    assert "has no step" in visitor.ask("candidates", {"run": name, "step": step})["error"]


def test_a_run_that_goes_on_is_paused_and_halted_by_its_name(serve: Callable[..., str], denoiser: Any) -> None:
    address = serve()
    mine, another = Visitor(address), Visitor(address)
    denoiser.delay = 0.05
    ended, name = [], ""
    for (messages,) in (
        [output[0]["messages"]] for output in mine.events("run", {"runs": [run(text="[[60]]", steps=60)]})
    ):
        ended = messages
        if not name and messages[0]["step"] >= 2:
            name = messages[0]["run"]
            assert another.ask("control", {"run": name, "do": "halt"})["error"]
            assert another.ask("control", {"run": name, "do": "pause"}) == {}
            ((halted,),) = [output[0]["messages"] for output in another.events("halt", {"runs": [name]})]
            assert halted["ended"] == "stopped"
    assert ended[0]["ended"] == "stopped"
    assert ended[0]["step"] < 60
    assert "has ended already" in mine.ask("control", {"run": name, "do": "go"})["error"]
    mine.close()
    another.close()


def test_a_request_that_is_nonsense_fails_beside_its_run(visitor: Visitor) -> None:
    (message,) = visitor.fill(run("k", text="<img src=x onerror=alert(1)> [[x]]"))[-1]
    assert message["key"] == "k"
    assert "'[[x]]'" in message["failed"]
    with pytest.raises(RuntimeError, match="1 to 4 runs"):
        visitor.fill()


def test_the_page_has_no_state_that_would_cost_every_tab_a_stream(visitor: Visitor) -> None:
    assert "state" not in {component["type"] for component in visitor._config["components"]}


def test_the_models_that_fit_are_listed_once_the_first_is_loaded() -> None:
    offers = [Offer(name=name, settings={}, about="a test", gigabytes=0.5) for name in ("first", "large")]
    failures = iter(["there is no network", ""])

    def load(name: str, **_: Any) -> Any:
        if failure := next(failures):
            raise ValueError(failure)
        return models.load("toy")

    lazy = LazyDenoiser(lambda: models.load("toy"))
    pool = ModelPool(lazy, name="first", offers=lambda: offers, load=load)
    listed, model = about_models(pool)
    assert listed({}) == {"models": [{"name": "", "label": "first is being loaded."}], "loading": True}
    pool._first.wait(30)
    assert [each["name"] for each in listed({})["models"]] == ["", "first", "large"]
    assert model({"name": ""}) == {"ready": True, "text": "toy is ready."}
    assert "unknown model" in model({"name": "larg"})["error"]

    def answers() -> Iterator[Any]:
        for _ in range(4):
            yield model({"name": "large"})
            pool._others["large"].wait(30)

    loading, failed, again, ready = answers()
    assert (loading, failed) == ({"ready": False, "text": "large is being loaded."}, {"error": "there is no network"})
    assert (again["ready"], ready["ready"]) == (False, True)


def test_recorded_examples_stay_in_the_store() -> None:
    *_, trace = infill(InfillRequest(text="a [[2]]", steps=2), models.load("toy"))
    store = RunStore(1, examples={"example-one": trace})
    for name in "abc":
        store.put(name, trace)
    assert store.get("example-one") is store.end("example-one") is trace


def test_a_recorded_example_can_be_asked_for_by_its_id(visitor: Visitor) -> None:
    shown = visitor.setup["examples"]
    for example in shown[:2]:
        replay = visitor.ask("example", {"id": example["id"]})["replay"]
        assert replay["run"] == f"example-{example['id']}"
        assert replay["ended"] == "complete"
    assert visitor.setup["landing"]["run"] == f"example-{shown[0]['id']}"
    assert "no such example" in visitor.ask("example", {"id": "../secret"})["error"]


def test_the_page_around_a_replay_can_be_asked_for(visitor: Visitor) -> None:
    answer = visitor.ask("shell", {})
    assert answer["before"].lower().startswith("<!doctype html>")
    assert answer["after"].rstrip().endswith("</html>")


def test_a_text_is_inspected_only_with_a_model_that_is_loaded() -> None:
    lazy = LazyDenoiser(lambda: models.load("bundled"))
    inspect = inspect_text(ModelPool(lazy, name="bundled"))
    assert inspect({"text": "小猫在花园里玩 [[3]]", "model": ""}) == {}
    assert not lazy.ready
    pool = ModelPool(lazy, name="bundled")
    pool.first()
    inspect = inspect_text(pool)
    odd = inspect({"text": "小猫在花园里玩 [[3]]", "model": ""})
    assert "expect nonsense" in odd["warning"]
    assert 0 < odd["unknown"] <= odd["tokens"]
    assert inspect({"text": "Tom went to the [[3]].", "model": ""})["warning"] == ""
    assert inspect({"text": "Tom went to the [[", "model": ""})["warning"] == ""
    assert inspect({"text": "[[3]]", "model": ""}) == {}
    assert inspect({"text": "a [[3]]", "model": "large"}) == {}
    for wrong in ({"text": 3, "model": ""}, {"text": "a" * 30_000, "model": ""}, {"text": "a", "model": None}, {}):
        assert set(inspect(wrong)) == {"error"}
