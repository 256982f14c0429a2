"""When tokens and their classes were known, on runs written by hand."""

from __future__ import annotations

import numpy as np
import pytest

import models
from app.analysis.calibration import calibrate, calibration
from app.analysis.emergence import by_stage, emergence
from app.analysis.ordering import distances, edges, jumps
from app.analysis.report import as_table, measure
from app.analysis.revisions import revisions
from app.analysis.settling import settling
from app.infill import infill
from app.sampling.request import InfillRequest
from app.sampling.start import Start
from app.trace.recording import dump, load
from tests.analysis.by_hand import trace


def test_a_token_is_known_from_the_first_step_whose_guess_never_changed_again():
    """Guesses a, b, c, c; c is written in step 4. b and c are consonants, so the class is known a step before."""
    found = emergence(trace(["a", "b", "c", "c"], {4: "0"}))
    assert found is not None
    known = found.settling
    assert (known.settled.tolist(), known.written.tolist(), known.idle.tolist()) == ([3], [4], [1])
    assert found.class_settled.tolist() == [2]
    assert found.content.tolist() == [True]
    assert found.right_token[:, 0].tolist() == [0, 0, 1, 1]
    assert found.right_class[:, 0].tolist() == [0, 1, 1, 1]


def test_what_another_slot_knows_does_not_count_and_written_slots_are_not_asked():
    known = settling(trace(["ab", ".c", ".c"], {1: "0", 3: "1"}))
    assert known.settled.tolist() == [1, 2]
    assert known.idle.tolist() == [0, 1]
    assert known.open.tolist() == [[True, True], [False, True], [False, True]]


def test_a_token_that_was_taken_back_is_known_while_it_stands():
    """Slot 0: c is written in step 1, taken back in step 3, and c again in step 4; slot 1 was b first, then c."""
    run = trace(["cb", "..", "..", "cc"], {1: "01", 4: "01"}, remasked={3: "01"})
    known = settling(run)
    assert known.settled.tolist() == [1, 4]
    assert known.written.tolist() == [4, 4]
    back = revisions(run, known)
    assert (back.remasked, back.taken_back, back.replaced, back.changes) == (2, 2, 1, 0.0)


def test_masked_slots_of_an_unfinished_run_are_left_out():
    run = trace(["ab", "cb"], {2: "1"})
    assert settling(run).places.tolist() == [1]
    assert revisions(run, settling(run)).changes == 0.0
    assert measure(run)["Text"]["distinct_1"] != measure(run)["Text"]["distinct_1"], "a gap with a mask has no text"


def test_a_guess_that_was_not_written_is_known_only_when_another_is():
    run = trace(["a", "a"], {2: "0"})
    last = run.steps[-1]
    ids = last.canvas.ids.copy()
    ids[run.start.slots] = 3
    other = type(last)(**{**vars(last), "canvas": type(last.canvas)(**{**vars(last.canvas), "ids": ids})})
    drawn = type(run)(**{**vars(run), "steps": (run.steps[0], other)})
    assert settling(drawn).settled.tolist() == [2]


def test_jumps_and_neighbours():
    """Five slots written 0, 4, 1 and 3, 2: jumps 4, mean of 1 and 1 (3 to 4, 1 to 4 is 3: mean 2), then 1."""
    run = trace(["abcde", ".bcde", ".bcd.", "..c.."], {1: "0", 2: "4", 3: "13", 4: "2"})
    moved = jumps(run, settling(run))
    assert moved.mean == pytest.approx((4 + (3 + 1) / 2 + 1) / 3)
    assert moved.adjoining == 1.0
    middle = trace(["abc", "a.c"], {1: "1", 2: "02"})
    assert jumps(middle, settling(middle)).adjoining == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"prefix": "ab", "suffix": "cd"}, [1, 2, 3, 2, 1]),
        ({"prefix": "ab", "suffix": ""}, [1, 2, 3, 4, 5]),
        ({"prefix": "", "suffix": "cd"}, [5, 4, 3, 2, 1]),
        ({"prefix": "", "suffix": ""}, [np.nan] * 5),
    ],
)
def test_distances_count_from_the_text_that_is_given(asked, expected):
    found = distances(trace(["abcde"], {1: "01234"}, **asked))
    np.testing.assert_array_equal(found, np.array(expected, dtype=float))


