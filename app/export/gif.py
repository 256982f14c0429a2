"""An animated GIF of a run: the passage in every state, in the look of assets/page/gif.js."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageColor, ImageDraw, ImageFont

from app.errors import InfillError
from app.export.gif_layout import Direction, Item, direction_of, items_of, place
from app.trace.trace import Trace

WIDTH = 720  # px
DELAY = 400  # ms of a frame
HOLD = 3000  # ms of the last frame
_LONGEST_FIRST = 900  # ms
_TEXT, _SMALL, _FOOT_TEXT = 22, 12, 14  # px, sizes of text
_LINE, _CELL, _EDGE, _FOOT = 50, 32, 24, 44  # px
_COLOURS = 32
_PAPER, _INK, _QUIET, _RULE, _SHADE = "#ffffff", "#1f2937", "#545b69", "#b9bfca", "#eef0f4"
_MODEL, _WEAK, _NOW, _NOW_EDGE, _BACK = "#4f46e5", "#e4e7fc", "#ffe08a", "#8a5a00", "#b3261e"
_FLAT = (_PAPER, _INK, _QUIET, _RULE, _SHADE, _MODEL, _WEAK, _NOW, _NOW_EDGE, _BACK)
_NO_CHARACTER = "\U0010fffe"  # which no font has


@dataclass
class Font:
    """A font in all sizes: that of a file, or else the one that Pillow brings, which knows little but English."""

    file: Path | None = None
    _sizes: dict[int, ImageFont.FreeTypeFont] = field(default_factory=dict)

    def sized(self, size: int) -> ImageFont.FreeTypeFont:
        """Return the font in a size in pixels. Raises InfillError if the file cannot be read."""
        if size not in self._sizes:
            try:
                font = ImageFont.load_default(size) if self.file is None else ImageFont.truetype(str(self.file), size)
            except OSError as error:
                raise InfillError(f"cannot read the font '{self.file}': {error}; name a .ttf or .otf file") from None
            assert isinstance(font, ImageFont.FreeTypeFont), "this Pillow was built without FreeType"
            self._sizes[size] = font
        return self._sizes[size]

    def lacks(self, text: str) -> list[str]:
        """Return the characters of a text that the font does not have, each once, in order."""
        missing = self._drawn(_NO_CHARACTER)
        wanted = [each for each in dict.fromkeys(text) if each.isprintable() and not each.isspace()]
        return [each for each in wanted if self._drawn(each) == missing]

    def _drawn(self, character: str) -> bytes:
        """Return what a character looks like."""
        image = Image.new("L", (2 * _TEXT, 2 * _TEXT))
        ImageDraw.Draw(image).text((_TEXT, _TEXT), character, fill=255, font=self.sized(_TEXT), anchor="ms")
        return image.tobytes()

    def show(self, piece: str) -> str:
        """Return a token as its cell shows it: without the space before it, white space made visible."""
        line, tab, space = "\\n" if self.lacks("↵") else "↵", "\\t" if self.lacks("⇥") else "⇥", "_"
        text = piece.replace(" ", space) if piece.isspace() else piece.lstrip(" ")
        return text.replace("\n", line).replace("\t", tab) or "·"


def gif_of(trace: Trace, *, title: str = "", font: Font | None = None, width: int = WIDTH, delay: int = DELAY) -> bytes:
    """Return the GIF, one frame a state; the last one is held for three seconds. `delay` is in milliseconds.

    `title` stands below the passage, beside the counters.
    """
    font = font or Font()
    measure = font.sized(_TEXT).getlength
    pieces = {piece for number in range(len(trace.steps) + 1) for piece in trace.pieces(number) if piece is not None}
    shown = {piece: font.show(piece) for piece in pieces}
    mirrored = (
        direction_of(" ".join([*trace.given, *(piece or "" for piece in trace.pieces(len(trace.steps)))])) == "rtl"
    )
    items = place(
        items_of(trace, measure, shown.__getitem__, width - 2 * _EDGE),
        width=width - 2 * _EDGE,
        space=max(6.0, measure(" ")),
        mirrored=mirrored,
    )
    painter = _Painter(trace, items, font, shown, title, width, "rtl" if mirrored else "ltr")
    some = [painter.paint(number) for number in _some_frames(trace)]
    sheet = Image.new("RGB", (width, painter.height * len(some)))
    for row, frame in enumerate(some):
        sheet.paste(frame, (0, row * painter.height))
    palette = Image.new("P", (1, 1))
    between = sheet.quantize(_COLOURS - len(_FLAT), dither=Image.Dither.NONE).getpalette() or []  # edges of letters
    palette.putpalette([*(level for colour in _FLAT for level in ImageColor.getrgb(colour)), *between])
    first, *others = [
        painter.paint(number).quantize(palette=palette, dither=Image.Dither.NONE)
        for number in range(len(trace.steps) + 1)
    ]
    file = io.BytesIO()
    durations = [max(delay, _LONGEST_FIRST), *[delay] * (len(others) - 1), HOLD]
    first.save(file, "GIF", save_all=True, append_images=others, duration=durations, loop=0, disposal=1)
    return file.getvalue()


def _some_frames(trace: Trace) -> list[int]:
    """Return frames that have all colours between them: the ends, the middle, and some that take tokens back."""
    last = len(trace.steps)
    taken = [number for number, step in enumerate(trace.steps, start=1) if len(step.selection.remask)]
    return sorted({0, min(1, last), last // 2, last, *taken[:2]})


@dataclass
class _Painter:
    """Paints the states of a run on one layout."""

    trace: Trace
    items: list[Item]
    font: Font
    shown: dict[str, str]
    title: str
    width: int
    base: Direction

    def __post_init__(self) -> None:
        lines = 1 + max((item.line for item in self.items), default=-1)
        self.height = _EDGE + lines * _LINE + _FOOT

    def paint(self, number: int) -> Image.Image:
        """Paint state `number`."""
        image = Image.new("RGB", (self.width, self.height), _PAPER)
        pen = ImageDraw.Draw(image)
        trace = self.trace
        pieces = trace.pieces(number)
        when = [0] * len(pieces)
        for earlier, step in enumerate(trace.steps[:number], start=1):
            for slot in trace.start.places(step.selection.commit):
                when[slot] = earlier
        back = trace.start.places(trace.steps[number - 1].selection.remask) if number else []
        hatched = self._hatching()
        for item in self.items:
            x, y = _EDGE + item.x, _EDGE + item.line * _LINE
            if item.slot < 0:
                self._write(pen, item.text, x + item.width / 2, y + 23, item.width, _TEXT, _INK, item.direction)
                continue
            piece = pieces[item.slot]
            if piece is None:
                box = (round(x), y, round(x + item.width), y + _CELL)
                image.paste(hatched.crop((0, 0, box[2] - box[0], _CELL)), box[:2])
            self._cell(pen, item, piece, number, when[item.slot], item.slot in back)
        self._foot(pen, number)
        return image

    def _cell(
        self, pen: ImageDraw.ImageDraw, item: Item, piece: str | None, number: int, when: int, back: bool
    ) -> None:
        """Paint a slot: amber if this step wrote it, with a red edge and a cross if this step took it back."""
        x, y, given = _EDGE + item.x, _EDGE + item.line * _LINE, piece is not None and not when
        fresh = piece is not None and 0 < when == number
        fill = None if piece is None else _NOW if fresh else _PAPER if given else _WEAK
        edge = _BACK if back else _NOW_EDGE if fresh else _QUIET if given else _RULE
        box = (round(x), y, round(x + item.width) - 1, y + _CELL - 1)
        pen.rectangle(box, fill=fill, outline=edge, width=3 if back else 1)
        middle, below = x + item.width / 2, y + _CELL + 13
        if piece is not None:
            text = self.shown[piece]
            self._write(pen, text, middle, y + 23, item.width - 6, _TEXT, _INK, direction_of(text))
            self._write(pen, "given" if given else str(when), middle, below, item.width, _SMALL, _QUIET)
        elif back:
            pen.line((middle - 3, below - 8, middle + 3, below - 2), fill=_BACK, width=2)
            pen.line((middle - 3, below - 2, middle + 3, below - 8), fill=_BACK, width=2)

    def _hatching(self) -> Image.Image:
        """Return a strip of the pattern of a mask."""
        strip = Image.new("RGB", (self.width, _CELL), _SHADE)
        pen = ImageDraw.Draw(strip)
        for x in range(-_CELL, self.width, 8):
            pen.line((x, _CELL, x + _CELL, 0), fill=_RULE, width=1)
        return strip

    def _foot(self, pen: ImageDraw.ImageDraw, number: int) -> None:
        """Paint how far the run is, as a bar and in words."""
        steps, top = len(self.trace.steps), self.height - _FOOT
        room = self.width - 2 * _EDGE
        pen.rectangle((_EDGE, top, _EDGE + room - 1, top + 3), fill=_SHADE)
        if number:
            pen.rectangle((_EDGE, top, _EDGE + room * number / steps - 1, top + 3), fill=_MODEL)
        nfe, masks = self.trace.steps[number - 1].nfe if number else 0, self.trace.masks_left[number]
        passes = "1 pass" if nfe == 1 else f"{nfe} passes"
        facts = f"step {number} of {steps} · {passes} · {masks} mask{'' if masks == 1 else 's'} left"
        self._write(pen, facts, _EDGE, top + 25, room * 0.6, _FOOT_TEXT, _QUIET, anchor="ls")
        self._write(pen, self.title, self.width - _EDGE, top + 25, room * 0.35, _FOOT_TEXT, _QUIET, anchor="rs")

    def _write(
        self,
        pen: ImageDraw.ImageDraw,
        text: str,
        x: float,
        y: float,
        room: float,
        size: int,
        colour: str,
        direction: Direction = "ltr",
        anchor: str = "ms",
    ) -> None:
        """Write a text with its baseline at y, smaller if it is wider than the room."""
        font = self.font.sized(size)
        length = font.getlength(text)
        if length > room > 0:
            font = self.font.sized(max(6, int(size * room / length)))
        # Only with Raqm can Pillow set text from the right; the font that it brings has no such letters anyway.
        set_by = (direction or self.base) if font.layout_engine == ImageFont.Layout.RAQM else None
        pen.text((x, y), text, fill=colour, font=font, anchor=anchor, direction=set_by)
