"""Figures of a run that starts from a partly written state."""

from __future__ import annotations

import numpy as np
import pytest

import models
from app.infill import infill
from app.sampling.request import InfillRequest
from app.sampling.start import Start
from app.trace.trace import Trace
from app.views.palette import LIGHT
from app.views.registry import labels, views


@pytest.fixture(scope="module")
def trace() -> Trace:
    start = Start(gaps=((0, None, 2), (3, None)), locked=(2,))
    request = InfillRequest(text="the[[3]] cat[[2]].", space=False, strategy="left_to_right", steps=2, start=start)
    *_, trace = infill(request, models.load("toy"))
    return trace


@pytest.mark.parametrize("view", views().values(), ids=views())
def test_every_view_draws_a_branch(trace, view):
    assert view.draw(trace, LIGHT).to_dict()["data"] or view.name == "number_of_masks"


def test_only_what_is_locked_is_labelled_as_given(trace):
    assert [label.endswith("(given)") for label in labels(trace)] == [False, False, True, False, False]


def test_what_was_written_before_the_run_has_no_mark_in_the_order_and_no_belief(trace):
    (commits,) = views()["unmasking_order"].draw(trace, LIGHT).to_dict()["data"]
    assert list(commits["x"]) == [2, 5]
    assert np.isnan(trace.recorded("confidence")).tolist() == [[1, 0, 1, 1, 0], [1, 1, 1, 1, 0]]
    assert views()["masks_left"].draw(trace, LIGHT).to_dict()["data"][0]["y"] == [2, 1, 0]
