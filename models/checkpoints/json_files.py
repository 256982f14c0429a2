"""JSON files of a checkpoint folder, with what is wrong with one said in a line."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

_MARKS = {
    codecs.BOM_UTF8: "it begins with a byte order mark; save it as UTF-8 without one",
    codecs.BOM_UTF16_LE: "it is UTF-16; save it as UTF-8",
    codecs.BOM_UTF16_BE: "it is UTF-16; save it as UTF-8",
}


def read_json(path: Path) -> Any:
    """Return the content of a JSON file. Raises ValueError, with the cause, if it cannot be read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(str(error)) from error
    _check_mark(raw)
    try:
        return json.loads(raw.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def check_encoding(path: Path) -> None:
    """Raise ValueError if a file exists and begins with the mark of another encoding, which JSON does not allow."""
    if path.is_file():
        with path.open("rb") as file:
            _check_mark(file.read(3))


def _check_mark(raw: bytes) -> None:
    for mark, cause in _MARKS.items():
        if raw.startswith(mark):
            raise ValueError(cause)
