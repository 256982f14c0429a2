"""The server's log: a line for each run and each fault, as text or as JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Literal, get_args

Format = Literal["text", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)


class _Json(logging.Formatter):
    """One JSON object a line: the time, the level, and the facts of a run or the message of a fault."""

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "facts", None) or {"message": super().format(record)}
        entry = {"time": _iso(record.created), "level": record.levelname.lower(), **facts}
        return json.dumps(entry, ensure_ascii=False)


class _Text(logging.Formatter):
    """The time and the message, with a traceback under that of a fault."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{_iso(record.created)} {super().format(record)}"


def _iso(seconds: float) -> str:
    """Return a time since 1970 in ISO 8601, in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def start(form: Format) -> None:
    """Write what the modules of `app` log to standard error, from level INFO on, in one of FORMATS."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if form == "json" else _Text())
    logger = logging.getLogger("app")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
