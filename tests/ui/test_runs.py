"""The runs of the page: taking turns, ending, failing, waiting; without a browser."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import pytest

import models
from app.errors import InfillError
from app.infill import infill
from app.sampling.request import InfillRequest
from app.ui.gate import Gates
from app.ui.parent import ParentRuns
from app.ui.pool import ModelPool
from app.ui.runner import AT_ONCE, runner
from app.ui.runs import NEWS, PageRuns, Stream, take_turns
from app.ui.store import RunStore
from models.serve.lazy import LazyDenoiser
from tests.ui.conftest import ScriptedDenoiser
from tests.ui.visitor import run

Messages = list[dict[str, Any]]


class Page:
    """What stands behind a page, and a visitor who sends its events."""

    def __init__(self, load: Callable[[], Any] = ScriptedDenoiser, **settings: Any) -> None:
        self.store, self.gates = RunStore(), Gates()
        self.pool = ModelPool(LazyDenoiser(load), name="scripted")
        self.runs = PageRuns(self.pool, runner(self.pool, 90.0), self.store, self.gates, **settings)

    def start(self, *asked: dict[str, Any]) -> Iterator[Messages]:
        for value in self.runs.start(gr.EventData(None, {"runs": [*asked]})):
            yield value["messages"]

    def halt(self, *names: Any) -> Messages:
        return self.runs.halt(gr.EventData(None, {"runs": [*names]}))["messages"]


@pytest.fixture
def page() -> Page:
    made = Page()
    made.pool.first()
    return made


def test_a_run_sends_every_state_and_then_all_of_them(page: Page) -> None:
    received = [message for (message,) in page.start(run(text="Once [[4]] the end."))]
    assert [message["step"] for message in received] == [0, 1, 2, 3, 4, 4]
    assert {message["key"] for message in received} == {"a"}
    assert len({message["run"] for message in received}) == 1
    assert received[0]["opening"]["gaps"] == [4]
    assert received[-1]["text"] == "Once abc the end."
    assert (received[-1]["ended"], len(received[-1]["states"])) == ("complete", 5)
    assert page.store.get(received[-1]["run"]).ended == "complete"
    assert not page.gates._gates


def test_runs_of_a_comparison_make_a_step_each_and_end_together(page: Page) -> None:
    denoiser: Any = page.pool.first()
    received = list(page.start(run("a", text="Once [[2]]."), run("b", text="Once [[4]].")))
    steps = [{message["key"]: message["step"] for message in messages} for messages in received]
    assert list(itertools.accumulate(steps, lambda all_, new: all_ | new))[-1] == {"a": 2, "b": 4}
    assert steps[:3] == [{"a": 0, "b": 0}, {"a": 1, "b": 1}, {"a": 2, "b": 2}]
    early = next(message for messages in received for message in messages if message["ended"] == "complete")
    assert (early["key"], "states" in early) == ("a", False)
    assert [(message["key"], len(message["states"])) for message in received[-1]] == [("a", 3), ("b", 5)]
    assert len({message["run"] for message in received[-1]}) == 2
    assert denoiser is page.pool.first()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (run("b", text="no gap"), "the text has no gap"),
        (run("b", strategy="entrpy"), "did you mean 'entropy'"),
        (run("b", temperatur=1), "unknown field of a request 'temperatur'; did you mean 'temperature'"),
        (run("b", knobs={"bloks": 1}), "did you mean 'blocks'"),
        (run("b", model="<b>no</b>"), "'<b>no</b>'"),
        (run("b", by="magic"), "not 'magic'"),
        (run("b", branch={"run": "x", "step": "1", "edits": []}), "a branch needs"),
        (run("b", by="parent"), "only the bundled model has its autoregressive parent here"),
        ({"key": "b"}, "a request must be fields"),
        ({"key": "b", "request": {"text": "[[1]]"}, "model": 3}, "the model must be a name, not 3"),
    ],
)
def test_a_mistake_in_one_run_is_told_and_does_not_end_the_others(page: Page, wrong: Any, reason: str) -> None:
    received = list(page.start(run("a"), wrong))
    early = [message for messages in received[:-1] for message in messages if message["key"] == "b"]
    assert [set(message) for message in early] == [{"run", "key", "failed"}]
    assert reason in early[0]["failed"]
    whole, failed = received[-1]
    assert (whole["key"], whole["ended"], failed["key"]) == ("a", "complete", "b")
    assert reason in failed["failed"]
    (alone,) = list(page.start(wrong))
    assert reason in alone[0]["failed"]


def test_a_crash_in_one_run_does_not_end_the_others_and_keeps_its_steps(page: Page, caplog) -> None:
    steps = itertools.count()
    make = page.runs._run

    def crashing(request: InfillRequest, model: str, gate: Any = None, origin: Any = None) -> Iterator[Any]:
        for trace in make(request, model, gate, origin):
            if "crash" in request.text and next(steps) == 2:
                raise ZeroDivisionError("a bug")
            yield trace

    page.runs._run = crashing
    *_, (whole, failed) = page.start(run("a"), run("b", text="crash [[4]]"))
    assert (whole["ended"], "fault in the program" in failed["failed"]) == ("complete", True)
    assert "ZeroDivisionError" in caplog.text
    kept = page.store.get(failed["run"])
    assert (kept.ended, len(kept.steps)) == ("stopped", 1)
    assert not page.gates._gates


@pytest.mark.parametrize(
    "data", [None, 3, {}, {"runs": {}}, {"runs": []}, {"runs": [run()] * 5}, {"runs": [run()] * 2}]
)
def test_what_is_no_list_of_runs_is_refused(page: Page, data: Any) -> None:
    with pytest.raises(gr.Error, match=r"1 to 4 runs|a key of its own"):
        list(page.runs.start(gr.EventData(None, data)))


def test_a_halted_run_ends_at_its_newest_state_and_the_others_go_on(page: Page) -> None:
    going = page.start(run("a"), run("b"))
    first = next(going)
    next(going)
    (closing,) = page.halt(first[0]["run"])
    assert (closing["key"], closing["ended"], closing["step"]) == ("a", "stopped", 1)
    *_, last = going
    assert [(message["ended"], message["step"]) for message in last] == [("stopped", 1), ("complete", 4)]
    assert page.halt(first[0]["run"], "other", None, ["x"]) == []


def test_closing_the_tab_ends_its_runs_and_frees_their_turns(page: Page) -> None:
    going = page.start(run("a"), run("b"))
    names = [message["run"] for message in next(going)]
    next(going)
    going.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert [page.store.get(name).ended for name in names] == ["stopped", "stopped"]
    assert not page.gates._gates
    assert [list(page.start(run()))[-1][0]["ended"] for _ in range(6)] == ["complete"] * 6


def test_a_run_can_be_paused_stepped_and_go_on(page: Page) -> None:
    going = page.start(run())
    name = next(going)[0]["run"]
    page.gates.control(name, "pause")
    opener = threading.Timer(0.2, page.gates.control, (name, "step"))
    opener.start()
    assert next(going)[0]["step"] == 1
    assert not opener.is_alive()
    threading.Timer(0.2, page.gates.control, (name, "go")).start()
    assert next(going)[0]["step"] == 2
    *_, (closing,) = going
    assert (closing["ended"], closing["step"]) == ("complete", 4)


def test_a_paused_run_of_a_comparison_does_not_hold_up_the_other(page: Page) -> None:
    going = page.start(run("a"), run("b"))
    paused, _ = next(going)
    page.gates.control(paused["run"], "pause")
    states = {}
    for messages in going:
        states |= {message["key"]: message for message in messages}
        if states.get("b", {}).get("ended") == "complete":
            break
    assert states.get("a", paused)["step"] == 0
    page.gates.control(paused["run"], "go")
    *_, last = going
    assert [message["ended"] for message in last] == ["complete", "complete"]


def test_a_paused_run_can_be_halted(page: Page) -> None:
    going = page.start(run())
    name = next(going)[0]["run"]
    page.gates.control(name, "pause")
    threading.Timer(0.2, page.halt, (name,)).start()
    *_, (closing,) = going
    assert (closing["ended"], closing["step"]) == ("stopped", 0)


def test_a_run_waits_for_its_model_and_says_how_far_it_is() -> None:
    go_on = threading.Event()

    def load() -> ScriptedDenoiser:
        go_on.wait(30)
        return ScriptedDenoiser()

    going = Page(load).start(run(text="Tom [[3]] saw [[auto]]."))
    (first,) = next(going)
    assert first["opening"]["notices"] == ["scripted is being loaded."]
    assert (first["begun"], first["pieces"], first["opening"]["given"]) == (False, [None] * 4, ["Tom", " saw", "."])
    go_on.set()
    *_, (closing,) = going
    assert (closing["run"], closing["ended"]) == (first["run"], "complete")


def test_a_run_can_be_halted_while_its_model_loads() -> None:
    go_on = threading.Event()

    def load() -> ScriptedDenoiser:
        go_on.wait(30)
        return ScriptedDenoiser()

    page = Page(load)
    going = page.start(run())
    name = next(going)[0]["run"]
    assert page.halt(name) == []
    assert next(going) == [{"run": name, "key": "a", "failed": "Stopped before the model was ready."}]
    go_on.set()


def test_a_model_that_cannot_be_loaded_is_said_and_the_next_run_tries_again() -> None:
    failures = iter(["there is no network", ""])

    def load() -> ScriptedDenoiser:
        if failure := next(failures):
            raise ValueError(failure)
        return ScriptedDenoiser()

    page = Page(load)
    *_, (failed,) = page.start(run())
    assert failed["failed"] == "there is no network"
    *_, (closing,) = page.start(run())
    assert closing["ended"] == "complete"


def test_the_parent_can_be_compared_with_its_child() -> None:
    parent = ParentRuns(models.load_parent, 90.0)
    page = Page(lambda: models.load("bundled"), parent=parent)
    page.pool.first()
    text = "Tom lost his ball. [[3]] He was happy."
    *_, last = page.start(run("a", text=text), run("b", text=text, by="parent"), run("c", text=text, by="best of 16"))
    assert [message["ended"] for message in last] == ["complete"] * 3
    assert [message["states"][-1]["nfe"] for message in last] == [3, 3, 64]
    *_, (failed,) = page.start(run(text="a [[1]] b [[1]]", by="parent"))
    assert "single gap" in failed["failed"]


def test_a_run_can_go_on_from_a_step_of_another_with_edits(page: Page) -> None:
    parent = list(page.start(run(text="Once [[4]] the end.")))[-1][0]["run"]
    branch = {"run": parent, "step": 2, "edits": [{"place": 1, "take": 1}]}
    received = [message for (message,) in page.start(run("b", text="Once [[4]] the end.", branch=branch))]
    opening = received[0]["opening"]
    assert opening["origin"] == {"run": parent, "step": 2}
    assert received[0]["pieces"] == [" ", "?", None, None]
    assert opening["inherited"] == [0]
    assert (received[-1]["text"], received[-1]["states"][-1]["nfe"]) == ("Once ? a the end.", 2)
    assert len({parent, received[-1]["run"]}) == 2


@pytest.mark.parametrize(
    ("branch", "reason"),
    [
        ({"run": "gone", "step": 1, "edits": []}, "no longer on the server"),
        ({"step": 99}, "has the states 0 to 4, not 99"),
        ({"edits": [{"place": 1, "take": 77}]}, "and no 78th"),
        ({"edits": [{"place": 99, "mask": True}]}, "has no place 100"),
        ({"edits": ["x"] * 1000}, "an edit must be like"),
        ({"step": 4}, "nothing is masked"),
    ],
)
def test_a_branch_that_cannot_be_is_told(page: Page, branch: dict[str, Any], reason: str) -> None:
    parent = list(page.start(run()))[-1][0]["run"]
    (failed,) = list(page.start(run("b", branch={"run": parent, "step": 1, "edits": []} | branch)))[-1]
    assert reason in failed["failed"]


def test_a_branch_goes_on_with_the_model_whose_tokens_it_has(page: Page) -> None:
    *_, trace = infill(InfillRequest(text="a [[3]]", steps=3), models.load("toy"))
    page.store.put("other", trace)
    asked = run("b", text="a [[3]]", branch={"run": "other", "step": 1, "edits": []})
    (failed,) = list(page.start(asked))[-1]
    assert "go on with that model" in failed["failed"]
    (failed,) = list(page.start({**asked, "by": "parent"}))[-1]
    assert "only the bundled model" in failed["failed"]


def test_a_run_that_waits_after_a_pause_says_so(page: Page) -> None:
    going = page.start(run())
    name = next(going)[0]["run"]
    next(going)
    page.gates.control(name, "pause")
    waited = []
    waiting = threading.Thread(target=lambda: waited.append(next(going)))
    waiting.start()
    others = [page.start(run()) for _ in range(AT_ONCE)]
    for other in others:
        next(other)
    page.gates.control(name, "go")
    waiting.join(30)
    ((message,),) = waited
    assert (message["step"], message["waiting"]) == (1, "1 run is ahead of you.")
    for other in others:
        other.close()  # pyright: ignore[reportAttributeAccessIssue]
    (message,) = next(going)
    assert (message["step"], message.get("waiting")) == (2, None)


def test_where_each_run_needs_a_gpu_they_come_one_after_the_other() -> None:
    page = Page(one_by_one=True)
    page.pool.first()
    received = list(page.start(run("a"), run("b")))
    keys = [message["key"] for messages in received[:-1] for message in messages]
    assert keys == sorted(keys)
    assert [message["ended"] for message in received[-1]] == ["complete", "complete"]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def stream(clock: Clock, name: str, messages: list[int | None], seconds: float) -> Stream:
    for message in messages:
        clock.now += seconds
        yield None if message is None else {name: message}
    return {name: "last"}


def test_slow_steps_are_sent_one_by_one_and_fast_ones_together() -> None:
    clock = Clock()
    fast = [stream(clock, name, [1, 2], NEWS / 10) for name in "ab"]
    assert list(take_turns(fast, clock=clock)) == [
        *([{"a": 1}, {"b": 1}], [{"a": 2}, {"b": 2}]),
        [{"a": "last"}, {"b": "last"}],
    ]
    slow = [stream(clock, name, [1, 2], 2 * NEWS) for name in "ab"]
    assert list(take_turns(slow, clock=clock)) == [
        *([{"a": 1}], [{"b": 1}], [{"a": 2}], [{"b": 2}]),
        [{"a": "last"}, {"b": "last"}],
    ]


def test_runs_that_wait_send_nothing_again() -> None:
    clock = Clock()
    waiting = stream(clock, "a", [1, None, None, 2], 10 * NEWS)
    assert list(take_turns([waiting], clock=clock)) == [[{"a": 1}], [{"a": 2}], [{"a": "last"}]]


def test_two_visitors_never_get_the_same_name(page: Page) -> None:
    names = {list(page.start(run(text="[[1]]")))[-1][0]["run"] for _ in range(3)}
    assert len(names) == 3
    assert all(len(name) >= 12 for name in names)
    with pytest.raises(InfillError):
        page.store.get("")
