"""The contract of all views, and that they draw the numbers of the trace."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plotly.graph_objects import Figure

import models
from app.infill import infill
from app.sampling.request import InfillRequest
from app.sampling.step import Selection, Step
from app.trace.recording import dump, load
from app.trace.trace import Trace
from app.views.palette import DARK, LIGHT, Palette, whole_numbers
from app.views.registry import View, labels, views

every_view = pytest.mark.parametrize("view", views().values(), ids=views())
both_themes = pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])


def traces(**asked: Any) -> list[Trace]:
    asked = {"prefix": "the ", "suffix": "was", "temperature": 0.8, "strategy": "random"} | asked
    return list(infill(InfillRequest(**asked), models.load("toy")))


def last_trace(**asked: Any) -> Trace:
    return traces(**asked)[-1]


def remasked() -> Trace:
    """Return a trace of five steps, of which the fourth remasks what the first one committed."""
    trace = last_trace(length=6, steps=6, strategy="reference")  # asks about every position in every step
    first = int(trace.start.span[0])
    canvas, steps = trace.start, []
    for step, commit, remask in zip(trace.steps, [(0, 3), (1,), (), (2,), (0,)], [(), (), (), (0,), ()], strict=False):
        taken, fixed = np.array(remask, dtype=np.int64) + first, np.array(commit, dtype=np.int64) + first
        canvas = canvas.remask(taken)
        canvas = canvas.commit(fixed, step.prediction.candidates[fixed])
        steps.append(replace(step, canvas=canvas, selection=Selection(commit=fixed, remask=taken)))
    return replace(trace, steps=tuple(steps), ended="stopped")


def with_words(trace: Trace, pieces: list[bytes]) -> Trace:
    """Return the finished trace with other words in its gap."""
    canvas = trace.canvas
    ids = canvas.ids.copy()
    ids[canvas.span] = range(1000, 1000 + len(pieces))
    last = replace(trace.steps[-1], canvas=replace(canvas, ids=ids))
    return replace(trace, steps=(*trace.steps[:-1], last), lexicon={**trace.lexicon, **dict(enumerate(pieces, 1000))})


def certain(trace: Trace) -> Trace:
    """Return the trace with every position asked about and certain in every step: the largest heat map possible."""
    span = trace.start.span

    def sure(step: Step) -> Step:
        confidence, tops = step.prediction.confidence.copy(), step.prediction.top_tokens.copy()
        confidence[span], tops[span] = 1.0, 0
        entropy = np.where(tops[:, 0] >= 0, 10.3, 0)
        return replace(
            step, prediction=replace(step.prediction, confidence=confidence, top_tokens=tops, entropy=entropy)
        )

    return replace(trace, steps=tuple(map(sure, trace.steps)))


SCENES: dict[str, Callable[[], Trace]] = {
    "complete": lambda: last_trace(length=8, steps=5),
    "unfinished": lambda: replace(traces(length=8, steps=5)[2], ended="stopped"),
    "empty": lambda: traces(length=8, steps=5)[0],
    "one position": lambda: last_trace(length=1, steps=1),
    "one position, empty": lambda: traces(length=1, steps=1)[0],
    "remasked": remasked,
    "everything asked": lambda: last_trace(length=6, steps=8, strategy="reference"),
    "large": lambda: last_trace(length=60, steps=64, strategy="first_hitting"),
    "recorded": lambda: load(dump(last_trace(length=8, steps=5))),
    "recorded, empty": lambda: load(dump(replace(traces(length=8, steps=5)[0], ended="stopped"))),
}
every_scene = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)


def drawn(view: View | str, trace: Trace, palette: Palette = LIGHT) -> dict[str, Any]:
    """Return the figure as sent to the browser, its arrays decoded; plotly checks every property."""
    figure = (views()[view] if isinstance(view, str) else view).draw(trace, palette)
    Figure(figure.to_dict())
    return decoded(json.loads(figure.to_json()))


def decoded(value: Any) -> Any:
    """Return the value with plotly's base64 arrays as lists."""
    if isinstance(value, dict) and "bdata" in value:
        array = np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
        shape = [int(size) for size in str(value.get("shape", len(array))).split(",")]
        return array.reshape(shape).tolist()
    if isinstance(value, dict):
        return {name: decoded(each) for name, each in value.items()}
    return [decoded(each) for each in value] if isinstance(value, list) else value


@every_view
@every_scene
@both_themes
def test_every_view_draws_every_trace_with_titles_and_the_palettes_colours(
    view: View, scene: Callable[[], Trace], palette: Palette
) -> None:
    layout = drawn(view, scene(), palette)["layout"]
    assert layout["title"]["text"]
    assert layout["xaxis"]["title"]["text"]
    assert layout["yaxis"]["title"]["text"]
    assert layout["font"]["color"] == palette.ink
    assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"


