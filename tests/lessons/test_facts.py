"""Numbers that lessons quote, and the answers that follow from them."""

from __future__ import annotations

import pytest

from app.lessons.facts import FactError, Facts

RUNS = {"cup": {"passes": 10}, "fish": {"passes": 8}}
TABLES = {"map": [{"label": "a", "nats": "1.537"}, {"label": "b", "nats": "2.0"}]}
ASKED = {
    "cup": {"run": "cup", "number": "passes"},
    "fish": {"run": "fish", "number": "passes"},
    "nats": {"table": "map", "at": [{"label": "a"}, "nats"], "form": ".2f"},
    "share": {"over": ["fish", "cup"], "form": "percent"},
    "fewer": {"minus": ["cup", "fish"]},
}


def test_facts_come_from_runs_tables_and_each_other():
    facts = Facts.of(ASKED, RUNS, TABLES)
    assert facts.values == {"cup": 10, "fish": 8, "nats": 1.537, "share": 0.8, "fewer": 2}
    assert facts.texts == {"cup": "10", "fish": "8", "nats": "1.54", "share": "80 %", "fewer": "2"}


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ("cup", 10),
        ({"fact": "cup", "bins": [5, 10]}, 2),
        ({"fact": "fish", "bins": [5, 10]}, 1),
        ({"least": ["cup", "fish"]}, 1),
        ({"most": ["cup", "fish"]}, 0),
    ],
)
def test_an_answer_follows_from_facts(rule: object, answer: int):
    assert Facts.of(ASKED, RUNS, TABLES).resolve(rule) == answer


def test_a_fact_that_cannot_be_found_is_named():
    with pytest.raises(FactError, match="the fact 'lost' cannot be found"):
        Facts.of({"lost": {"table": "map", "at": [{"label": "c"}, "nats"]}}, RUNS, TABLES)
    with pytest.raises(FactError, match="are equal"):
        Facts({"a": 1, "b": 1}, {}).resolve({"least": ["a", "b"]})
    with pytest.raises(FactError, match="there is no fact 'z'"):
        Facts({"a": 1}, {}).resolve("z")
