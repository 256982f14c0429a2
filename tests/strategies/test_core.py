from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import find
from tests.strategies.scenes import Indifferent, Scripted, after, blank, choose, counts, probing, run, snapshot

MASK = 3
UNMOVED = (0.1, 0.8, 0.1)
"""All drafts are token 1, which stays the first choice."""


def halfway(*margins: float, steps: int = 12) -> Snapshot:
    """Return a snapshot in which the first of eight positions were committed one by one with these margins."""
    now = snapshot(length=8, steps=steps)
    for number, margin in enumerate(margins, start=1):
        carry = now.carry
        carry[number] = margin
        now = after(now, Selection(commit=np.array([number]), carry=carry), confidence=[0.5] * (8 - number))
    return now


def scripted_at(**beliefs: Sequence[float]) -> Scripted:
    """Return a denoiser with beliefs by position, `at_1` and so on, and `UNMOVED` elsewhere."""
    return Scripted(lambda ids, place: beliefs.get(f"at_{place}", UNMOVED))


def test_the_half_with_the_smallest_margins_is_hidden_in_one_canvas():
    scripted = scripted_at()
    selection = choose("core", probing(halfway(0.3, 0.1, 0.2, 0.4), scripted), every=1)
    ((hidden,),) = scripted.asked
    assert hidden[1:5] == [1, MASK, MASK, 1]
    assert selection.notes["tested"] == 2
    assert (selection.notes["replaced"], selection.remask.tolist()) == (0, [])


@pytest.mark.parametrize(
    ("believed", "replaced"),
    [
        ((0.5, 0.2, 0.3), True),
        ((0.2, 0.5, 0.3), False),  # still the first choice
        ((0.3, 0.29, 0.41), True),
        ((0.29, 0.1, 0.25, 0.18, 0.18), False),  # another is first, but not probable enough
    ],
)
def test_a_token_is_replaced_if_another_is_first_and_probable_enough(believed, replaced):
    selection = choose("core", probing(halfway(0.2, 0.1), Scripted(lambda ids, place: believed)), every=1, sure=0.3)
    assert selection.remask.tolist() == ([2] if replaced else [])
    assert selection.tokens is not None
    assert selection.confidence is not None
    if replaced:
        best = int(np.argmax(believed))
        assert (selection.commit[0], selection.tokens[0]) == (2, best)
        assert selection.confidence[0] == pytest.approx(believed[best])
    assert selection.notes["instability"] == pytest.approx(-np.log(believed[1]))


def test_the_most_unstable_is_replaced_and_the_step_still_commits_its_share():
    """-log 0.25 = 1.386 against -log 0.3 = 1.204; -log 0.2 = 1.609 would be more, but token 1 is still first there."""
    scripted = scripted_at(at_1=(0.7, 0.3), at_2=(0.5, 0.25, 0.25), at_3=(0.16, 0.2, 0.16, 0.16, 0.16, 0.16))
    now = probing(halfway(0.3, 0.2, 0.1), scripted)
    selection = choose("core", now, every=1, rate=1.0)
    assert selection.remask.tolist() == [2]
    assert selection.commit.tolist() == [2, 4]
    assert selection.notes["instability"] == pytest.approx(1.609, abs=1e-3)
    assert now.canvas.remask(selection.remask).masked[selection.commit].all()


def test_a_step_replaces_no_more_tokens_than_it_commits():
    """Eight masks in eight steps are one per step; in four steps with two tests, at least two."""
    scripted = scripted_at(**{f"at_{place}": (0.9, 0.1, 0.0) for place in range(1, 9)})
    assert len(choose("core", probing(halfway(0.3, 0.2, 0.1), scripted), every=1, rate=1.0, replaced=8).remask) == 1
    hurried = halfway(0.3, 0.2, steps=6)
    assert len(choose("core", probing(hurried, scripted), every=1, rate=1.0, replaced=8).remask) == 2


