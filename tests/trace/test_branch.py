"""From a state of a run, with edits, to the start of another run; and that run."""

from __future__ import annotations

import json

import numpy as np
import pytest

import models
from app.errors import InfillError
from app.infill import before, infill
from app.sampling.request import InfillRequest
from app.sampling.start import Start
from app.strategies.registry import strategies
from app.trace.branch import Edit, branch_start, count_changes, default_steps, perturb
from app.trace.messages import list_candidates
from app.trace.recording import dump, load
from app.trace.trace import Origin, Trace

TOY = models.load("toy")
LEFT_TO_RIGHT = {"strategy": "left_to_right", "steps": 6}


def run(origin: Origin | None = None, **asked) -> Trace:
    *_, trace = infill(InfillRequest(**asked), TOY, origin=origin)
    return trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    return run(text="the cat [[4]] sat [[2]].", temperature=1.0, **LEFT_TO_RIGHT)


def test_a_state_without_edits_is_what_was_written_with_its_confidence(trace):
    start = branch_start(trace, 2)
    ids = trace.canvas.ids[trace.start.slots]
    assert start.gaps == ((int(ids[0]), int(ids[1]), None, None), (None, None))
    assert start.locked == ()
    sure = [round(float(trace.steps[at].prediction.confidence[trace.start.slots[at]]), 4) for at in (0, 1)]
    assert start.confidence == ((*sure, 0.0, 0.0), (0.0, 0.0))
    assert branch_start(trace, 0).gaps == ((None,) * 4, (None,) * 2)


def test_a_candidate_that_is_taken_is_written_and_locked(trace):
    start = branch_start(trace, 2, [Edit(1, take=3), Edit(5, take=0)])
    # Place 1 was committed by step 2; place 5 was last asked about by step 2 as well.
    for place, rank in ((1, 3), (5, 0)):
        flat = [token for gap in start.gaps for token in gap]
        text, probability = list_candidates(trace, 2)[place][rank]
        assert TOY.tokenizer.token_bytes(flat[place]).decode() == text
        assert [number for gap in start.confidence for number in gap][place] == probability
    assert start.locked == (1, 5)


def test_a_written_place_has_the_candidates_of_the_step_that_committed_it(trace):
    taken = branch_start(trace, 5, [Edit(0, take=1)]).gaps[0][0]
    assert TOY.tokenizer.token_bytes(taken).decode() == list_candidates(trace, 1)[0][1][0]


def test_a_place_masked_again_has_the_candidates_of_the_last_step_that_asked():
    old = run(text="the [[12]].", strategy="p2", steps=24, temperature=1.5, knobs={"eta": 2.0}, seed=3)
    number, place = next(
        (number, old.start.places(step.selection.remask)[0])
        for number, step in enumerate(old.steps, start=1)
        if len(step.selection.remask)
    )
    committed = int(old.commits(number - 1).when[old.start.slots[place]])
    assert list_candidates(old, number)[place] == []
    taken = branch_start(old, number, [Edit(place, take=2)]).gaps[0][place]
    assert TOY.tokenizer.token_bytes(taken).decode() == list_candidates(old, committed)[place][2][0]


def test_a_place_is_masked_again_or_locked(trace):
    start = branch_start(trace, 4, [Edit(0, mask=True), Edit(2, lock=True)])
    assert start.gaps[0][0] is None
    assert start.confidence[0][0] == 0
    assert start.locked == (2,)


def test_a_branch_of_a_branch_keeps_what_is_locked_and_the_inherited_confidence(trace):
    first = branch_start(trace, 2, [Edit(1, lock=True)])
    branch = run(text="the cat [[4]] sat [[2]].", start=first, **LEFT_TO_RIGHT)
    second = branch_start(branch, 1)
    assert second.locked == (1,)
    assert second.gaps[0][:2] == first.gaps[0][:2]
    assert second.confidence[0][:2] == first.confidence[0][:2]
    assert branch_start(branch, 1, [Edit(1, mask=True)]).locked == ()


