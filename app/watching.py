"""Runs in a terminal: a state as one line, and `--watch`, which repaints the passage in place at every step."""

from __future__ import annotations

import itertools
import os
import sys
import time
import unicodedata
from typing import TYPE_CHECKING, TextIO

from app.errors import InfillError
from app.trace.trace import Trace
from app.trace.verdict import UNSURE

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

MASK = "░"
SURE = 0.8
"""A token that was written at this probability or above is painted as sure."""
_CONTEXT = 32  # characters of the given text shown on either side of the span
_SMALL = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_BARS = "▁▂▃▄▅▆▇█"
_NEW, _GIVEN, _FAINT = "reverse bold", "none", "dim"
_OTHER = 4  # rows of a frame without the passage: an empty one, the tokens just written, the status, the cursor's


def state_line(trace: Trace, number: int) -> str:
    """Return step, forward passes, masks left and the text of one state in a line, masks as ░."""
    before, *between, after = trace.given
    before = "…" + before[-_CONTEXT:] if len(before) > _CONTEXT else before
    after = after[:_CONTEXT] + "…" if len(after) > _CONTEXT else after
    text, pieces = before, iter(trace.pieces(number))
    for gap, part in zip(trace.start.gaps, [*between, after], strict=True):
        text += "".join(MASK if piece is None else piece for piece in itertools.islice(pieces, len(gap))) + part
    nfe = trace.steps[number - 1].nfe if number else 0
    return f"step {number:>3}  NFE {nfe:>3}  masks {trace.masks_left[number]:>3}  {one_line(text)}"


def one_line(text: str) -> str:
    """Return text with line breaks as ↵, and control characters and lone surrogates as �."""
    return _printable(text.replace("\n", "↵"))


def _printable(text: str) -> str:
    """Return text without characters that move a cursor or change colours, and without lone surrogates."""
    return "".join("�" if unicodedata.category(char) in ("Cc", "Cs") and char != "\n" else char for char in text)


def check_terminal() -> None:
    """Raise InfillError unless standard output is a terminal whose text can be repainted."""
    if not sys.stdout.isatty():
        raise InfillError(
            "--watch repaints a terminal, but standard output is a file or a pipe; leave out --watch, or use --json"
        )
    if (kind := os.environ.get("TERM", "")) in ("dumb", "unknown"):
        raise InfillError(f"--watch cannot repaint a terminal of the kind '{kind}'; leave it out, or set TERM")


class Painter:
    """Paints the last state of a trace over the one before; as a context manager it gives the cursor back.

    The last frame stays. Colours are left out where NO_COLOR is set. A terminal whose size changes is wiped, because
    lines that it has wrapped again cannot be found.
    """

    def __init__(self, terminal: TextIO, pause: float) -> None:
        """Paint on a terminal, and show every state for `pause` seconds, in which Ctrl-C may come."""
        self._terminal, self._pause, self._size = terminal, pause, os.terminal_size((0, 0))
        self._live: Live | None = None

    def __enter__(self) -> Painter:
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def paint(self, trace: Trace) -> None:
        """Paint the last state, and wait if the run goes on."""
        live = self._on_terminal()
        live.update(frame(trace, live.console), refresh=True)
        if trace.ended == "running":
            time.sleep(self._pause)

    def _on_terminal(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        size = os.get_terminal_size(self._terminal.fileno())
        if self._live is None or size != self._size:
            if self._live is not None:
                self._live.stop()
                self._live.console.clear()
            width, height = size.columns or 80, size.lines or 24  # some pseudo-terminals have no size
            console = Console(file=self._terminal, force_terminal=True, width=width, height=height, highlight=False)
            self._live, self._size = Live(console=console, auto_refresh=False, vertical_overflow="crop"), size
            self._live.start()
        return self._live


def frame(trace: Trace, console: Console) -> Group:
    """Return the picture of a trace's last state: the passage, the tokens just written, and the status in one line.

    Every written token has the step that wrote it as a small number. Those of the last step are reversed; those that
    were written below 30 % are underlined, and colours say how sure the others were. A passage higher than the terminal
    is cut to the rows around what was just written.
    """
    from rich.console import Group
    from rich.text import Text

    number = len(trace.steps)
    lines = passage(trace, number).wrap(console, console.width, overflow="fold")
    shown = _window(list(lines), max(1, console.height - _OTHER))
    below = [Text(), just_written(trace, number), _status(trace, number)]
    for line in below:
        line.truncate(console.width, overflow="ellipsis")
    return Group(*shown, *below)


def passage(trace: Trace, number: int) -> Text:
    """Return the text of a state, with its masks, and its written tokens styled."""
    from rich.text import Text

    first, *others = trace.given
    text, commits, pieces = Text(_printable(first)), trace.commits(number), iter(trace.pieces(number))
    for gap, part in zip(trace.start.gaps, others, strict=True):
        for position, piece in zip(gap, pieces, strict=False):
            when, sure = int(commits.when[position]), commits.confidence[position]
            if piece is None:
                text.append(MASK, style=_FAINT)
            elif not when:  # pinned, or written before the run
                text.append(_printable(piece), style=_GIVEN)
            else:
                word = _printable(piece)
                begin, end = len(word) - len(word.lstrip()), len(word.rstrip())
                text.append(word[:begin])
                text.append(word[begin:end], style=_style(sure, new=when == number))
                text.append(str(when).translate(_SMALL), style=_FAINT)
                text.append(word[max(begin, end) :])
        text.append(_printable(part))
    return text


def _style(sure: float, *, new: bool) -> str:
    """Return the style of a written token, which does not depend on colour alone; see `frame`."""
    style = "underline red" if sure < UNSURE else "green" if sure >= SURE else "yellow"
    return f"{style} {_NEW}" if new else style


def _window(lines: list[Text], room: int) -> list[Text]:
    """Return at most `room` lines, around the first that was written to in this step, or else the first mask."""
    if len(lines) <= room:
        return lines
    new = [number for number, line in enumerate(lines) if any(_NEW in str(span.style) for span in line.spans)]
    masked = [number for number, line in enumerate(lines) if MASK in line.plain]
    focus = next(iter(new or masked), 0)
    start = min(max(0, focus - room // 2), len(lines) - room)
    return lines[start : start + room]


def just_written(trace: Trace, number: int) -> Text:
    """Return the tokens of a state's last step, each with its probability as a bar and in percent."""
    from rich.text import Text

    if not trace.begun:
        return Text(one_line(trace.notices[-1]) if trace.notices else "", style=_FAINT)
    if not number:
        return Text("all is masked" if not trace.inherited else "nothing is written yet", style=_FAINT)
    step, pieces, text = trace.steps[number - 1], trace.pieces(number), Text("wrote")
    for position, place in zip(step.selection.commit, trace.start.places(step.selection.commit), strict=True):
        sure = float(step.prediction.confidence[position])
        bar = _BARS[min(len(_BARS) - 1, int(sure * len(_BARS)))]
        text.append(f"  {one_line(pieces[place] or '').strip() or '␣'} ").append(
            f"{bar} {100 * sure:.0f} %", style=_FAINT
        )
    return text


def _status(trace: Trace, number: int) -> Text:
    from rich.text import Text

    passes = f"{trace.calls} of {trace.request.steps} passes" if trace.begun else f"{trace.choosing.calls} passes"
    left = trace.masks_left[number]
    return Text(f"step {number} · {passes} · {left} mask{'s' * (left != 1)} left", style=_FAINT)