def test_a_margin_is_from_the_commit_or_from_the_test_that_replaced_the_token():
    scripted = scripted_at(at_2=(0.7, 0.1, 0.2))
    now = probing(halfway(0.3, 0.1), scripted)
    margin = now.prediction.margin.copy()
    margin[3] = 0.25
    selection = choose("core", replace(now, prediction=replace(now.prediction, margin=margin)), every=1)
    assert selection.carry is not None
    assert selection.commit.tolist() == [2, 3]
    assert selection.carry[1:4] == pytest.approx([0.3, 0.5, 0.25])  # 0.7 - 0.2 in the test


@pytest.mark.parametrize(
    ("steps", "every", "tests"),
    [
        # 13 steps commit, and from the fourth to the tenth every second one brings a test: 5, 7, 9.
        (16, 2, [5, 7, 9]),
        (64, 2, [5, 7, 9, 11]),  # 16 commit: after 4, 6, 8, 10
        (64, 16, []),  # 16 commit: after a sixteenth there is none left
        (16, 1, [3, 4, 5, 6, 7]),  # ten and five: after 2 to 6
        (64, 8, [9]),
        (5, 2, [3]),  # four and one
        (4, 2, []),
    ],
)
def test_tests_are_in_the_middle_half_of_the_run_and_their_passes_are_reserved(steps, every, tests):
    taken = run("core", Indifferent(), blank(16), steps=steps, every=every)
    assert [number for number, step in enumerate(taken, start=1) if "tested" in step.selection.notes] == tests
    assert taken[-1].nfe == taken[-1].calls == len(taken) + len(tests) <= steps


@pytest.mark.parametrize(("every", "least"), [(1, 4), (2, 5), (3, 7), (4, 8), (16, 24)])
def test_the_least_budget_is_the_first_with_room_for_a_test(every, least):
    def tests(steps: int) -> int:
        taken = run("core", Indifferent(), blank(40), steps=steps, every=every)
        return sum("tested" in step.selection.notes for step in taken)

    assert find("core").least_steps({"every": every}) == least
    assert tests(least) > 0
    assert tests(least - 1) == 0


def test_shares_are_those_of_low_confidence_with_the_steps_without_tests():
    """Sixteen in thirteen steps, rounded up: 2, 2, 2, and ten ones."""
    assert counts(run("core", Indifferent(), blank(16), steps=16)) == [2, 2, 2, *[1] * 10]
    assert counts(run("core", Indifferent(), blank(16), steps=16)) == counts(
        run("low_confidence", Indifferent(), blank(16), steps=13)
    )


def test_without_replacements_it_equals_low_confidence():
    scripted = Scripted(lambda ids, place: (0.5 + place / 100, 0.3, 0.2 - place / 100))
    ours = run("core", scripted, blank(8), steps=64, banned=())
    host = run("low_confidence", scripted, blank(8), steps=64, banned=())
    assert [step.canvas.ids.tolist() for step in ours] == [step.canvas.ids.tolist() for step in host]
    assert sum("tested" in step.selection.notes for step in ours) == 2


def test_an_error_that_contradicts_later_tokens_is_corrected():
    """Token 0 is committed first, at position 1; once others are known, the model prefers 2 there."""

    def beliefs(ids: list[int], place: int) -> tuple[float, ...]:
        if place == 1:
            return (0.52, 0.45, 0.03) if ids[2:8].count(MASK) == 6 else (0.1, 0.2, 0.7)
        return (0.25, 0.5 - place / 100, 0.25 + place / 100)

    first, *others = run("core", Scripted(beliefs), blank(8), steps=16, banned=())
    assert first.canvas.ids[1] == 0
    assert others[-1].canvas.ids[1] == 2
    (anew,) = [step for step in others if len(step.selection.remask)]
    assert anew.selection.remask.tolist() == [1]
    assert anew.prediction.confidence[1] == pytest.approx(0.7)
