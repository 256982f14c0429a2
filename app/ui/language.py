"""The languages of the page: tables from English sentences to another language, one file each in assets/languages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from plotly.graph_objects import Figure

from app.errors import unknown

FOLDER = Path(__file__).parents[2] / "assets" / "languages"


@cache
def tables() -> Mapping[str, Mapping[str, Any]]:
    """Return the tables by the code of their language: each has a `name` and `messages`."""
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))}


def languages() -> list[dict[str, str]]:
    """Return the code and the name of every language but English, which needs no table."""
    return [{"code": code, "name": table["name"]} for code, table in tables().items()]


def language(code: object) -> dict[str, Any]:
    """Return `Language` of assets/page/types.d.ts. Raises InfillError for a code that has no table."""
    if not isinstance(code, str) or code not in tables():
        raise unknown("language", code, tables())
    return {"code": code, **tables()[code]}


def translate(figure: Figure, code: str) -> Figure:
    """Translate the words of a figure: titles, axes, annotations, labels and what is shown under the pointer.

    A number in a sentence, such as that of a gap, is `{number}` in the table. Other texts, such as tokens, stay.
    """
    messages = tables().get(code, {}).get("messages", {})
    if not messages:
        return figure

    def translated(text: str) -> str:
        number = None if "%{" in text else re.search(r"\d+(?:\.\d+)?", text)
        if number is None:
            return messages.get(text, text)
        found = messages.get(text[: number.start()] + "{number}" + text[number.end() :], text)
        return re.sub(r"\{number(:\w+)?\}", number[0], found)

    drawn = figure.to_dict()
    layout = drawn["layout"]
    named = [layout["title"], *(axis["title"] for name, axis in layout.items() if name[1:].startswith("axis"))]
    shown = [
        *layout.get("annotations", ()),
        *(part["colorbar"]["title"] for part in drawn["data"] if "colorbar" in part),
    ]
    for each in [*named, *shown]:
        each["text"] = translated(each["text"])
    for part in drawn["data"]:
        part |= {name: translated(part[name]) for name in ("hovertemplate",) if name in part}
        if "text" in part.get("mode", ""):
            part["text"] = [translated(text) for text in part["text"]]
    return Figure(drawn, _validate=False)
