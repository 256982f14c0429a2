from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from app.sampling.step import Selection, Snapshot
from tests.strategies.scenes import Indifferent, Told, after, blank, choose, counts, probing, run, snapshot

MASK = 3
UNMOVED = (0.1, 0.8, 0.1)
"""Token 1, which all drafts are, stays the first choice."""


def halfway(*margins: float, steps: int = 12) -> Snapshot:
    """Of eight positions the first ones are written, one by one, with these margins; eight steps commit."""
    now = snapshot(length=8, steps=steps)
    for number, margin in enumerate(margins, start=1):
        carry = now.carry
        carry[number] = margin
        now = after(now, Selection(commit=np.array([number]), carry=carry), confidence=[0.5] * (8 - number))
    return now


def tell(**beliefs: Sequence[float]) -> Told:
    """Beliefs by position, `at_1` and so on; `UNMOVED` elsewhere."""
    return Told(lambda ids, place: beliefs.get(f"at_{place}", UNMOVED))


def test_half_of_the_written_tokens_are_hidden_in_one_canvas_those_of_the_least_margins():
    told = tell()
    selection = choose("core", probing(halfway(0.3, 0.1, 0.2, 0.4), told), every=1)
    ((hidden,),) = told.asked
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
def test_a_token_is_replaced_where_another_is_first_and_probable_enough(believed, replaced):
    selection = choose("core", probing(halfway(0.2, 0.1), Told(lambda ids, place: believed)), every=1, sure=0.3)
    assert selection.remask.tolist() == ([2] if replaced else [])
    assert selection.tokens is not None
    assert selection.confidence is not None
    if replaced:
        best = int(np.argmax(believed))
        assert (selection.commit[0], selection.tokens[0]) == (2, best)
        assert selection.confidence[0] == pytest.approx(believed[best])
    assert selection.notes["instability"] == pytest.approx(-np.log(believed[1]))


def test_the_shakiest_is_replaced_and_the_step_commits_what_it_would_have_committed():
    """-log 0.25 = 1.386 against -log 0.3 = 1.204; -log 0.2 = 1.609 would be more, but there token 1 stays the first."""
    told = tell(at_1=(0.7, 0.3), at_2=(0.5, 0.25, 0.25), at_3=(0.16, 0.2, 0.16, 0.16, 0.16, 0.16))
    now = probing(halfway(0.3, 0.2, 0.1), told)
    selection = choose("core", now, every=1, rate=1.0)
    assert selection.remask.tolist() == [2]
    assert selection.commit.tolist() == [2, 4]
    assert selection.notes["instability"] == pytest.approx(1.609, abs=1e-3)
    assert now.canvas.remask(selection.remask).masked[selection.commit].all()


def test_no_more_are_replaced_than_the_step_commits():
    """Eight masks in eight steps are one a step; in four, with two tests, two or more."""
    told = tell(**{f"at_{place}": (0.9, 0.1, 0.0) for place in range(1, 9)})
    assert len(choose("core", probing(halfway(0.3, 0.2, 0.1), told), every=1, rate=1.0, replaced=8).remask) == 1
    hurried = halfway(0.3, 0.2, steps=6)
    assert len(choose("core", probing(hurried, told), every=1, rate=1.0, replaced=8).remask) == 2


def test_a_margin_is_that_of_the_commit_or_of_the_test_that_replaced_the_token():
    told = tell(at_2=(0.7, 0.1, 0.2))
    now = probing(halfway(0.3, 0.1), told)
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
        (64, 16, [5]),
        (16, 1, [4, 5, 6, 7, 8]),  # ten and five
        (4, 2, [2]),
    ],
)
def test_tests_lie_in_the_middle_half_of_the_run_and_their_passes_are_set_aside(steps, every, tests):
    taken = run("core", Indifferent(), blank(16), steps=steps, every=every)
    assert [number for number, step in enumerate(taken, start=1) if "tested" in step.selection.notes] == tests
    assert taken[-1].nfe == taken[-1].calls == len(taken) + len(tests) <= steps


def test_the_shares_are_those_of_low_confidence_in_the_steps_that_are_left():
    """Sixteen in thirteen steps, rounded up: 2, 2, 2, and ten ones."""
    assert counts(run("core", Indifferent(), blank(16), steps=16)) == [2, 2, 2, *[1] * 10]
    assert counts(run("core", Indifferent(), blank(16), steps=16)) == counts(
        run("low_confidence", Indifferent(), blank(16), steps=13)
    )


def test_without_replacements_it_writes_what_low_confidence_writes():
    told = Told(lambda ids, place: (0.5 + place / 100, 0.3, 0.2 - place / 100))
    ours = run("core", told, blank(8), steps=64, banned=())
    host = run("low_confidence", told, blank(8), steps=64, banned=())
    assert [step.canvas.ids.tolist() for step in ours] == [step.canvas.ids.tolist() for step in host]
    assert sum("tested" in step.selection.notes for step in ours) == 2


def test_an_error_that_the_rest_speaks_against_is_put_right():
    """Token 0 is written first, at position 1; once others are known, the model would rather have 2 there."""

    def beliefs(ids: list[int], place: int) -> tuple[float, ...]:
        if place == 1:
            return (0.52, 0.45, 0.03) if ids[2:8].count(MASK) == 6 else (0.1, 0.2, 0.7)
        return (0.25, 0.5 - place / 100, 0.25 + place / 100)

    first, *others = run("core", Told(beliefs), blank(8), steps=16, banned=())
    assert first.canvas.ids[1] == 0
    assert others[-1].canvas.ids[1] == 2
    (anew,) = [step for step in others if len(step.selection.remask)]
    assert anew.selection.remask.tolist() == [1]
    assert anew.prediction.confidence[1] == pytest.approx(0.7)
