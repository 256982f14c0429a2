"""The one exception that is shown to users: a mistake that they can put right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InfillError(ValueError):
    """Says what is wrong and how to put it right."""


def unknown(kind: str, name: str, known: Iterable[str]) -> InfillError:
    """unknown strategy 'entrpy'; did you mean 'entropy'? Known: ..."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else "."
    return InfillError(f"unknown {kind} '{name}'{hint} Known: {', '.join(names)}")
