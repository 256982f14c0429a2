"""What the browser is told once: fields, strategies, settings, start values."""

from __future__ import annotations

import json

import pytest

from app.sampling.request import MAX_LENGTH, InfillRequest, fields_of
from app.strategies.registry import find, strategies
from app.trace.examples import Example
from app.ui.setup import PAPER, START, build_setup, settings_of

PRESETS = {
    "klass": {
        "safe": {"tau": 0.85, "epsilon": 0.004},
        "balanced": {"tau": 0.55, "epsilon": 0.02},
        "fast": {"tau": 0.35, "epsilon": 0.25},
    },
    "threshold": {"safe": {"tau": 0.85}, "balanced": {"tau": 0.55}, "fast": {"tau": 0.35}},
}
FACTS = {"model": "bundled", "has_models": False, "has_parent": True, "can_pause": True, "can_look": True}
ASKED = InfillRequest(text="x [[2]]", strategy="random", steps=2, seed=3)
EXAMPLE = Example(id="a", title="A", note="n", model="bundled", request=ASKED)


@pytest.fixture(scope="module")
def setup():
    return build_setup(presets=PRESETS, examples=[EXAMPLE], **FACTS)


def test_it_is_json_and_has_the_entries_of_the_browsers_type(setup):
    assert json.loads(json.dumps(setup)) == setup
    assert set(setup) == {
        *("fields", "strategies", "groups", "limits", "draft", "examples", "landing", "model", "has_models"),
        *("has_parent", "can_pause", "can_look"),
    }


def test_every_field_is_a_control_or_has_a_place_of_its_own(setup):
    shown = {field["name"] for field in setup["fields"]}
    placed = {"text", "prefix", "suffix", "length", "strategy", "knobs", "steps", "start"}
    assert shown | placed >= {field.name for field in fields_of()}
    assert not shown & placed


def test_every_kind_of_field_has_what_its_control_needs(setup):
    fields = {field["name"]: field for field in setup["fields"]}
    assert fields["seed"] == {
        **{"name": "seed", "label": "Seed", "help": "the same seed repeats the run", "kind": "int"},
        **{"default": 0, "low": 0, "high": 2**32 - 1, "step": 1},
    }
    assert (fields["top_p"]["above_low"], fields["top_p"]["slider"], fields["top_p"]["step"]) == (True, [0.05, 1], 0.01)
    assert (fields["guided_by"]["kind"], fields["guided_by"]["options"]) == ("choice", ["suffix", "prefix"])
    assert (fields["space"]["kind"], fields["space"]["default"]) == ("bool", True)
    assert (fields["banned"]["kind"], fields["banned"]["default"]) == ("words", [])


def test_the_start_values_make_a_request(setup):
    draft = setup["draft"]
    assert (draft["text"], draft["steps"], draft["model"], draft["start"]) == ("x [[2]]", None, "", None)
    assert {name: draft[name] for name in START} == START
    given = {name: value for name, value in draft.items() if name not in ("steps", "model", "start")}
    assert InfillRequest(**given).length == 2
    assert build_setup(**FACTS)["draft"]["text"].count("[[") == 1, "without examples there is a text to begin with"
    assert setup["limits"]["length"] == MAX_LENGTH


def test_every_strategy_is_listed_by_group_with_its_words_and_knobs(setup):
    assert sorted(each["name"] for each in setup["strategies"]) == sorted(strategies())
    order = [setup["groups"].index(each["group"]) for each in setup["strategies"]]
    assert order == sorted(order)
    for each in setup["strategies"]:
        strategy = find(each["name"])
        assert {knob["name"]: knob["default"] for knob in each["knobs"]} == strategy.defaults
        assert (each["title"], each["papers"]) == (strategy.title, list(strategy.papers))


def test_the_settings_of_a_strategy_begin_with_the_papers_values(setup):
    settings = {each["name"]: each["settings"] for each in setup["strategies"]}
    assert list(settings["klass"]) == [PAPER, "safe", "balanced", "fast"]
    assert settings["klass"]["fast"] == {"tau": 0.35, "epsilon": 0.25}
    assert settings["klass"][PAPER] == {"tau": 0.6, "epsilon": 0.01}
    assert settings["low_confidence"] == {}
    assert settings_of(find("klass"), {}) == {}


def test_an_example_shows_what_the_page_needs_and_no_more(setup):
    assert setup["examples"] == [{"id": "a", "title": "A", "note": "n", "text": "x [[2]]", "strategy": "random"}]
