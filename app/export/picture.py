"""A picture of the order of a run for a slide or a paper: the SVG that assets/page/picture.js draws, byte for byte."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from app.export.order import Order, order_of
from app.trace.trace import Trace

_PAPER, _INK, _QUIET, _BACK = "#ffffff", "#1f2937", "#545b69", "#b3261e"
_LOW, _HIGH = (236, 238, 252), (49, 46, 129)
_FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', Arial, sans-serif"
_LEFT, _RIGHT, _WIDEST, _GUTTER, _NARROWEST = 48, 20, 1132, 10, 360  # px; the gutter is between gaps
_HEAD, _SMALL, _TITLE = 13, 11, 16  # px, sizes of text
_SHADES = 16


@dataclass(frozen=True)
class _Place:
    """Where the map's parts stand, in pixels."""

    left: list[float]  # of each column
    cell: float
    row: float
    heading: str  # flat, standing or none
    strip: float
    names: float  # baseline of the gaps' names, 0 without
    top: float
    width: float


def svg_of(trace: Trace, *, title: str = "") -> str:
    """Return the SVG of the order map: columns are slots, rows are steps, shades are confidence.

    `title` is the strategy's name in plain words.
    """
    run = order_of(trace)
    place = _places(run)
    width = max(_NARROWEST, place.width)
    captions = _captions(trace, title, width - 2 * _RIGHT)
    bottom = place.top + place.row * max(1, run.steps)
    height = bottom + 40 + len(captions) * 20 + 12
    parts = [
        f'<rect width="{_number(width)}" height="{_number(height)}" fill="{_PAPER}"/>',
        *_heads(run, place),
        *_strip(run, place),
        *_rows(run, place),
        *_marks(run, place),
        *_legend(run, bottom + 24),
    ]
    for line, (text, strong) in enumerate(captions):
        size, colour, more = (_TITLE, _INK, ' font-weight="600"') if strong else (_HEAD, _QUIET, "")
        parts.append(_words(text, _RIGHT, bottom + 58 + line * 20, size, colour, more))
    box = f'width="{_number(width)}" height="{_number(height)}" viewBox="0 0 {_number(width)} {_number(height)}"'
    name = escape_xml("Order map: " + " · ".join(text for text, _ in captions))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img" font-family="{_FONT}">\n'
        f"<title>{name}</title>\n{body}\n</svg>\n"
    )