def test_pinned_words_are_written_but_the_text_decides_whether_they_stay():
    old = run(text="a [[5|2:dog]] b", space=False, **LEFT_TO_RIGHT)
    start = branch_start(old, 1)
    assert start.gaps[0][1:4] == tuple(TOY.tokenizer.encode("dog"))
    assert start.locked == ()
    kept = run(text="a [[5|2:dog]] b", space=False, start=start, strategy="remdm", steps=9)
    assert kept.start.pinned.tolist() == [False, True, True, True, False]
    freed = run(text="a [[5]] b", space=False, start=start)
    assert freed.inherited == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("step", "edits", "words"),
    [
        (7, [], "the states 0 to 6, not 7"),
        (-1, [], "the states 0 to 6, not -1"),
        (True, [], "the states 0 to 6, not True"),
        (6, [], "nothing is masked in this state"),
        (5, [Edit(5, take=0)], "nothing is masked in this state"),
        (2, [Edit(6, mask=True)], "no place 7: its places are 1 to 6"),
        (2, [Edit(3, mask=True)], "place 4 is masked in this state"),
        (2, [Edit(3, lock=True)], "place 4 is masked in this state"),
        (2, [Edit(0, mask=True), Edit(0, lock=True)], "place 1 is edited twice"),
        (2, [Edit(0, take=5)], "place 1 has 5 candidates in step 1, and no 6th"),
        (0, [Edit(0, take=0)], "place 1 has not been asked about by then"),
    ],
)
def test_a_branch_that_makes_no_sense_is_refused_with_the_reason(trace, step, edits, words):
    with pytest.raises(InfillError) as caught:
        branch_start(trace, step, edits)
    assert words in str(caught.value)


def test_what_was_written_before_the_run_has_no_candidates(trace):
    branch = run(text="the cat [[4]] sat [[2]].", start=branch_start(trace, 2), **LEFT_TO_RIGHT)
    with pytest.raises(InfillError, match="place 1 was written before this run"):
        branch_start(branch, 1, [Edit(0, take=0)])


def test_a_pinned_place_cannot_be_edited():
    old = run(text="a [[3|2:b]] c", space=False)
    with pytest.raises(InfillError, match="place 2 is pinned by the text"):
        branch_start(old, 1, [Edit(1, mask=True)])


