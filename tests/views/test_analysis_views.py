"""The figures of an analysis draw what was found in the run."""

from __future__ import annotations

from dataclasses import replace

import pytest

import models
from app.analysis.settling import settling
from app.infill import infill
from app.sampling.request import InfillRequest
from app.views.palette import LIGHT
from app.views.registry import views
from tests.analysis.by_hand import trace
from tests.views.test_views import drawn


def test_letters_are_bold_once_the_class_is_known_and_boxed_once_the_token_is():
    """Guesses a (vowel), b, c, c (consonants) in slot 1, e at once in slot 0."""
    *bars, letters, boxes, kind, within = drawn("emergence", trace(["ea", ".b", ".c", ".c"], {1: "0", 4: "1"}))["data"]
    cells = dict(
        zip(zip(letters["x"], [round(y + 0.18) for y in letters["y"]], strict=True), letters["text"], strict=True)
    )
    assert cells == {(1, 1): "<b>v</b>", (1, 2): "v", (2, 2): "<b>c</b>", (3, 2): "<b>c</b>", (4, 2): "<b>c</b>"}
    assert sorted(zip(boxes["x"], boxes["y"], strict=True)) == [(1, 0.82), (3, 1.82), (4, 1.82)]
    assert len(bars) == 2
    assert (kind["x"], within["x"]) == ([1, 2, 3, 4], [1, 2, 3, 4])


def test_the_two_bars_of_a_cell_are_as_long_as_the_entropy_of_the_token():
    *_, run = infill(InfillRequest(prefix="the ", length=5, steps=5), models.load("toy"))
    dark, light, letters, *_ = drawn("emergence", run)["data"]
    whole = [sum(map(float, text.split(" + "))) for text in letters["customdata"]]
    scale = 0.9 / max(whole)
    for a, b, start, next_, nats, x in zip(
        dark["x"], light["x"], dark["base"], light["base"], whole, letters["x"], strict=True
    ):
        assert start == pytest.approx(x - 0.45)
        assert next_ == pytest.approx(start + a, abs=0.011)
        assert a + b == pytest.approx(nats * scale, abs=0.02)


def test_a_run_without_word_classes_says_how_to_get_them():
    run = replace(trace(["a"], {1: "0"}), classes=())
    figure = drawn("emergence", run)
    assert not figure["data"]
    (note,) = figure["layout"]["annotations"]
    assert "python -m app classes" in note["text"]


def test_a_large_run_is_a_map_with_a_square_where_each_token_was_known():
    *_, run = infill(InfillRequest(prefix="the ", length=60, steps=60, strategy="first_hitting"), models.load("toy"))
    heat, squares, *_ = drawn("emergence", run)["data"]
    assert heat["type"] == "heatmap"
    assert squares["x"] == settling(run).settled.tolist()
    assert squares["y"] == list(range(1, 61))


def test_letters_of_a_file_are_not_read_as_html():
    run = trace(["a"], {1: "0"})
    kinds = (replace(run.classes[0], letter="<", name="<b>x</b>"), *run.classes[1:])
    figure = views()["emergence"].draw(replace(run, classes=kinds), LIGHT).to_json() or ""
    assert "<b>x" not in figure.replace("\\u003c", "<").replace("\\u003e", ">")


def test_the_distance_figure_has_the_steps_that_knew_and_wrote_each_token():
    idle, known, _, written, _ = drawn("distance_from_text", trace(["abc", ".bc", ".d."], {1: "0", 2: "2", 3: "1"}))[
        "data"
    ]
    assert (known["x"], known["y"]) == ([1, 2, 1], [1, 3, 1])
    assert written["y"] == [1, 3, 2]
    assert idle["y"] == [1, 1, None, 3, 3, None, 1, 2, None]


def test_the_calibration_has_a_point_for_each_bin_with_guesses():
    run = trace(["ab", ".c"], {1: "0", 2: "1"}, probabilities=[[0.75, 0.15], [0.0, 0.65]])
    diagonal, points = drawn("calibration", run)["data"]
    assert diagonal["y"] == [0, 1]
    assert (points["x"], points["y"], points["text"]) == ([0.15, 0.65, 0.75], [0, 1, 1], ["1", "1", "1"])