@every_view
@pytest.mark.parametrize("scene", ["complete", "remasked", "unfinished"])
def test_a_recording_is_drawn_like_the_live_run(view: View, scene: str) -> None:
    trace = SCENES[scene]()
    live, replayed = drawn(view, trace), drawn(view, load(dump(trace)))
    assert live["layout"] == replayed["layout"]
    assert [mark["x"] for mark in live["data"]] == [mark["x"] for mark in replayed["data"]]
    assert [mark["y"] for mark in live["data"]] == [mark["y"] for mark in replayed["data"]]


@every_view
def test_drawing_does_not_change_the_trace(view: View) -> None:
    trace = remasked()
    before = dump(trace)
    view.draw(trace, LIGHT)
    assert dump(trace) == before


@every_view
def test_every_view_has_a_title_and_a_one_line_summary(view: View) -> None:
    assert view.summary.endswith(".")
    assert view.title[0].isupper()
    assert "_" not in view.title


def test_the_unmasking_order_comes_first() -> None:
    assert next(iter(views())) == "unmasking_order"
    assert {"masks_left", "confidence_map", "entropy_map"} < set(views())


@pytest.mark.parametrize("name", ["complete", "unfinished", "remasked", "recorded", "large"])
def test_the_unmasking_order_shows_the_step_of_every_commit_as_a_number(name: str) -> None:
    trace = SCENES[name]()
    (committed, *taken) = drawn("unmasking_order", trace)["data"]
    assert committed["text"] == [str(step) for step in committed["y"]]
    assert "text" in committed["mode"]
    last: dict[int, int] = {}
    for place, step in zip(committed["x"], committed["y"], strict=True):
        last[place] = max(step, last.get(place, 0))
    for mark in taken:
        for place, step in zip(mark["x"], mark["y"], strict=True):
            if step >= last[place]:
                last[place] = 0
    assert [last.get(place, 0) for place in range(1, len(trace.start.span) + 1)] == trace.order.tolist()


def test_a_remasked_position_has_a_mark_of_another_shape_with_its_step() -> None:
    committed, taken = drawn("unmasking_order", remasked())["data"]
    assert list(zip(committed["x"], committed["y"], strict=True)) == [(1, 1), (4, 1), (2, 2), (3, 4), (1, 5)]
    assert (taken["x"], taken["y"], taken["text"]) == ([1], [4], ["4"])
    assert taken["marker"]["symbol"] != committed["marker"]["symbol"]


@pytest.mark.parametrize("name", list(SCENES))
def test_masks_left_shows_the_count_after_every_step(name: str) -> None:
    trace = SCENES[name]()
    (line,) = drawn("masks_left", trace)["data"]
    assert line["x"] == list(range(len(trace.steps) + 1))
    assert line["y"] == trace.masks_left
    assert line["text"] == [str(masks) for masks in trace.masks_left]
    assert "text" in line["mode"]


MAPS: list[tuple[str, Any, int]] = [("confidence_map", "confidence", 2), ("entropy_map", "entropy", 1)]


@pytest.mark.parametrize(("name", "score", "digits"), MAPS)
@every_scene
def test_a_map_draws_the_recorded_scores_and_leaves_other_cells_empty(
    name: str, score: Any, digits: int, scene: Callable[[], Trace]
) -> None:
    trace = scene()
    heat, _ = drawn(name, trace)["data"]
    values = trace.recorded(score)
    top = 1.0 if score == "confidence" else np.nanmax(values, initial=0.1)
    shown = np.array(heat["z"], dtype=float).reshape(values.shape)
    assert ((shown == 0) == np.isnan(values)).all()
    share = values / top
    assert shown / 100 == pytest.approx(np.where(np.isnan(share), 0, np.maximum(share, 0.01)), abs=0.005 + 1e-9)
    assert heat["colorscale"][0] == [0, "rgba(0,0,0,0)"]
    assert (heat["zmin"], heat["zmax"]) == (0, 100)
    assert heat["x"] == list(range(1, values.shape[1] + 1))
    assert heat["y"] == list(range(1, values.shape[0] + 1))


@pytest.mark.parametrize(("name", "score", "digits"), MAPS)
@pytest.mark.parametrize("scene", ["complete", "one position", "remasked", "recorded"])
def test_a_small_map_has_its_scores_as_numbers_in_the_cells(name: str, score: Any, digits: int, scene: str) -> None:
    trace = SCENES[scene]()
    heat, _ = drawn(name, trace)["data"]
    assert heat["texttemplate"] == "%{text}"
    values = trace.recorded(score)
    numbers = np.array([[float(cell) if cell else np.nan for cell in row] for row in heat["text"]])
    assert numbers == pytest.approx(values, abs=0.5 * 10.0**-digits + 1e-9, nan_ok=True)


def test_a_large_map_has_its_scores_in_the_hover_text_only() -> None:
    fitting, full = last_trace(length=32, steps=20), last_trace(length=60, steps=20, strategy="first_hitting")
    assert "texttemplate" in drawn("confidence_map", fitting)["data"][0]
    heat, _ = drawn("confidence_map", full)["data"]
    assert "texttemplate" not in heat
    assert "%{z}%" in heat["hovertemplate"], "without numbers in the cells, the hover text must show them"