def test_a_run_that_has_not_begun_cannot_be_branched():
    with pytest.raises(InfillError, match="has not begun"):
        branch_start(before(InfillRequest(text="a[[auto]]"), TOY, "wait"), 0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (3, "an edit must be like"),
        ({"take": 1}, "an edit must be like"),
        ({"place": 1, "tack": 1}, "no part 'tack', only place, take, mask, lock"),
        ({"place": -1, "mask": True}, "'place' of an edit must be a whole number from 0"),
        ({"place": True, "mask": True}, "'place' of an edit must be a whole number from 0"),
        ({"place": 1, "take": 1.0}, "'take' of an edit must be a whole number from 0"),
        ({"place": 1, "take": False}, "'take' of an edit must be a whole number from 0"),
        ({"place": 1, "mask": 1}, "must be true or false"),
        ({"place": 1}, "place 2 must be one of take, mask and lock"),
        ({"place": 1, "mask": True, "lock": True}, "place 2 must be one of take, mask and lock"),
        ({"place": 1, "take": 1, "mask": True}, "place 2 must be one of take, mask and lock"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused_with_the_reason(data, words):
    with pytest.raises(InfillError) as caught:
        Edit.from_json(data)
    assert words in str(caught.value)


def test_edits_are_read_from_json():
    assert Edit.from_json({"place": 4, "take": 1}) == Edit(4, take=1)
    assert Edit.from_json({"place": 4, "take": 1, "lock": True}).take == 1
    assert Edit.from_json({"place": 4, "lock": True, "mask": False}) == Edit(4, lock=True)


def test_the_default_budget_is_a_step_for_each_mask_but_no_more_than_was_left(trace):
    assert default_steps(trace, 2, branch_start(trace, 2)) == 4
    assert default_steps(trace, 4, branch_start(trace, 4, [Edit(0, mask=True), Edit(1, mask=True)])) == 2
    assert default_steps(trace, 6, branch_start(trace, 6, [Edit(0, mask=True), Edit(1, mask=True)])) == 2
    assert default_steps(trace, 5, branch_start(trace, 5), least=3) == 3
    hasty = run(text="the cat [[8]].", steps=4)
    assert default_steps(hasty, 1, branch_start(hasty, 1)) == 3


@pytest.mark.parametrize("name", ["threshold", "low_confidence", "left_to_right", "entropy_bound", "factor", "margin"])
def test_a_greedy_branch_without_edits_ends_as_the_run_did(name):
    asked = {"text": "the cat [[9]] sat [[3]].", "strategy": name}
    whole = run(**asked, steps=12)
    for step in range(len(whole.steps)):
        branch = run(**asked, steps=12 - step, start=branch_start(whole, step))
        assert branch.text == whole.text
        assert branch.nfe == whole.nfe - (whole.steps[step - 1].nfe if step else 0)
        rest = [done.selection.commit.tolist() for done in whole.steps[step:]]
        assert [done.selection.commit.tolist() for done in branch.steps] == rest


@pytest.mark.parametrize("name", strategies())
def test_a_branch_of_every_strategy_is_recorded_and_read_back(name):
    asked = {"text": "the [[5|2:b]] saw [[6]]", "strategy": name, "steps": 9, "temperature": 0.9}
    whole = run(**asked)
    step = next(k for k in range(len(whole.steps) - 1, -1, -1) if whole.masks_left[k] > 2)
    edits = [Edit(whole.start.places(whole.state(step).masks[:1])[0], take=1)] if step else []
    start = branch_start(whole, step, edits)
    branch = run(Origin("first", step), **asked, start=start)
    again = load(dump(branch))
    assert dump(again) == dump(branch)
    assert again.origin == Origin("first", step)
    assert again.request == branch.request
    assert again.inherited == branch.inherited
    assert np.array_equal(again.start.inherited, branch.start.inherited)
    assert again.order.tolist() == branch.order.tolist()
    assert (again.text, again.fills) == (branch.text, branch.fills)
    assert again.pieces(0) == branch.pieces(0)
    assert branch_start(again, 0) == branch_start(branch, 0) == start


def test_given_text_may_be_changed_in_a_branch(trace):
    start = branch_start(trace, 3)
    branch = run(text="a dog [[4]] ran [[2]]!", start=start, **LEFT_TO_RIGHT)
    assert branch.text.startswith("a dog ")
    assert branch.pieces(0)[:3] == trace.pieces(3)[:3]
    assert load(dump(branch)).text == branch.text


def test_a_branch_of_a_prefix_and_suffix_run_keeps_that_form():
    whole = run(prefix="the cat", suffix="sat", length=4, strategy="left_to_right")
    start = branch_start(whole, 2)
    again = run(prefix="the cat", suffix="sat", length=4, strategy="left_to_right", start=start)
    assert again.text == whole.text


def test_a_start_is_json_in_the_recording(trace):
    start = branch_start(trace, 3, [Edit(2, lock=True)])
    branch = run(text="the cat [[4]] sat [[2]].", start=start, **LEFT_TO_RIGHT)
    data = json.loads(dump(branch))
    assert Start.from_json(data["request"]["start"]) == start
    assert data["gaps"] == [[None, None, start.gaps[0][2], None], [None, None]]
    assert data["origin"] is None


def test_a_perturbation_takes_back_a_share_and_the_seed_repeats_it(trace):
    for step, share, count in ((4, 0.25, 1), (4, 0.5, 2), (1, 0.25, 1), (6, 1.0, 6)):
        edits = perturb(trace, step, share)
        assert len(edits) == count
        assert all(edit.mask and edit.place < step for edit in edits), "left to right, so these are written"
        assert edits == perturb(trace, step, share)
    locked = run(
        text="the [[4|2:q]].", start=Start(gaps=((1, None, None, None),), locked=(0,)), steps=3, strategy="random"
    )
    assert [edit.place for edit in perturb(locked, len(locked.steps), 1.0)] == [3], "0 is locked, 1 and 2 are pinned"


@pytest.mark.parametrize(
    ("step", "share", "why"), [(0, 0.5, "nothing is written"), (9, 0.5, "states 0 to 6"), (2, 0, "above 0")]
)
def test_a_perturbation_that_cannot_be_is_refused(trace, step, share, why):
    with pytest.raises(InfillError, match=why):
        perturb(trace, step, share)


def test_the_budget_grows_by_what_is_taken_back_at_the_runs_own_pace(trace):
    start = branch_start(trace, 4, [Edit(0, mask=True), Edit(1, mask=True)])
    assert default_steps(trace, 4, start) == 2
    assert default_steps(trace, 4, start, again=2) == 4
    halved = run(text="the cat [[6]].", strategy="left_to_right", steps=3)
    start = branch_start(halved, 2, [Edit(0, mask=True), Edit(1, mask=True)])
    assert default_steps(halved, 2, start, again=2) == 2, "two tokens a step"


def test_changes_are_direct_where_tokens_were_taken_back_and_collateral_elsewhere():
    trace = run(text="the cat [[4]] sat.", **LEFT_TO_RIGHT)
    edits = [Edit(1, mask=True), Edit(2, mask=True)]
    same = run(text="the cat [[4]] sat.", start=branch_start(trace, 3, edits), **LEFT_TO_RIGHT)
    found = count_changes(trace, same, edits)
    assert (found.taken, found.direct, found.others, found.collateral) == (2, 0, 2, 0), "the chain is exact"
    a, b, c, d = trace.canvas.ids[trace.start.slots].tolist()
    other = run(text="the cat [[4]] sat.", start=Start(gaps=((a + 1, b + 1, None, d),)), **LEFT_TO_RIGHT)
    assert other.canvas.ids[other.start.slots[2]] in range(28)
    found = count_changes(trace, other, edits)
    assert (found.direct, found.collateral) == (1 + (other.canvas.ids[other.start.slots[2]] != c), 1)
