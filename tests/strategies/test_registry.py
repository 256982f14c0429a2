"""Titles, groups and the names of notes: what a newcomer reads about strategies."""

from __future__ import annotations

import pytest

from app.infill import infill
from app.sampling.request import InfillRequest
from app.strategies.registry import GROUPS, NOTES, by_group, strategies, strategy
from models.toy import toy

every_strategy = pytest.mark.parametrize("name", strategies())


@every_strategy
def test_a_strategy_has_a_short_title_of_its_own_and_a_group(name):
    title = strategies()[name].title
    assert 0 < len(title) <= 28
    assert title[0].isupper()
    assert title[-1].isalpha(), "a title is a name and no sentence"
    assert "_" not in title
    assert [each.name for each in strategies().values() if each.title == title] == [name]
    assert strategies()[name].group in GROUPS


def test_every_strategy_is_listed_once_and_no_group_is_empty():
    groups = by_group()
    assert list(groups) == list(GROUPS)
    assert all(groups.values())
    assert sorted(each.name for members in groups.values() for each in members) == list(strategies())


def test_an_unknown_group_is_a_mistake():
    with pytest.raises(AssertionError, match="unknown group"):
        strategy(title="T", group="Elsewhere", budget="cap")(lambda now: now)


@every_strategy
def test_every_note_of_a_strategy_has_plain_words(name):
    request = InfillRequest(prefix="the ", suffix=" ran.", length=12, steps=12, strategy=name)
    *_, trace = infill(request, toy())
    assert {note for step in trace.steps for note in step.selection.notes} <= set(NOTES)
