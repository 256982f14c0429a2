"""The files in assets/lessons: one lesson each, with its runs, its questions and what they say.

A file is a JSON object:

- `title`, `about` (one sentence), `minutes`, `learnt` (what a reader knows in the end, one sentence);
- `runs`: by name, a request with the fields of docs/python.md (and `by`: "parent" or "best of 16" for one by the
  autoregressive parent), or the id of an example. `python -m app lessons` records them. `labels` are what a comparison
  calls them;
- `tables`: by name, a table for a figure: `{"make": "lens", …}`, see `app.lessons.tables`, or
  `{"file": "map/greedy.csv"}` for a file in assets/;
- `facts`: by name, a number for the texts, see `app.lessons.facts`. `{name}` in a text stands for it;
- `steps`, each with a `title` and `text` (paragraphs; *emphasis*, `code` and [links](https://…) are read), and if it
  wants to
  - `show`: `runs` (one, or up to four to compare) and `at`, a step, "end" or "play";
  - `light`: the parts of the page that are lit, of LIGHTS;
  - `figure`: a figure of the page by its `kind`, one of FIGURES, with the name of its `table` and parameters of its
    own;
  - `ask`: a question, which is answered before `reveal` (paragraphs) and `then` (a `show`) are given. `kind` is
    "place" (click a position; `answer` is one of PLACES, worked out from the run), "choice" (`options`; `answer` is a
    number from 0, or a rule of `facts`) or "number" (`answer` is a fact; `within` is how far off still counts);
  - `own`: the same question about the reader's own sentence: fields of a request that are set, without its text.

All texts are keys of the page's message table, so a lesson is translated where the page is.
"""

from __future__ import annotations

import csv
import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from app.errors import InfillError, quoted
from app.lessons.facts import Facts, run_numbers
from app.sampling.request import InfillRequest, from_fields
from app.trace.examples import ASSETS, Example, read_examples
from app.trace.recording import load
from app.trace.trace import Trace

