"""Where the words and cells of a GIF stand: a layout that no step changes, as assets/page/gif_layout.js makes it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from app.trace.trace import Trace

Direction = Literal["ltr", "rtl", ""]
_GIVEN = 240  # characters of the given text that are drawn on each side of a gap
_WORDS = re.compile(r"\n|[^\S\n]+|\S+")


@dataclass(frozen=True)
class Item:
    """A word of the given text, or the cell of a slot."""

    text: str
    slot: int  # -1 for given text
    width: float  # pixels
    direction: Direction
    space: bool = False  # whether a space follows
    breaks: bool = False  # whether the line ends after it
    x: float = 0.0  # of its left edge
    line: int = 0


def direction_of(text: str) -> Direction:
    """Return the direction of the first letter, "" if there is none."""
    for character in text:
        if unicodedata.category(character).startswith("L"):
            return "rtl" if unicodedata.bidirectional(character) in ("R", "AL") else "ltr"
    return ""


def items_of(trace: Trace, measure: Callable[[str], float], show: Callable[[str], str], widest: float) -> list[Item]:
    """Cut the passage into words and cells.

    A cell is as wide as the widest token that any step writes into its slot, and nothing is wider than `widest`. `show`
    returns a token as a cell shows it.
    """
    states = [trace.pieces(number) for number in range(len(trace.steps) + 1)]
    last = states[-1]
    shown: list[set[str]] = [
        {show(piece) for piece in pieces if piece is not None} for pieces in zip(*states, strict=True)
    ]
    widths = [max([measure("0") * 2.2, *(measure(text) + 12 for text in texts)]) for texts in shown]
    items: list[Item] = []

    def give(text: str) -> None:
        for word in _WORDS.findall(text):
            if word[0].isspace():
                if items:
                    items[-1] = replace(items[-1], **{"breaks" if word == "\n" else "space": True})
            else:
                items.append(Item(word, -1, min(widest, measure(word)), direction_of(word)))

    slot = 0
    gaps, spaces = trace.start.gaps, trace.request.spaces
    for number, given in enumerate(trace.given):
        give(shorten(given, before=number > 0, after=number < len(gaps)))
        if number == len(gaps):
            break
        give(spaces[number])
        for _ in gaps[number]:
            piece = last[slot]
            if items and (piece is None or piece[:1].isspace()):
                items[-1] = replace(items[-1], space=True)
            breaks = "\n" in (piece or "")
            items.append(Item("", slot, min(widest, widths[slot]), direction_of(piece or ""), breaks=breaks))
            slot += 1
    return items


def shorten(text: str, *, before: bool, after: bool) -> str:
    """Return a given text cut to what stands near the gaps `before` and `after` it."""
    if len(text) <= _GIVEN * (before + after):
        return text
    return (text[:_GIVEN] if before else "") + "…" + (text[-_GIVEN:] if after else "")


def place(items: list[Item], *, width: float, space: float, mirrored: bool) -> list[Item]:
    """Return the items with their places on lines of `width`; `space` is the width of a space.

    Words without a space between them stay on one line if they fit. Words of the other direction keep their own order.
    """
    lines: list[list[Item]] = []
    used = 0.0
    for at, item in enumerate(items):
        before = items[at - 1] if at else None
        together, following = item.width, at
        while following + 1 < len(items) and not items[following].space and not items[following].breaks:
            following += 1
            together += items[following].width + 2
        joined = before is not None and not before.space and not before.breaks
        needed = item.width if joined or together > width else together
        gap = space if before is not None and before.space else 2
        if before is None or before.breaks or used + gap + needed > width:
            lines.append([])
            used = item.width
        else:
            used += gap + item.width
        lines[-1].append(item)
    placed = []
    for number, line in enumerate(lines):
        along = 0.0
        for item, spaced in _order(line, "ltr" if mirrored else "rtl"):
            x = width - along - item.width if mirrored else along
            placed.append(replace(item, x=x, line=number))
            along += item.width + (space if spaced else 2)
    return placed


def _order(line: list[Item], other: Direction) -> list[tuple[Item, bool]]:
    """Return a line in the order of the page's direction, each item with whether a space follows it.

    Runs of the `other` direction are turned round, with what has no direction between two of them.
    """
    ordered: list[tuple[Item, bool]] = []
    at = 0
    while at < len(line):
        end = at + 1
        if line[at].direction == other:
            following = at
            while following < len(line) and line[following].direction in (other, ""):
                if line[following].direction == other:
                    end = following + 1
                following += 1
        ordered += [(line[n], line[n - 1 if n > at else end - 1].space) for n in reversed(range(at, end))]
        at = end
    return ordered
