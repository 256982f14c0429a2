"""What the page asks about lessons: one with its recorded runs, and tables that the model makes for the reader."""

from __future__ import annotations

import functools
from typing import Any

from app.errors import InfillError, quoted
from app.lessons import lens, orders, rows, tables
from app.lessons.lesson import Lesson
from app.lessons.reading import read_reading
from app.trace.messages import build_replay
from app.trace.trace import Trace
from app.ui.asked import read_text
from app.ui.looks import Looks
from app.ui.outgoing import Answer
from app.ui.parent import written_by
from app.ui.pool import FIRST
from app.ui.store import RunStore
from models.denoiser import Denoiser

TABLES = ("lens", "orders", "pieces", "rows")
"""Tables that a reader may have made."""
READING = "reading"
"""What is asked for in place of a number for the cards and the reading list."""


class LessonDesk:
    """Hands out lessons, each read once, and has tables made, as few at a time as other looks at the model."""

    def __init__(self, lessons: list[Lesson], looks: Looks, store: RunStore) -> None:
        self._lessons = {lesson.number: lesson for lesson in lessons}
        self._looks, self._store = looks, store

    def lesson(self, asked: dict[str, Any]) -> Answer:
        """Return a lesson and the replays of its runs, or the reading list. Raises InfillError for another number."""
        number = asked.get("number")
        if number == READING:
            return {"reading": read_reading()}
        if not isinstance(number, int) or number not in self._lessons:
            raise InfillError(f"there is no lesson {quoted(number)}; the lessons are 1 to {len(self._lessons)}")
        return self._read(number)

    @functools.cache  # noqa: B019 - a desk lives as long as its page
    def _read(self, number: int) -> Answer:
        lesson = self._lessons[number]
        replays = {}
        for run, recorded in lesson.traces.items():
            name = f"lesson-{lesson.id}-{run}"
            self._store.examples[name] = trace = written_by(recorded)
            replays[run] = build_replay(trace, name)
        return {"lesson": lesson.to_json(), "replays": replays}

    def table(self, asked: dict[str, Any]) -> Answer:
        """Return a table made by the page's first model, or by the model of the run that it is about.

        Raises InfillError while the model is not loaded, if the run is not there, and if too many are being made.
        """
        make = asked.get("make")
        if make not in TABLES:
            raise InfillError(f"a table of the kind {quoted(make)} cannot be made; use {', '.join(TABLES)}")
        if make == "pieces":
            return {"table": tables.pieces(self._looks.model(FIRST), read_text(asked.get("text")))}
        if make == "rows":
            with self._looks.place():
                return {"table": self._rows(self._looks.model(FIRST))}
        trace = self._store.get(asked.get("run"))
        if trace.by != "diffusion":
            raise InfillError("this run was written by the parent: choose one by the diffusion model")
        with self._looks.place():
            return {"table": self._of_run(make, trace, asked.get("step"))}

    def _of_run(self, make: str, trace: Trace, step: Any) -> Any:
        model = self._looks.model_of(trace)
        if make == "orders":
            return orders.of_run(trace, model)
        if type(step) is not int or not 0 <= step <= len(trace.steps):
            raise InfillError(f"the run has the steps 0 to {len(trace.steps)}, not {quoted(step)}")
        return lens.look_at(trace, step, model)

    @functools.cache  # noqa: B019 - visitors after the first get the same figures
    def _rows(self, model: Denoiser) -> Any:
        return rows.measure_rows(model)