FOLDER = ASSETS / "lessons"
LIGHTS = [
    "examples",
    "passage",
    "fill",
    "controls",
    "order",
    "steps",
    "budget",
    "compare",
    "status",
    "onward",
    "player",
    "map",
    "why",
    "tray",
    "figures",
    "settings",
]
FIGURES = ["adaptation", "forward", "lens", "joint", "sampler", "lengths", "rows", "differences"]
PLACES = ("written first", "written last", "least sure", "taken back")
"""What a reader may be asked to find: the positions written in the first step, those written in the last one, the one
written with the least confidence, and those that were masked again."""
KINDS = ("place", "choice", "number")
_KEYS = {"title", "about", "minutes", "learnt", "runs", "labels", "tables", "facts", "steps"}
_STEP = {"title", "text", "show", "light", "figure", "ask", "reveal", "then", "own"}
HOLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A place for a fact in a text."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A lesson as its file has it."""

    number: int  # from 1, in the order of the page
    id: str  # of lower-case words joined by hyphens
    title: str
    about: str
    minutes: int
    learnt: str
    runs: Mapping[str, Any]
    labels: Mapping[str, str]
    tables: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Mapping[str, Any]]
    steps: tuple[Mapping[str, Any], ...]

    def recording(self, run: str) -> Path:
        """Return the file of a recorded run."""
        asked = self.runs[run]
        return ASSETS / "traces" / f"{asked if isinstance(asked, str) else f'lesson-{self.id}-{run}'}.json"

    def table_file(self, name: str) -> Path:
        """Return the file of a table."""
        asked = self.tables[name]
        return ASSETS / asked["file"] if "file" in asked else FOLDER / "tables" / f"{self.id}-{name}.json"

    def request(self, run: str) -> tuple[InfillRequest, str]:
        """Return what a run asks for, and what writes it: "diffusion", "parent" or "best of 16".

        Raises InfillError if the request is not allowed.
        """
        asked = self.runs[run]
        if isinstance(asked, str):
            found = _examples().get(asked)
            if found is None:
                raise InfillError(f"the run {quoted(run)} names the example {quoted(asked)}, which does not exist")
            return found.request, "diffusion"
        fields = dict(asked)
        by = fields.pop("by", "diffusion")
        if by not in ("diffusion", "parent", "best of 16"):
            raise InfillError(f"the run {quoted(run)} is by {quoted(by)}: write parent, best of 16, or leave it out")
        return from_fields(fields), by

    @cached_property
    def traces(self) -> Mapping[str, Trace]:
        """The recorded runs, read once. Raises InfillError if one cannot be read."""
        return {run: self._trace(run) for run in self.runs}

    def _trace(self, run: str) -> Trace:
        file = self.recording(run)
        try:
            return load(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:  # InfillError is a ValueError
            raise InfillError(f"'{file}' cannot be shown in lesson {self.number}: {error}") from None

    @cached_property
    def contents(self) -> Mapping[str, Any]:
        """What the tables hold, read once; see `read_table`. Raises InfillError if one cannot be read."""
        return {name: read_table(self.table_file(name)) for name in self.tables}

    def numbers(self) -> Facts:
        """Return the lesson's facts, computed. Raises InfillError that names the fact which cannot be."""
        return Facts.of(self.facts, {run: run_numbers(trace) for run, trace in self.traces.items()}, self.contents)

    def sentences(self) -> Iterator[str]:
        """Yield every text that is shown, as the message table has it."""
        yield from (self.title, self.about, self.learnt, *self.labels.values())
        for step in self.steps:
            yield step["title"]
            yield from step.get("text", ())
            yield from step.get("reveal", ())
            if "ask" in step:
                yield step["ask"]["question"]
                yield from step["ask"].get("options", ())

    def to_json(self) -> dict[str, Any]:
        """Return the lesson as the page gets it: answers resolved, facts as text, tables whole, runs by name only."""
        facts = self.numbers()
        steps = []
        for step in self.steps:
            step = dict(step)
            if "ask" in step:
                step["ask"] = dict(step["ask"], answer=answer_of(step["ask"], facts))
            steps.append(step)
        return {
            **describe(self),
            "runs": list(self.runs),
            "labels": dict(self.labels),
            "tables": self.contents,
            "facts": facts.texts,
            "steps": steps,
        }


@functools.cache
def _examples() -> Mapping[str, Example]:
    return {example.id: example for example in read_examples()}


def describe(lesson: Lesson) -> dict[str, Any]:
    """Return what the list of lessons shows."""
    return {
        "number": lesson.number,
        "id": lesson.id,
        "title": lesson.title,
        "about": lesson.about,
        "minutes": lesson.minutes,
        "learnt": lesson.learnt,
        "length": len(lesson.steps),
    }


def read_lessons(folder: Path = FOLDER) -> list[Lesson]:
    """Read all lessons in their order. Raises InfillError that names the file and the step which are wrong."""
    lessons = []
    for number, file in enumerate(sorted(folder.glob("*.json")), start=1):
        try:
            lessons.append(_lesson(file, number))
        except (OSError, ValueError) as error:
            raise InfillError(f"the lesson '{file}' is wrong: {error}") from None
    return lessons


def read_table(file: Path) -> Any:
    """Return what a JSON file holds, or the rows of a CSV as objects. Raises InfillError."""
    try:
        if file.suffix == ".csv":
            with file.open(encoding="utf-8", newline="") as lines:
                return list(csv.DictReader(lines))
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InfillError(f"'{file}' cannot be read as a table: {error}") from None


def answer_of(ask: Mapping[str, Any], facts: Facts) -> Any:
    """Return the right answer of a question: a number, or for a place the rule by which the page finds it."""
    answer = ask["answer"]
    if ask["kind"] == "place" or isinstance(answer, int):
        return answer
    return facts.resolve(answer)


def _lesson(file: Path, number: int) -> Lesson:
    found = re.fullmatch(r"(\d\d)-([a-z]+(?:-[a-z]+)*)", file.stem)
    if not found or int(found[1]) != number:
        raise InfillError(f"its name must be {number:02}- and lower-case words joined by hyphens")
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not {"title", "about", "minutes", "learnt", "steps"} <= set(content) <= _KEYS:
        raise InfillError(f"it must be an object with {', '.join(sorted(_KEYS))}; runs, tables, facts may be left out")
    lesson = Lesson(
        number=number,
        id=found[2],
        **{"runs": {}, "labels": {}, "tables": {}, "facts": {}, **content, "steps": tuple(content["steps"])},
    )
    for run in lesson.runs:
        lesson.request(run)
    for at, step in enumerate(lesson.steps, start=1):
        try:
            _check_step(step, lesson)
        except (InfillError, KeyError) as error:
            raise InfillError(f"step {at}: {error}") from None
    return lesson


def _check_step(step: Mapping[str, Any], lesson: Lesson) -> None:
    """Raise InfillError if a step names something that does not exist."""
    if unknown := set(step) - _STEP:
        raise InfillError(f"it has {', '.join(sorted(unknown))}; a step has {', '.join(sorted(_STEP))}")
    for show in (step.get("show"), step.get("then")):
        if show and not (1 <= len(show["runs"]) <= 4 and set(show["runs"]) <= set(lesson.runs)):
            raise InfillError(f"it shows {show['runs']}; show one to four of {list(lesson.runs)}")
    if dark := set(step.get("light", ())) - set(LIGHTS):
        raise InfillError(f"it lights {', '.join(dark)}; the page's parts are {', '.join(LIGHTS)}")
    if figure := step.get("figure"):
        if figure["kind"] not in FIGURES:
            raise InfillError(f"there is no figure {quoted(figure['kind'])}; there are {', '.join(FIGURES)}")
        if figure.get("table", next(iter(lesson.tables), "")) not in lesson.tables and "table" in figure:
            raise InfillError(f"its figure needs the table {quoted(figure['table'])}, which the lesson has not")
    if ask := step.get("ask"):
        _check_question(ask, lesson, own="own" in step)
        if "reveal" not in step:
            raise InfillError("it asks a question, and has no reveal")
    known = set(lesson.facts) | {"answer", "yours"}
    holes = {hole for text in _texts(step) for hole in HOLE.findall(text)}
    if missing := holes - known:
        raise InfillError(f"its text has {{{min(missing)}}}; the lesson's facts are {', '.join(lesson.facts)}")


def _check_question(ask: Mapping[str, Any], lesson: Lesson, *, own: bool) -> None:
    if ask["kind"] not in KINDS:
        raise InfillError(f"a question of the kind {quoted(ask['kind'])} cannot be asked; use {', '.join(KINDS)}")
    if ask["kind"] == "place":
        if ask["answer"] not in PLACES:
            raise InfillError(f"a place is found by one of {', '.join(PLACES)}, not {quoted(ask['answer'])}")
        if not own and ask["run"] not in lesson.runs:
            raise InfillError(f"it asks about the run {quoted(ask['run'])}, which the lesson has not")
    if ask["kind"] == "choice" and len(ask["options"]) < 2:
        raise InfillError("a choice needs two options or more")


def _texts(step: Mapping[str, Any]) -> list[str]:
    ask = step.get("ask", {})
    return [*step.get("text", ()), *step.get("reveal", ()), ask.get("question", ""), *ask.get("options", ())]
