"""How a message quotes what came from outside."""

from __future__ import annotations

import re
import reprlib

MOST = 80
"""Most characters of a quotation."""

_LONG = re.compile(rf"\S{{{MOST},}}")
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = MOST


def quoted(value: object) -> str:
    """Return a value as Python writes it, in at most MOST characters; what is left out is marked.

    Control characters are escaped. A value of any size is cut before it is written out.
    """
    if isinstance(value, int) and abs(value) >= 10**MOST:  # Python refuses to write a number of thousands of digits
        return f"a number of more than {MOST} digits"
    text = _repr.repr(value)
    return text if len(text) <= MOST else text[: MOST - 1] + "…"


def typed(text: str) -> str:
    """Return text that somebody typed between quotation marks, as it was typed, in at most MOST characters."""
    return f"'{text}'" if len(text) <= MOST - 2 else f"'{text[: MOST - 2]}…"


def shortened(message: str) -> str:
    """Return another library's message, which may quote all that it was given, with long words and a long end cut."""
    short = _LONG.sub(lambda word: quoted(word[0])[1:-1], message[: 100 * MOST])
    return short if len(short) <= 6 * MOST else short[: 6 * MOST - 1] + "…"
