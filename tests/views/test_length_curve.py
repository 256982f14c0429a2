"""The figure of how a length was chosen."""

from __future__ import annotations

import numpy as np
import pytest
from plotly.graph_objects import Figure

from app.views.length_curve import length_curve
from app.views.palette import DARK, LIGHT
from tests.test_length_choice import CHOICE


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_the_curves_are_those_of_the_choice_and_plotly_takes_them(palette):
    drawn = length_curve(CHOICE, palette).to_dict()
    Figure(drawn)  # checks every property
    bars, phi, bias, marks = drawn["data"]
    assert bars["x"] == phi["x"] == bias["x"] == [1, 2, 3, 4]
    assert np.sum(bars["y"]) == pytest.approx(1, abs=1e-3)
    assert bars["y"][2] / bars["y"][0] == pytest.approx(np.exp(1.5), rel=1e-2)
    assert (phi["y"], bias["y"]) == (CHOICE.phi.tolist(), CHOICE.bias.tolist())
    assert marks["x"] == [3, 1]


def test_chosen_and_tried_lengths_and_both_lines_can_be_told_apart_without_colour():
    _, phi, bias, marks = length_curve(CHOICE, LIGHT).to_dict()["data"]
    assert (phi["line"]["dash"], bias["line"]["dash"]) == ("solid", "dash")
    assert (phi["text"][-1], bias["text"][-1]) == ("confidence", "its bias")
    assert marks["marker"]["symbol"] == ["star", "circle-open"]
    assert list(marks["text"]) == ["chosen 3", "1"]
