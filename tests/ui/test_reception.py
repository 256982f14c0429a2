"""Who gets a place: a limit for each visitor, a line for those who were turned away."""

from __future__ import annotations

import pytest

from app.ui.reception import PER_VISITOR, PLACES, Reception, RefusalError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reception(clock: Clock) -> Reception:
    return Reception(clock)


def turned_away(reception: Reception, *visitors: str) -> list[str]:
    found = []
    for visitor in visitors:
        with pytest.raises(RefusalError) as refusal:
            reception.enter(visitor, taken=PLACES, own=0)
        found.append(str(refusal.value))
    return found


def test_a_visitor_has_a_limit_while_places_are_free(reception: Reception) -> None:
    reception.enter("a", taken=PER_VISITOR - 1, own=PER_VISITOR - 1)
    with pytest.raises(RefusalError, match=f"{PER_VISITOR} of your runs"):
        reception.enter("a", taken=PER_VISITOR, own=PER_VISITOR)
    reception.enter("b", taken=PER_VISITOR, own=0)


def test_those_turned_away_are_told_their_place_and_get_free_places_in_that_order(
    reception: Reception, clock: Clock
) -> None:
    told = turned_away(reception, "a", "b", "c", "b")
    assert [text.split("and ")[1].split(":")[0] for text in told] == [
        f"you are number {n} in line" for n in (1, 2, 3, 2)
    ]
    clock.now = 0.6
    with pytest.raises(RefusalError):
        reception.enter("b", taken=PLACES - 1, own=0)
    with pytest.raises(RefusalError):
        reception.enter("new", taken=PLACES - 1, own=0)
    reception.enter("a", taken=PLACES - 1, own=0)
    reception.enter("b", taken=PLACES - 1, own=0)
    reception.enter("new", taken=PLACES - 2, own=0)
    reception.enter("c", taken=PLACES - 1, own=0)


def test_who_does_not_come_back_loses_the_place_in_the_line(reception: Reception, clock: Clock) -> None:
    turned_away(reception, "a", "b")
    clock.now = 20
    turned_away(reception, "b")
    clock.now = 40
    reception.enter("b", taken=PLACES - 1, own=0)


def test_a_free_place_is_kept_only_around_the_time_at_which_a_visitor_is_expected(
    reception: Reception, clock: Clock
) -> None:
    reception.free(8.0 * PLACES)
    assert "try again in 8 s" in turned_away(reception, "a")[0]
    for clock.now, kept in ((1.0, False), (7.4, False), (7.6, True), (10.9, True), (11.1, False)):
        if kept:
            with pytest.raises(RefusalError, match="you are number 2 in line"):
                reception.enter("b", taken=PLACES - 1, own=0)
        else:
            reception.enter("b", taken=PLACES - 1, own=0)
    reception.enter("a", taken=PLACES - 1, own=0)


def test_the_time_to_come_again_follows_the_pace_at_which_places_fall_free(reception: Reception, clock: Clock) -> None:
    for held in (1.0, 2.0, 3.0):
        reception.free(held * PLACES)
    assert [text.rsplit(": ", 1)[1] for text in turned_away(reception, "a", "b", "c")] == [
        f"try again in {seconds} s." for seconds in (2, 4, 6)
    ]
    turned_away(reception, *(str(number) for number in range(1500)))  # the line is bounded
    assert len(reception._line) == 1000
