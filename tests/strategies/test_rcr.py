from __future__ import annotations

from app.sampling.step import Snapshot
from tests.strategies.scenes import after, choose, snapshot


def second_step(*confidence: float) -> Snapshot:
    """Position 1 has been committed; the others' confidence was 0.4, 0.3 and 0.2."""
    now = snapshot(steps=4, confidence=[0.5, 0.4, 0.3, 0.2])
    first = choose("rcr", now)
    assert first.commit.tolist() == [1]
    return after(now, first, confidence=list(confidence))


def test_a_token_that_others_outgrow_is_masked_again():
    selection = choose("rcr", second_step(0.3, 0.6, 0.7))
    assert selection.commit.tolist() == [4, 3]
    assert selection.remask.tolist() == [1]


def test_the_highest_confidence_so_far_counts():
    """Running confidences are 0.5, 0.4, 0.35, 0.2, though the draft for the third is the surest now."""
    assert choose("rcr", second_step(0.1, 0.35, 0.2)).commit.tolist() == [2]


def test_a_token_masked_again_keeps_its_running_confidence():
    now = second_step(0.3, 0.6, 0.7)
    third = after(now, choose("rcr", now), confidence=[0.05, 0.1])
    selection = choose("rcr", third)  # three of 0.5, 0.4, 0.6, 0.7
    assert selection.commit.tolist() == [1]
    assert not len(selection.remask)


def test_equal_confidence_takes_nothing_back():
    assert not len(choose("rcr", second_step(0.5, 0.5, 0.5)).remask)
