"""Cards about the relatives of the seed paper, and a reading list: what the lessons end with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from app.errors import InfillError
from app.trace.examples import ASSETS

FILE = ASSETS / "reading.json"
_CARD, _ENTRY = {"title", "paper", "text"}, {"title", "url", "text"}


def read_reading() -> dict[str, Any]:
    """Return `cards` (title, arXiv id, text) and `reading` (title, address, text). Raises InfillError."""
    try:
        found = json.loads(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InfillError(f"'{FILE}' cannot be read: {error}") from None
    if [set(each) for each in found["cards"]] != [_CARD] * len(found["cards"]):
        raise InfillError(f"every card in '{FILE}' must have {', '.join(sorted(_CARD))}")
    if [set(each) for each in found["reading"]] != [_ENTRY] * len(found["reading"]):
        raise InfillError(f"every entry of the reading list in '{FILE}' must have {', '.join(sorted(_ENTRY))}")
    return found


def sentences() -> Iterator[str]:
    """Yield the texts that are translated; titles of papers stay as they are."""
    found = read_reading()
    for each in (*found["cards"], *found["reading"]):
        yield each["text"]
