"""The recorded examples that ship with the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.errors import InfillError
from app.trace import recording
from app.trace.trace import Trace
from app.ui.parent import written_by

ASSETS = Path(__file__).parents[2] / "assets"
_SHOWN = {"id", "title", "note", "text", "strategy"}


def read_examples(folder: Path = ASSETS) -> dict[str, tuple[dict[str, Any], Trace]]:
    """Return the examples that were recorded, by id, with their traces.

    They are in `examples.json`, their traces in `traces/<id>.json`; without files there are none. Raises InfillError,
    naming the file, for a trace that cannot be read.
    """
    listed = folder / "examples.json"
    examples = json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else []
    found = {}
    for example in examples:
        recorded = folder / "traces" / f"{example.get('id')}.json"
        if not set(example) >= _SHOWN or not recorded.exists():
            continue
        try:
            found[example["id"]] = example, written_by(recording.load(recorded.read_text(encoding="utf-8")))
        except InfillError as error:
            raise InfillError(f"'{recorded}' cannot be shown as an example: {error}") from None
    return found


def name_of(example: str) -> str:
    """Return the name under which an example's trace is stored."""
    return f"example-{example}"