@pytest.mark.parametrize("name", ["confidence_map", "entropy_map"])
@pytest.mark.parametrize("scene", ["complete", "unfinished", "remasked", "empty", "large"])
def test_a_bar_in_a_map_marks_the_step_that_committed_each_position(name: str, scene: str) -> None:
    trace = SCENES[scene]()
    _, bars = drawn(name, trace)["data"]
    order = np.zeros(len(trace.start.span), dtype=int)
    order[np.array(bars["x"], dtype=int) - 1] = np.round(np.array(bars["y"]) - 0.38)
    assert order.tolist() == trace.order.tolist()
    assert 0 not in order[np.array(bars["x"], dtype=int) - 1]


@every_view
def test_a_figure_of_60_positions_and_64_steps_is_smaller_than_40_kb(view: View) -> None:
    trace = last_trace(length=60, steps=64, strategy="random")
    steps = (*trace.steps, *[trace.steps[-1]] * (64 - len(trace.steps)))
    trace = with_words(replace(trace, steps=steps), [b" <i>word"] * 60)
    for each in (trace, certain(trace)):
        assert len(view.draw(each, LIGHT).to_json() or "") < 40_000


@pytest.mark.parametrize("name", ["confidence_map", "entropy_map"])
def test_a_map_is_sent_as_one_byte_per_cell(name: str) -> None:
    figure = views()[name].draw(last_trace(length=60, steps=64), LIGHT)
    assert json.loads(figure.to_json())["data"][0]["z"]["dtype"] == "u1"


WORDS = [b"<b>dog</b>", b" &amp;", b"\n", b" ", b'"x', b"\xe2", b"\x82\xac", b"\xff"]
NAMES = ["1 &lt;b&gt;dog&lt;/b&gt;", "2 &amp;amp;", "3 ↵", "4 ␣", '5 "x', "6 ·", "7 €", "8 \ufffd"]


def test_labels_are_escaped_and_show_invisible_characters() -> None:
    trace = with_words(last_trace(length=8, steps=8), WORDS)
    assert labels(trace) == NAMES
    assert labels(traces(length=2, steps=1)[0]) == ["1 ▒", "2 ▒"]


@every_view
def test_no_token_is_read_as_html(view: View) -> None:
    figure = view.draw(with_words(last_trace(length=8, steps=8), WORDS), LIGHT)
    assert "<b>dog" not in json.dumps(decoded(json.loads(figure.to_json())))
    if (names := json.loads(figure.to_json())["layout"]["xaxis"].get("ticktext")) is not None:
        assert names == NAMES


@both_themes
def test_the_brightness_of_a_scale_only_rises_or_only_falls(palette: Palette) -> None:
    brightness = [brightness_of(colour) for _, colour in palette.scale]
    assert brightness in (sorted(brightness), sorted(brightness, reverse=True))
    assert all(abs(a - b) > 60 for a, b in itertools.pairwise(brightness))


def test_ink_is_dark_on_light_pages_and_light_on_dark_pages() -> None:
    assert brightness_of(LIGHT.ink) < 80
    assert brightness_of(DARK.ink) > 180


def brightness_of(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


@both_themes
@every_view
def test_labels_mark_where_gaps_start_and_which_words_are_given(view: View, palette: Palette) -> None:
    trace = last_trace(prefix="", suffix="", text="the [[3]] saw [[6|2:cat]][[2]].", steps=4)
    figure = view.draw(trace, palette)
    assert Figure(figure.to_dict()).data
    names = labels(trace)
    assert [name.partition(" ")[0] for name in names] == [
        *("gap", "2", "3", "gap", "5", "6", "7", "8", "9", "gap", "11")
    ]
    assert names[3].startswith("gap 2: 4 ")
    assert [name.endswith("(given)") for name in names] == trace.start.pinned.tolist()
    drawn = [text for each in figure.to_dict()["data"] for text in each.get("customdata", ())]
    assert not any(text.endswith("(given)") for text in drawn)


@pytest.mark.parametrize(("largest", "spacing"), [(3, 1), (10, 1), (11, None), (128, None)])
def test_an_axis_of_a_few_whole_numbers_has_a_tick_at_each(largest, spacing):
    assert whole_numbers(largest).get("dtick") == spacing


@pytest.mark.parametrize("steps", [1, 4, 30, 128])
def test_the_order_falls_from_left_to_right_and_leaves_room_for_the_label_of_step_1(steps: int) -> None:
    *_, trace = infill(InfillRequest(length=steps, steps=steps, strategy="left_to_right"), models.load("toy"))
    figure = drawn("unmasking_order", trace)
    low, high = figure["layout"]["yaxis"]["range"]
    assert low > high, "later steps are further down, so the line of a run from left to right falls"
    assert "falling line is left to right" in views()["unmasking_order"].summary
    margin, height = figure["layout"]["margin"], figure["layout"]["height"]
    a_step = (height - margin["t"] - margin["b"]) / (low - high)  # in pixels
    label = 5.5 + 1.3 * figure["layout"]["font"]["size"]  # half a mark, and the number above it
    assert (1 - high) * a_step > label
