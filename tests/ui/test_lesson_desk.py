"""What the server hands out of lessons, and the tables that it has made for a reader."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.errors import InfillError
from app.infill import infill
from app.lessons.lesson import read_lessons
from app.sampling.request import InfillRequest
from app.ui.lessons import LessonDesk
from app.ui.looks import Looks
from app.ui.pool import ModelPool
from app.ui.store import RunStore
from models.serve.lazy import LazyDenoiser
from models.toy import MarkovDenoiser, ToyTokenizer

CHAIN = MarkovDenoiser(ToyTokenizer("abc"), np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.4, 0.1, 0.5]]))


@pytest.fixture
def store() -> RunStore:
    return RunStore()


@pytest.fixture
def desk(store) -> LessonDesk:
    pool = ModelPool(LazyDenoiser(lambda: CHAIN), name="toy")
    pool.first()
    return LessonDesk(read_lessons(), Looks(pool), store)


def stored(store: RunStore, text: str = "a[[4]]c", **changes) -> str:
    *_, trace = infill(InfillRequest(text=text, steps=4, space=False), CHAIN)
    store.put("mine", replace(trace, **changes))
    return "mine"


def test_a_lesson_comes_with_replays_that_the_server_knows(desk, store) -> None:
    found = desk.lesson({"number": 8})
    assert set(found["replays"]) == set(found["lesson"]["runs"]) == {"child", "parent", "best"}
    for replay in found["replays"].values():
        assert store.get(replay["run"]).ended == "complete"
    assert found["replays"]["best"]["opening"]["by"] == "best of 16"
    assert desk.lesson({"number": "reading"})["reading"]["cards"]


@pytest.mark.parametrize("number", [0, 12, "1", None, 1.5, [1], {}])
def test_another_number_is_refused(desk, number) -> None:
    with pytest.raises(InfillError, match="the lessons are 1 to 11"):
        desk.lesson({"number": number})


def test_tables_are_made_from_a_run_and_from_a_text(desk, store) -> None:
    run = stored(store)
    assert len(desk.table({"make": "orders", "run": run})["table"]["nats"]) == 15
    assert len(desk.table({"make": "lens", "run": run, "step": 1})["table"]["positions"]) == 3
    assert desk.table({"make": "pieces", "text": "abc"})["table"]["pieces"] == ["a", "b", "c"]
    assert desk.table({"make": "rows"})["table"] is desk.table({"make": "rows"})["table"]


def test_what_cannot_be_made_is_said(desk, store) -> None:
    run = stored(store)
    for asked, message in [
        ({"make": ["lens"]}, "cannot be made; use lens, orders"),
        ({"make": "lens", "run": run, "step": 9}, "has the steps 0 to 4, not 9"),
        ({"make": "lens", "run": run, "step": True}, "has the steps 0 to 4"),
        ({"make": "lens", "run": run, "step": 4}, "no masks left after step 4"),
        ({"make": "orders", "run": "gone"}, "no longer on the server"),
        ({"make": "pieces", "text": 3}, "text"),
    ]:
        with pytest.raises(InfillError) as raised:
            desk.table(asked)
        assert message in str(raised.value)


def test_a_trace_that_the_model_cannot_have_written_is_refused(desk, store) -> None:
    *_, trace = infill(InfillRequest(text="a[[4]]c", steps=4), CHAIN)
    ids = trace.start.ids.copy()
    ids[0] = 4000
    store.put("hostile", replace(trace, start=replace(trace.start, ids=ids)))
    with pytest.raises(InfillError, match="does not fit 'toy'"):
        desk.table({"make": "orders", "run": "hostile"})
    store.put("parent", replace(trace, by="parent"))
    with pytest.raises(InfillError, match="written by the parent"):
        desk.table({"make": "orders", "run": "parent"})
