"""The examples that ship with the page: what they ask for, and where their recorded runs are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import InfillError, quoted
from app.sampling.request import InfillRequest, from_fields
from app.trace.recording import load
from app.trace.trace import Trace

ASSETS = Path(__file__).parents[2] / "assets"
_PARTS = ("id", "title", "note", "model", "request")


@dataclass(frozen=True, kw_only=True)
class Example:
    """A request with a recorded run. The first one is what the page opens with."""

    id: str  # of lower-case words joined by hyphens; names the recording
    title: str
    note: str  # one sentence: what to look at
    model: str  # a name that `models.load` knows
    request: InfillRequest

    @property
    def run(self) -> str:
        """The name under which the page stores the recorded run."""
        return f"example-{self.id}"

    def recording(self, folder: Path = ASSETS) -> Path:
        """Return the file of the recorded run, in the format of `recording`."""
        return folder / "traces" / f"{self.id}.json"


def read_examples(folder: Path = ASSETS) -> list[Example]:
    """Read `examples.json` in the order of the page. Raises InfillError that names the example which is wrong."""
    file = folder / "examples.json"
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InfillError(f"cannot read the examples in '{file}': {error}") from None
    if not isinstance(listed, list):
        raise InfillError(f"'{file}' must be a list of examples")
    examples = []
    for number, each in enumerate(listed, start=1):
        try:
            examples.append(_example(each))
        except InfillError as error:
            name = each.get("id", number) if isinstance(each, dict) else number
            raise InfillError(f"example {quoted(str(name))} in '{file}' is wrong: {error}") from None
    return examples


def read_recorded(folder: Path = ASSETS) -> list[tuple[Example, Trace]]:
    """Read the examples with their recorded runs. Raises InfillError that names the file which is wrong."""
    found = []
    for example in read_examples(folder):
        file = example.recording(folder)
        try:
            found.append((example, load(file.read_text(encoding="utf-8"))))
        except (OSError, ValueError) as error:  # InfillError is a ValueError
            raise InfillError(f"'{file}' cannot be shown as an example: {error}") from None
    return found


def _example(content: Any) -> Example:
    if not isinstance(content, dict) or set(content) != set(_PARTS):
        raise InfillError(f"it must be an object with {', '.join(_PARTS)}")
    for part in ("id", "title", "note", "model"):
        if not isinstance(content[part], str) or not content[part]:
            raise InfillError(f"its {part} must be a text that is not empty")
    return Example(**{**content, "request": from_fields(content["request"])})
