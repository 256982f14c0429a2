"""The exception whose message is shown to users: a mistake that they can fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from models.quoting import MOST, quoted, typed

__all__ = ["InfillError", "quoted", "typed", "unknown"]


class InfillError(ValueError):
    """A mistake of the user's; the message names what is wrong and how to fix it."""


def unknown(kind: str, name: object, known: Iterable[str]) -> InfillError:
    """Return an error such as: unknown strategy 'entrpy'; did you mean 'entropy'? Known: …

    The name may be of any type and size, since it comes from outside.
    """
    names = sorted(known)
    close = difflib.get_close_matches(str(name)[:MOST], names, n=1)
    if close:
        return InfillError(f"unknown {kind} {quoted(name)}; did you mean '{close[0]}'? Known: {', '.join(names)}")
    return InfillError(f"unknown {kind} {quoted(name)}. Known: {', '.join(names)}")
