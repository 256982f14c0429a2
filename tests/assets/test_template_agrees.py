"""The page reads templates as the sampler does: both are held to the cases in templates.json, the page by node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import InfillError
from app.sampling.template import Template, read

CASES = json.loads((Path(__file__).parent / "templates.json").read_text(encoding="utf-8"))


def segments(template: Template) -> list[dict[str, Any]]:
    """Return texts and gaps in turn, as assets/page/template.js does; empty texts are left out."""
    found: list[dict[str, Any]] = []
    for at, given in enumerate(template.given):
        if given:
            found.append({"text": given})
        for gap in template.gaps[at : at + 1]:
            pins = [{"place": pin.place, "words": pin.words} for pin in gap.pins]
            found.append({"gap": {"length": gap.length, "pins": pins}})
    return found


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_every_template_is_read_as_on_the_page(case: dict[str, Any]):
    if "error" in case:
        with pytest.raises(InfillError) as refused:
            read(case["text"])
        assert str(refused.value) == case["error"]
    else:
        assert segments(read(case["text"])) == case["segments"]


def test_the_cases_are_both_readable_and_malformed():
    refused = sum("error" in case for case in CASES)
    assert 50 < refused < len(CASES) - 50