def test_pinned_and_locked_tokens_are_given_and_inherited_ones_are_not():
    start = Start(gaps=((1, None, 2), (None, None, 1, None)), locked=(0,), confidence=((0.5, 0, 0.1), (0, 0, 0, 0)))
    request = InfillRequest(text="the [[3]] saw [[4|2:b]]", steps=4, start=start)
    *_, run = infill(request, models.load("toy"))
    np.testing.assert_array_equal(distances(run), [np.nan, 1, 1, 1, np.nan, np.nan, 1])
    assert settling(run).places.tolist() == [1, 3, 6], "slot 2 was inherited and not taken back"


def test_the_curve_by_distance_has_means_as_shares_of_the_run():
    run = trace(["abc", ".bc", ".d."], {1: "0", 2: "2", 3: "1"})
    near, far = edges(run, settling(run))
    assert (near.distance, near.tokens, near.settled, near.written) == (1, 2, pytest.approx(1 / 3), pytest.approx(0.5))
    assert (far.distance, far.tokens, far.settled, far.written) == (2, 1, 1.0, 1.0)


def test_the_expected_calibration_error_of_four_guesses():
    """Bins 0.9 to 1: one of two right at 0.95; 0.2 to 0.3: none of two at 0.25. Error (2 * .45 + 2 * .25) / 4."""
    found = calibrate(np.array([0.9, 1.0, 0.2, 0.3 - 1e-9]), np.array([True, False, False, False]))
    assert found.counts.tolist() == [0, 0, 2, 0, 0, 0, 0, 0, 0, 2]
    assert found.error == pytest.approx(0.35)
    assert np.isnan(calibrate(np.empty(0), np.empty(0, dtype=bool)).error)


def test_guesses_are_compared_with_the_final_token_at_masked_slots_only():
    run = trace(["ab", ".c"], {1: "0", 2: "1"}, probabilities=[[0.75, 0.15], [0.0, 0.65]])
    found = calibration(run, settling(run))
    assert {place: (count, found.right[place]) for place, count in enumerate(found.counts) if count} == {
        7: (1, 1.0),
        1: (1, 0.0),
        6: (1, 1.0),
    }


def test_stages_are_by_the_share_that_is_written_before_a_step():
    cells = np.array([[1.0, 2.0], [np.nan, 4.0], [np.nan, 6.0]])
    means = by_stage(cells, np.array([0.0, 0.5, 0.75]))
    np.testing.assert_array_equal(means, [1.5, 1.5, np.nan, 4.0, 6.0])


@pytest.mark.parametrize(
    "asked",
    [
        {"length": 8, "steps": 8},
        {"length": 8, "steps": 16, "strategy": "remdm", "temperature": 0.9},
        {"length": 6, "steps": 6, "strategy": "reference"},
        {"length": "auto", "steps": 40},
    ],
)
def test_a_recording_has_the_measures_of_its_run(asked):
    *_, run = infill(InfillRequest(prefix="the ", suffix="was", **asked), models.load("toy"))
    live, again = measure(run), measure(load(dump(run)))
    assert as_table(live) == as_table(again)
    # Entropies have four digits in a recording, so what is summed from them may differ.
    del live["Independence"], again["Independence"]
    assert str(live) == str(again)
    classes = live["Word classes"]
    assert classes["class_settled"] <= classes["settled"]


def test_a_run_without_steps_has_tables_without_numbers():
    start = next(infill(InfillRequest(prefix="the ", length=3), models.load("toy")))
    assert "–" in as_table(measure(start))


def test_entropies_of_a_slot_add_up_to_that_of_the_token():
    *_, run = infill(InfillRequest(prefix="the ", length=6, steps=6), models.load("toy"))
    found = emergence(run)
    assert found is not None
    whole = run.recorded("entropy").round(4)
    np.testing.assert_allclose((found.class_entropy + found.class_given)[found.settling.open], whole[~np.isnan(whole)])
