"""The lessons that ship, and what is refused in a lesson file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.errors import InfillError
from app.lessons.lesson import FOLDER, Lesson, read_lessons

LESSONS = read_lessons()
EACH = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.id)


def test_there_are_eleven_and_together_they_fill_an_hour_and_more():
    assert [lesson.number for lesson in LESSONS] == list(range(1, 12))
    assert 60 <= sum(lesson.minutes for lesson in LESSONS) <= 90


@EACH
def test_a_lesson_asks_for_predictions_and_all_its_numbers_are_found(lesson: Lesson):
    shown = lesson.to_json()
    asked = [step["ask"] for step in shown["steps"] if "ask" in step]
    assert len(asked) >= 2
    for ask in asked:
        if ask["kind"] == "choice":
            assert 0 <= ask["answer"] < len(ask["options"])
        elif ask["kind"] == "number":
            assert isinstance(ask["answer"], int | float)
    assert len(json.dumps(shown)) < 250_000
    used = set(re.findall(r"\{([a-z]\w*)\}", json.dumps(shown["steps"])))
    rules = json.dumps([step["ask"]["answer"] for step in lesson.steps if "ask" in step])
    inner = json.dumps([*lesson.facts.values()])
    assert {name for name in lesson.facts if name not in used and f'"{name}"' not in rules + inner} == set()


@EACH
def test_runs_are_recorded_small_and_complete(lesson: Lesson):
    for run in lesson.runs:
        request, _ = lesson.request(run)
        trace = lesson.traces[run]
        assert trace.ended == "complete"
        assert trace.request.text == request.with_lengths([gap.length or 0 for gap in trace.request.gaps]).text
        assert trace.request.strategy == request.strategy or trace.model.startswith("parent")
        assert lesson.recording(run).stat().st_size < 60_000


def test_every_recording_of_lessons_belongs_to_one():
    named = {lesson.recording(run).name for lesson in LESSONS for run in lesson.runs}
    assert {file.name for file in (FOLDER.parent / "traces").glob("lesson-*.json")} <= named
    tables = {lesson.table_file(name).name for lesson in LESSONS for name in lesson.tables}
    assert {file.name for file in (FOLDER / "tables").iterdir()} <= tables


def written(folder: Path, **changes: Any) -> Path:
    step = {"title": "A", "text": ["b"]} | changes
    lesson = {"title": "T", "about": "a", "minutes": 1, "learnt": "l", "steps": [step]}
    (folder / "01-a.json").write_text(json.dumps(lesson), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"texts": []}, "it has texts; a step has"),
        ({"show": {"runs": ["cup"]}}, "it shows"),
        ({"light": ["moon"]}, "it lights moon; the page's parts are"),
        ({"figure": {"kind": "globe"}}, "there is no figure 'globe'"),
        ({"figure": {"kind": "lens", "table": "x"}}, "needs the table 'x'"),
        ({"text": ["{nats}"]}, "its text has {nats}"),
        ({"ask": {"kind": "choice", "question": "q", "options": ["a"], "answer": 0}, "reveal": []}, "two options"),
        ({"ask": {"kind": "choice", "question": "q", "options": ["a", "b"], "answer": 0}}, "has no reveal"),
        ({"ask": {"kind": "riddle"}, "reveal": []}, "of the kind 'riddle' cannot be asked"),
        ({"ask": {"kind": "place", "run": "cup", "answer": "nicest", "question": "q"}, "reveal": []}, "not 'nicest'"),
    ],
)
def test_a_mistake_is_told_with_its_step(tmp_path: Path, step: dict[str, Any], message: str):
    with pytest.raises(InfillError, match=r"01-a\.json' is wrong: step 1: ") as raised:
        read_lessons(written(tmp_path, **step))
    assert message in str(raised.value)
