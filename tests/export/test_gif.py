"""The animated GIF of the command line."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from app.errors import InfillError
from app.export.gif import Font, gif_of
from app.export.gif_layout import Item, direction_of, items_of, place, shorten


def frames_of(data: bytes) -> tuple[list[Image.Image], list[int]]:
    image = Image.open(io.BytesIO(data))
    frames, durations = [], []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        frames.append(image.convert("RGB"))
        durations.append(image.info["duration"])
    return frames, durations


def test_there_is_a_frame_for_every_state_and_each_differs_from_the_one_before(trace):
    frames, durations = frames_of(gif_of(trace, title="Surest first"))
    assert len(frames) == len(trace.steps) + 1
    assert {frame.width for frame in frames} == {720}
    assert len({frame.height for frame in frames}) == 1
    for before, after in itertools.pairwise(frames):
        assert ImageChops.difference(before, after).getbbox()
    assert durations[-1] == 3000
    assert set(durations[1:-1]) <= {400}


def test_64_steps_take_at_most_300_kilobytes(made):
    trace = made("many narrow columns")
    assert len(gif_of(trace)) * 64 / len(trace.steps) < 300_000


def test_what_was_just_written_is_amber_and_what_was_taken_back_has_a_red_edge(made):
    trace = made("tokens taken back")
    frames, _ = frames_of(gif_of(trace))
    for step, frame in zip(trace.steps, frames[1:], strict=True):
        colours = {colour for _, colour in frame.getcolors(1 << 16) or []}
        assert ((255, 224, 138) in colours) == bool(len(step.selection.commit))
        assert ((179, 38, 30) in colours) == bool(len(step.selection.remask))


def test_cells_are_as_wide_as_their_widest_token(made):
    trace = made("one gap")
    items = items_of(trace, lambda text: 10.0 * len(text), lambda piece: piece * 7, 1000.0)
    assert {item.width for item in items if item.slot >= 0} == {82.0}
    assert [item.text for item in items if item.slot < 0] == ["the", "cat", "sat."]


def items(*parts: str) -> list[Item]:
    """Return items 10 px wide for each character; a part that ends in a space has one after it."""
    return [
        Item(part.strip(), -1, 10.0 * len(part.strip()), direction_of(part), space=part.endswith(" ")) for part in parts
    ]


def test_lines_break_between_words_and_not_within_them():
    placed = place(items("aaaa ", "bb", "cc ", "d"), width=82, space=10, mirrored=False)
    assert [(item.text, item.line, item.x) for item in placed] == [
        ("aaaa", 0, 0),
        ("bb", 1, 0),
        ("cc", 1, 22),
        ("d", 1, 52),
    ]


def test_words_of_the_other_direction_keep_their_order():
    placed = {
        item.text: item.x for item in place(items("שלום ", "big ", "dog ", "שם"), width=200, space=10, mirrored=True)
    }
    assert placed["שלום"] > placed["dog"] > placed["big"] > placed["שם"]
    placed = {item.text: item.x for item in place(items("a ", "של ", "ום ", "b"), width=200, space=10, mirrored=False)}
    assert placed["a"] < placed["ום"] < placed["של"] < placed["b"]


def test_a_long_given_text_is_cut_to_what_stands_near_the_gaps():
    text = "".join(map(str, range(1000)))
    assert shorten(text, before=False, after=True) == "…" + text[-240:]
    assert shorten(text, before=True, after=True) == text[:240] + "…" + text[-240:]
    assert shorten("short", before=True, after=False) == "short"


def test_the_font_knows_which_characters_it_lacks():
    assert Font().lacks("cat, שa中") == ["ש", "中"]


def test_a_file_that_is_no_font_is_refused():
    with pytest.raises(InfillError, match=r"cannot read the font .*\.ttf"):
        Font(Path(__file__)).lacks("a")
