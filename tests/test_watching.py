"""`--watch` in a pseudo-terminal: what stands on its screen after every step, and after the run."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import numpy as np
import pyte
import pytest

from app.__main__ import main
from app.infill import infill
from app.sampling.request import InfillRequest
from app.trace import recording
from app.trace.trace import Trace
from app.watching import MASK, Painter
from models.toy import toy

RUN = ["infill", "--model", "toy", "--prefix", "the cat", "--suffix", "sat", "--length", "6", "--watch", "0"]
COLOURS = re.compile(rb"\x1b\[[0-9;]*?\b3[0-7][;m]")


class Terminal:
    """A pseudo-terminal whose screen can be read."""

    def __init__(self, columns: int, rows: int) -> None:
        self.master, self.slave = pty.openpty()
        self.screen = pyte.HistoryScreen(columns, rows)
        self.stream, self.raw = pyte.ByteStream(self.screen), b""
        self.output: TextIO = os.fdopen(self.slave, "w", encoding="utf-8")
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def read(self, patience: float = 0.0) -> list[str]:
        """Return the rows of the screen down to the last that is not empty."""
        while select.select([self.master], [], [], patience)[0]:
            try:
                new = os.read(self.master, 65536)
            except OSError:  # the other end is closed
                break
            self.raw += new
            self.stream.feed(new)
        return "\n".join(row.rstrip() for row in self.screen.display).rstrip().split("\n")


@pytest.fixture
def terminal(monkeypatch) -> Iterator[Terminal]:
    """Forty columns and twelve rows."""
    made = Terminal(40, 12)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield made
    made.output.close()
    os.close(made.master)


def traces(**changed) -> list[Trace]:
    request = InfillRequest(**{"prefix": "the cat", "suffix": "sat", "length": 6, "steps": 3, **changed})
    return [*infill(request, toy())]


def test_every_step_is_painted_over_the_one_before(terminal):
    run = traces()
    with Painter(terminal.output, 0) as painter:
        for number, trace in enumerate(run):
            painter.paint(trace)
            text, empty, written, status = terminal.read()
            assert text.count(MASK) == trace.masks_left[number]
            assert re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]", "", text).replace(MASK, "") == trace.text
            assert not empty
            left = trace.masks_left[number]
            assert status == f"step {number} · {number} of 3 passes · {left} masks left"
            assert written.count("%") == (len(trace.steps[-1].selection.commit) if number else 0)
            assert terminal.screen.cursor.hidden
    text = terminal.read()[0]
    assert not terminal.screen.cursor.hidden
    assert [text.count(digit) for digit in "¹²³"] == [2, 2, 2]
    assert not terminal.screen.history.top, "the screen was scrolled"


def test_new_tokens_are_reversed_and_unsure_ones_underlined_without_colour_too(terminal, monkeypatch):
    *_, before, last = traces()
    for no_color in ("", "1"):
        monkeypatch.setenv("NO_COLOR", no_color)
        for confidence, underlined in ((0.9, False), (0.1, True)):
            prediction = replace(last.steps[-1].prediction, confidence=np.full(len(last.start), confidence))
            step = replace(last.steps[-1], prediction=prediction)
            terminal.raw = b""
            terminal.screen.reset()
            with Painter(terminal.output, 0) as painter:
                painter.paint(replace(last, steps=(*before.steps, step)))
            terminal.read()
            row = terminal.screen.buffer[0]
            reversed_ = [column for column in range(40) if row[column].reverse]
            assert len(reversed_) == 2
            assert all(row[column].underscore == underlined for column in reversed_)
            assert bool(COLOURS.search(terminal.raw)) == (not no_color)


def test_wide_characters_wrap_at_the_width_and_leave_nothing_behind(terminal):
    run = traces(prefix="the cat")
    with Painter(terminal.output, 0) as painter:
        for trace in run:
            wide = {token: "猫".encode() for token in trace.lexicon}
            painter.paint(replace(trace, lexicon=wide, request=replace(trace.request, prefix="小さな犬が走った。" * 9)))
            *text, empty, _, _ = terminal.read()
            assert not empty
            # pyte leaves an empty cell after a wide character, which `display` does not show.
            joined = "".join(text)
            assert joined.startswith("小さな犬が走った。" * 9)
            assert joined.count("猫") == 6 - trace.masks_left[len(trace.steps)]
            assert all(2 * len(row) <= 40 for row in text[:-1])
            assert len(text) == 5


def test_a_passage_higher_than_the_terminal_is_cut_to_what_was_just_written(terminal):
    run = traces()
    with Painter(terminal.output, 0) as painter:
        for trace in run:
            long = replace(trace.request, prefix="Long before. " * 200, suffix=" Long after." * 200)
            painter.paint(replace(trace, request=long))
            rows = terminal.read()
            assert len(rows) == 11
            assert rows[-1].startswith("step")
            shown = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]", "", "".join(rows))
            assert MASK in shown or trace.fill in shown
    assert not terminal.screen.history.top


def test_a_terminal_that_changes_its_width_is_wiped(terminal):
    first, *others = traces()
    with Painter(terminal.output, 0) as painter:
        painter.paint(first)
        terminal.read()
        terminal.resize(12, 12)
        for trace in others:
            painter.paint(trace)
        rows = terminal.read()
    assert " ".join(rows).count("the cat") == 1
    assert max(map(len, rows)) <= 12


def test_a_terminal_that_does_not_know_its_size_is_taken_for_one_of_80_columns(terminal):
    terminal.resize(80, 24)
    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    with Painter(terminal.output, 0) as painter:
        painter.paint(traces()[-1])
    assert terminal.read()[-1] == "step 3 · 3 of 3 passes · 0 masks left"


def test_a_model_that_writes_control_characters_cannot_move_the_cursor(terminal):
    *_, last = traces()
    bell = dict.fromkeys(last.lexicon, b"\x1b[2Ja\x07")
    with Painter(terminal.output, 0) as painter:
        painter.paint(replace(last, lexicon=bell))
    rows = terminal.read()
    assert " ".join(rows).startswith("the cat�[2Ja�")
    assert b"\x07" not in terminal.raw


def test_the_text_and_the_verdict_follow_the_last_frame(terminal, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", terminal.output)
    assert main(RUN) == 0
    terminal.output.flush()
    *frame, text = terminal.read()
    assert frame[-1] == "step 6 · 6 of 6 passes · 0 masks left"
    assert text.startswith("the cat")
    assert text.endswith(" sat")
    assert capsys.readouterr().err.startswith("Done in all 6 passes")


def test_a_recorded_run_is_watched_without_a_model(terminal, tmp_path, monkeypatch):
    file = tmp_path / "run.json"
    file.write_text(recording.dump(traces()[-1]), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", terminal.output)
    assert main(["replay", str(file), "--watch", "0"]) == 0
    terminal.output.flush()
    assert terminal.read()[-1] == "step 3 · 3 of 3 passes · 0 masks left"
    painted = re.findall(r"step \d · \d of 3 passes · \d masks left", terminal.raw.decode())
    assert list(dict.fromkeys(painted)) == [f"step {n} · {n} of 3 passes · {6 - 2 * n} masks left" for n in range(4)]


def as_foreground() -> None:
    """Let a process get Ctrl-C from its terminal, also where this one was started with the signal ignored."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_gives_the_cursor_back_and_prints_what_was_written():
    terminal = Terminal(60, 20)
    run = [*RUN[:-1], "50"]
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *run],
        cwd=Path(__file__).parents[1],
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
        env={**os.environ, "TERM": "xterm-256color"},
        start_new_session=True,
        preexec_fn=as_foreground,
    )
    terminal.output.close()
    while "step 0" not in "".join(terminal.read(patience=1.0)) and process.poll() is None:
        pass
    assert terminal.screen.cursor.hidden
    os.write(terminal.master, b"\x03")
    assert process.wait(timeout=60) == 130
    *frame, verdict, text = terminal.read(patience=1.0)
    assert frame[0] == f"the cat{MASK * 6} sat"
    assert verdict == "Stopped after 0 of 6 passes, with six masks left."
    assert text == "the cat sat"
    assert not terminal.screen.cursor.hidden
    os.close(terminal.master)


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ([], "dumb", "cannot repaint a terminal of the kind 'dumb'"),
        (["--json"], "xterm", "not allowed with argument"),
        (["--watch", "-1"], "xterm", "0 to 60 seconds a step, not -1.0"),
        (["--watch", "nan"], "xterm", "0 to 60 seconds a step, not nan"),
    ],
)
def test_watching_is_refused_where_it_makes_no_sense(terminal, monkeypatch, capsys, more, kind, said):
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr(sys, "stdout", terminal.output)
    assert main([*RUN, *more]) == 2
    assert said in capsys.readouterr().err


def test_watching_a_file_or_a_pipe_is_refused(capsys):
    assert main(RUN) == 2
    printed = capsys.readouterr()
    assert "--watch repaints a terminal, but standard output is a file or a pipe" in printed.err
    assert not printed.out