def escape_xml(text: str) -> str:
    """Escape a text for XML; characters that XML cannot hold become U+FFFD."""
    text = re.sub("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _number(number: float) -> str:
    """Write a number of pixels with one decimal."""
    rounded = math.floor(number * 10 + 0.5) / 10
    return str(int(rounded)) if rounded == int(rounded) else str(rounded)


def _width(text: str, size: int) -> float:
    """Estimate the width of a text in pixels, on the large side."""
    width = 0.0
    for character in text:
        mark = unicodedata.category(character).startswith("M")
        width += 0 if mark else 1.05 if ord(character) >= 0x2E80 else 0.62
    return width * size


def _fitting(text: str, size: int, room: float) -> str:
    """Cut a text to a width in pixels."""
    if _width(text, size) <= room:
        return text
    while text and _width(f"{text}…", size) > room:
        text = text[:-1]
    return f"{text}…"


def _head(piece: str | None) -> str:
    """Return a token as a column's head: without the space before it, at most 16 characters."""
    if piece is None:
        return "–"
    bare = piece if re.fullmatch(r"[ \t\r\n]*", piece) else piece.lstrip(" ")
    bare = bare.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")
    return bare[:15] + "…" if len(bare) > 16 else bare


def _places(run: Order) -> _Place:
    heads = [_head(piece) for piece in run.frames[-1].pieces]
    widest = max([0.0, *(_width(head, _HEAD) for head in heads)])
    gutters = _GUTTER * (len(run.gaps) - 1)
    most = (_WIDEST - _LEFT - _RIGHT - gutters) / max(1, len(heads))
    cell = most if most < 24 else math.floor(min(most, max(24, math.ceil(widest + 8))))
    heading = "flat" if widest + 8 <= cell else "standing" if cell >= 14 else "none"
    body = cell * len(heads) + gutters
    left: list[float] = []
    for gap, length in enumerate(run.gaps):
        for _ in range(length):
            along = len(left) * cell + gap * _GUTTER
            left.append(_LEFT + (body - along - cell if run.mirrored else along))
    names = 20 if len(run.gaps) > 1 else 0
    strip = 16 + names + {"flat": 22, "standing": widest + 10, "none": 4}[heading]
    row = max(2, min(22, 720 / max(1, run.steps)))
    return _Place(left, cell, row, heading, strip, 26 if names else 0, strip + 26, _LEFT + body + _RIGHT)


def _words(text: str, x: float, y: float, size: int, colour: str, more: str = "") -> str:
    place = f'x="{_number(x)}" y="{_number(y)}"'
    return f'<text {place} font-size="{size}" fill="{colour}"{more}>{escape_xml(text)}</text>'


def _heads(run: Order, place: _Place) -> list[str]:
    parts, first = [], 0
    for gap, length in enumerate(run.gaps):
        if place.names and length * place.cell >= 14:
            middle = (place.left[first] + place.left[first + length - 1] + place.cell) / 2
            name = f"gap {gap + 1}" if length * place.cell >= 44 else str(gap + 1)
            parts.append(_words(name, middle, place.names, _SMALL, _QUIET, ' text-anchor="middle"'))
        first += length
    for slot, piece in enumerate(run.frames[-1].pieces):
        middle, y = place.left[slot] + place.cell / 2, place.strip - 8
        style = ' font-style="italic"' if run.states[slot] in ("pinned", "inherited") else ""
        if place.heading == "flat":
            parts.append(_words(_head(piece), middle, y, _HEAD, _INK, f'{style} text-anchor="middle"'))
        elif place.heading == "standing":
            x = middle + _HEAD * 0.35
            turn = f' transform="rotate(-90 {_number(x)} {_number(y)})"'
            parts.append(_words(_head(piece), x, y, _HEAD, _INK, style + turn))
    return parts


def _bar(left: float, y: float, width: float, height: float) -> str:
    box = f'x="{_number(left)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
    return f'<rect {box} fill="{_QUIET}"/>'


def _strip(run: Order, place: _Place) -> list[str]:
    """Draw the step that wrote each slot, as a number where there is room and as a bar otherwise."""
    numbers = place.cell >= len(str(run.steps)) * 7 + 4
    parts = [_words("step", _LEFT - 8, place.strip + 13, _SMALL, _QUIET, ' text-anchor="end"')]
    for slot, left in enumerate(place.left):
        step = run.written[slot][-1] if run.written[slot] else 0
        edge, wide = left + place.cell * 0.1, place.cell * 0.8
        if run.states[slot] in ("pinned", "inherited"):
            parts.append(_bar(edge, place.strip + 7, wide, 4))
        elif run.states[slot] == "written" and step and numbers:
            x = left + place.cell / 2
            parts.append(_words(str(step), x, place.strip + 13, _SMALL, _INK, ' text-anchor="middle"'))
        elif run.states[slot] == "written" and step:
            height = max(1, 18 * step / run.steps)
            parts.append(_bar(edge, place.strip + 18 - height, wide, height))
    return parts


def _rows(run: Order, place: _Place) -> list[str]:
    parts: list[str] = []
    every = next((step for step in (1, 2, 5, 10, 20, 50, 100) if step * place.row >= 16), 200)
    paths: list[list[str]] = [[] for _ in range(_SHADES)]  # cells of one shade make one path
    w, h = (_number(size - 1 if size >= 6 else size) for size in (place.cell, place.row))
    for step, frame in enumerate(run.frames[1:], start=1):
        y = place.top + (step - 1) * place.row
        if step == 1 or step % every == 0:
            baseline = y + place.row / 2 + 4
            parts.append(_words(str(step), _LEFT - 8, baseline, _SMALL, _QUIET, ' text-anchor="end"'))
        for slot, left in enumerate(place.left):
            given = frame.pieces[slot] is not None and not frame.when[slot]
            if not given and frame.when[slot] in (0, min(step, 255)):
                shade = frame.confidence[slot] * _SHADES // 256
                paths[shade].append(f"M{_number(left)} {_number(y)}h{w}v{h}h-{w}z")
    return parts + [f'<path fill="{_shade(n)}" d="{"".join(path)}"/>' for n, path in enumerate(paths) if path]


def _shade(shade: int) -> str:
    levels = (
        math.floor(low + (high - low) * shade / (_SHADES - 1) + 0.5) for low, high in zip(_LOW, _HIGH, strict=True)
    )
    return f"rgb({','.join(map(str, levels))})"


def _marks(run: Order, place: _Place) -> list[str]:
    """Draw a dot for every write and a cross for every token that was taken back."""
    radius = max(1, min(place.cell, place.row) * 0.24)
    dots, crosses = [], []
    r, both = _number(radius), _number(2 * radius)
    for slot, left in enumerate(place.left):
        x = left + place.cell / 2
        for step in run.taken[slot]:
            y = place.top + (step - 0.5) * place.row
            crosses.append(f"M{_number(x - radius)} {_number(y - radius)}l{both} {both}m-{both} 0l{both} -{both}")
        for step in run.written[slot]:
            y = place.top + (step - 0.5) * place.row
            dots.append(f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{r}"/>')
    stroke = _number(max(0.5, radius / 3.5))
    parts = [f'<g fill="#ffffff" stroke="#111111" stroke-width="{stroke}">{"".join(dots)}</g>']
    if crosses:
        stroke = _number(max(1, radius / 2))
        parts.append(f'<path fill="none" stroke="{_BACK}" stroke-width="{stroke}" d="{"".join(crosses)}"/>')
    return parts


def _legend(run: Order, y: float) -> list[str]:
    parts, x = [], float(_RIGHT)
    for shade in range(0, _SHADES, 5):
        box = f'x="{_number(x)}" y="{_number(y - 10)}" width="12" height="12"'
        parts.append(f'<rect {box} fill="{_shade(shade)}"/>')
        x += 12
    x += 4

    def say(text: str) -> float:
        parts.append(_words(text, x, y, _SMALL, _QUIET))
        return x + _width(text, _SMALL) + 14

    x = say("confidence, 0 to 100 %")
    circle = f'cx="{_number(x + 4)}" cy="{_number(y - 4)}" r="4"'
    parts.append(f'<circle {circle} fill="#ffffff" stroke="#111111"/>')
    x += 14
    x = say("written")
    if any(run.taken):
        cross = f"M{_number(x)} {_number(y - 8)}l8 8m-8 0l8 -8"
        parts.append(f'<path fill="none" stroke="{_BACK}" stroke-width="2" d="{cross}"/>')
        x += 14
        x = say("taken back")
    if {"pinned", "inherited"} & set(run.states):
        box = f'x="{_number(x)}" y="{_number(y - 6)}" width="12" height="4"'
        parts.append(f'<rect {box} fill="{_QUIET}"/>')
        x += 18
        say("given or taken over" if "inherited" in run.states else "given")
    return parts


def _captions(trace: Trace, title: str, room: float) -> list[tuple[str, bool]]:
    """Return the lines below the map, and whether each is strong: strategy; steps, passes, how it ended and model."""
    masks = trace.masks_left[-1]
    facts = [_counted(len(trace.steps), "step"), _counted(trace.nfe, "pass", "passes")]
    if masks:
        facts.append(f"{'' if trace.ended == 'complete' else f'{trace.ended}, '}{_counted(masks, 'mask')} left")
    if trace.model:
        facts.append(trace.model)
    lines: list[tuple[str, bool]] = []
    names = list(dict.fromkeys(name for name in (title, trace.request.strategy) if name))
    for parts, strong in ((names, True), (facts, False)):
        lines += [(line, strong) for line in _wrapped(parts, _TITLE if strong else _HEAD, room)]
    return lines


def _wrapped(parts: Sequence[str], size: int, room: float) -> list[str]:
    lines, line = [], ""
    for part in (_fitting(part, size, room) for part in parts):
        longer = f"{line} · {part}" if line else part
        if line and _width(longer, size) > room:
            lines.append(line)
            line = part
        else:
            line = longer
    return [*lines, line]


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
