"""Words that look wrong, and perturbed runs, in headless Chromium."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright", reason="playwright is a development requirement")
from playwright.sync_api import expect

from tests.ui.person import Person

pytestmark = pytest.mark.browser
_MARKED = "() => [...(CSS.highlights.get('pg-wrong') ?? [])].map(String)"


def test_a_word_that_looks_wrong_is_underlined_and_a_press_makes_it_a_gap(me: Person, denoiser) -> None:
    denoiser.script = b"Tom saw cat "  # what stands where the text has other letters is not believed
    me.set_text("Tom saw [[4]]. Bye now.")
    me.press_fill()
    me.wait_until("complete")
    before = me.text()
    me.part("proofread").click()
    words = me.page.locator(".pf-word")
    expect(words).to_have_count(1)
    marked = "".join(me.page.evaluate(_MARKED))  # a range for each token
    assert marked
    expect(words.first).to_contain_text(marked)
    assert me.text() == before, "a mark changes no element"
    me.part("wrong-words").get_by_role("slider").fill("0.5")
    expect(words).not_to_have_count(1)
    assert len(me.page.evaluate(_MARKED)) >= words.count()
    named = me.page.get_by_role("button", name=re.compile("^now, .*make it a gap of 3 masks"))
    named.click()
    expect(me.part("wrong-words")).to_be_hidden()
    assert me.template().endswith(". Bye [[3]].")
    assert "[[4]]" not in me.template(), "what was written is text now"
    assert me.page.evaluate(_MARKED) == []
    me.page.keyboard.press("Control+z")
    assert me.template() == "Tom saw [[4]]. Bye now."


def test_a_run_is_perturbed_and_the_page_says_what_changed(me: Person) -> None:
    me.set_text("Once [[8]] the end.")
    me.press_fill()
    me.wait_until("complete")
    expect(me.part("perturb")).to_be_hidden()
    me.go_to(4)
    with me.another_run():
        me.part("perturb").click()
    expect(me.card("A′").locator(".pg-card-origin")).to_contain_text("from step 4 of A")
    expect(me.part("perturbed")).to_contain_text(
        re.compile(r"A perturbed after step 4: of 1 token taken back \d became")
    )
    me.part("reads").click()
    expect(me.part("said")).to_contain_text("no transformer")
    expect(me.part("reads")).to_have_attribute("aria-pressed", "false")
