"""The figure that shows how a length was chosen."""

from __future__ import annotations

import numpy as np
import pytest
from plotly.graph_objects import Figure

import models
from app.infill import infill
from app.sampling.request import InfillRequest
from app.views.number_of_masks import length_curve, number_of_masks
from app.views.palette import DARK, LIGHT
from tests.trace.test_length_choice import CHOICE


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_curves_have_the_numbers_of_the_choice_and_are_valid_for_plotly(palette):
    drawn = length_curve(CHOICE, palette, title="chosen").to_dict()
    Figure(drawn)  # checks every property
    bars, phi, bias, marks = drawn["data"]
    assert bars["x"] == phi["x"] == bias["x"] == [1, 2, 3, 4]
    assert np.sum(bars["y"]) == pytest.approx(1, abs=1e-3)
    assert bars["y"][2] / bars["y"][0] == pytest.approx(np.exp(1.5), rel=1e-2)
    assert (phi["y"], bias["y"]) == (CHOICE.phi.tolist(), CHOICE.bias.tolist())
    assert marks["x"] == [3, 1]


def test_chosen_and_decoded_lengths_and_both_lines_differ_without_colour():
    _, phi, bias, marks = length_curve(CHOICE, LIGHT, title="chosen").to_dict()["data"]
    assert (phi["line"]["dash"], bias["line"]["dash"]) == ("solid", "dash")
    assert (phi["text"][-1], bias["text"][-1]) == ("confidence", "bias")
    assert marks["marker"]["symbol"] == ["star", "circle-open"]
    assert list(marks["text"]) == ["chosen 3", "1"]


def test_auto_lengths_show_their_choice_and_given_lengths_say_so():
    text = "the [[auto]] was [[2]] and [[auto]]."
    *_, trace = infill(InfillRequest(text=text, steps=64), models.load("toy"))
    drawn = number_of_masks.draw(trace, LIGHT).to_dict()
    Figure(drawn)  # checks every property
    assert [note["text"] for note in drawn["layout"]["annotations"]] == [f"Number of masks in gap {n}" for n in (1, 3)]
    assert [part["x"] for part in drawn["data"] if part["type"] == "bar"] == [
        choice.lengths.tolist() for choice in trace.choices.values()
    ]
    axes = {part["xaxis"] + part["yaxis"] for part in drawn["data"]}
    assert axes == {"xy", "xy2", "x2y3", "x2y4"}
    *_, alone = infill(InfillRequest(length=None, steps=64), models.load("toy"))
    assert number_of_masks.draw(alone, LIGHT).to_dict()["layout"]["title"]["text"] == "Number of masks in gap 1"
    *_, given = infill(InfillRequest(length=2, steps=2), models.load("toy"))
    assert "was given" in number_of_masks.draw(given, LIGHT).to_dict()["layout"]["annotations"][0]["text"]


def test_a_given_length_is_a_row_of_squares_and_not_one_giant_bar():
    *_, trace = infill(InfillRequest(text="a [[4|2:b]] c [[2]].", steps=8), models.load("toy"))
    drawn = number_of_masks.draw(trace, LIGHT).to_dict()
    Figure(drawn)  # checks every property
    squares, ends = drawn["data"]
    assert [part["type"] for part in drawn["data"]] == ["scatter", "scatter"]
    assert list(zip(squares["y"], squares["x"], strict=True)) == [
        *(("gap 1", place) for place in (1, 2, 3, 4)),
        *(("gap 2", place) for place in (1, 2)),
    ]
    assert squares["marker"]["symbol"][:4] == ["square-open", "square", "square", "square-open"]  # " b" is two tokens
    assert [text.strip() for text in ends["text"]] == ["4", "2"]
    assert drawn["layout"]["height"] < 300
