"""The cards about related systems, and the reading list."""

from __future__ import annotations

import re

from app.lessons.reading import read_reading


def test_cards_are_short_and_name_their_paper():
    found = read_reading()
    assert len(found["cards"]) >= 15
    for card in found["cards"]:
        assert re.fullmatch(r"\d{4}\.\d{5}", card["paper"])
        assert 15 <= len(card["text"].split()) <= 60
    assert len({card["title"] for card in found["cards"]}) == len(found["cards"])


def test_the_reading_list_has_addresses():
    assert all(each["url"].startswith("https://") for each in read_reading()["reading"])
