"""Branches, refills, pins, and runs side by side, in headless Chromium."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright", reason="playwright is a development requirement")
from playwright.sync_api import Browser, expect

import models
from tests.ui.person import Person, a_person

pytestmark = pytest.mark.browser


def preset(me: Person, name: str) -> None:
    """Choose a comparison from its menu."""
    me.part("controls").get_by_role("button", name=re.compile("Compare")).click()
    me.page.locator(f"[data-preset={name}]").click()


def both_ended(me: Person, count: int = 2) -> None:
    expect(me.page.locator(".pg-pane")).to_have_count(count)
    expect(me.page.locator(".pg-totals tbody tr")).to_have_count(count)
    me.settle()


def pick(me: Person, *labels: str) -> None:
    """Put runs side by side from the tray."""
    for label in labels:
        me.card(label).get_by_label(f"Compare {label}").check()
    me.page.get_by_role("button", name=f"Compare {len(labels)} runs").click()


def test_a_person_stops_branches_with_the_second_candidate_and_compares(me: Person, denoiser) -> None:
    me.set_text("Once [[10]] the end.")
    denoiser.delay = 0.2
    me.press_fill()
    me.wait_for_step(4)
    me.part("fill").click()
    me.wait_until("stopped")
    denoiser.delay = 0
    me.go_to(3)
    me.cells.nth(3).click()
    why = me.part("why")
    expect(why.locator(".wy-heading")).to_contain_text("Position 4, step 3: still masked")
    second = why.locator(".wy-row").nth(1)
    expect(second.locator(".wy-token")).to_have_text("?")
    with me.another_run():
        second.get_by_role("button").click()
    assert me.text() == "Once abc?abcdef the end."
    expect(me.card("A′").locator(".pg-card-origin")).to_contain_text("from step 3 of A")
    expect(me.counters).to_contain_text("6 passes")
    pick(me, "A", "A′")
    both_ended(me)
    panes = me.page.locator(".pg-pane")
    expect(panes.nth(1).locator(".pg-pane-differs")).to_have_text(re.compile(r"\d tokens? differs? from A"))
    me.page.get_by_role("button", name="Only A′").click()
    assert me.text() == "Once abc?abcdef the end."


def test_a_branch_masks_again_locks_and_goes_on_from_several_changes(me: Person) -> None:
    me.set_text("Once [[6]] the end.")
    me.fill()
    me.go_to(4)
    me.cells.nth(0).click()
    me.part("why").get_by_role("button", name="mask again").click()
    me.cells.nth(5).click()
    me.part("why").locator(".wy-row").nth(1).get_by_role("button").click()
    expect(me.part("why").locator(".wy-count")).to_contain_text("2 changes")
    with me.another_run():
        me.part("why").locator(".wy-begin").click()
    expect(me.card("A′")).to_be_visible()
    assert me.text() == "Once abcde? the end."
    me.scrub("Home")
    expect(me.passage.locator(".pg-kept")).to_have_count(3)  # the second to fourth, as written


def test_keys_branch_with_a_candidate_and_mask_again(me: Person) -> None:
    me.set_text("Once [[5]] the end.")
    me.fill()
    me.go_to(2)
    me.cells.nth(2).focus()
    expect(me.part("why").locator(".wy-row")).to_have_count(5)
    with me.another_run():
        me.page.keyboard.press("2")
    expect(me.card("A′")).to_be_visible()
    assert me.text() == "Once ab?ab the end."  # the script begins anew
    me.cells.nth(3).focus()
    with me.another_run():
        me.page.keyboard.press("m")
    expect(me.card("A′.1")).to_be_visible()
    me.scrub("Home")
    expect(me.passage.locator(".pg-masked")).to_have_count(1)


def test_words_of_a_finished_run_are_written_anew(me: Person) -> None:
    me.set_text("Once [[6]] the end.")
    me.fill()
    me.page.evaluate(
        """() => {
            const cells = document.querySelectorAll('[data-part=passage] .pg-cell');
            const [from, to] = [cells[2], cells[4]].map((cell) => cell.querySelector('.pg-token').firstChild);
            document.getSelection().setBaseAndExtent(from, 0, to, 1);
        }"""
    )
    me.settle()
    with me.another_run():
        me.tool("refill")
    assert me.template() == "Once ab[[3]]f the end."
    assert me.text() == "Once ababcf the end."


def test_words_that_a_person_wrote_are_pinned(me: Person) -> None:
    me.write("Once upon the end.")
    me.select("upon")
    me.tool("pin")
    assert me.template() == "Once [[8|4:upon]] the end."
    expect(me.passage.locator(".pg-pinned").first).to_have_text(re.compile("upon"))
    me.fill()
    assert "upon" in me.text()
    expect(me.passage.locator(".pg-pinned")).to_have_count(5)  # with the space before the word


def test_words_that_the_model_wrote_are_pinned(me: Person) -> None:
    me.set_text("Once [[6]] the end.")
    me.fill()
    me.page.evaluate(
        """() => {
            const cells = document.querySelectorAll('[data-part=passage] .pg-cell');
            const [from, to] = [cells[2], cells[3]].map((cell) => cell.querySelector('.pg-token').firstChild);
            document.getSelection().setBaseAndExtent(from, 0, to, 1);
        }"""
    )
    me.settle()
    me.tool("pin")
    assert me.template() == "Once [[6|3:cd]] the end."
    me.fill()
    expect(me.passage.locator(".pg-pinned")).to_have_count(3)  # with a space before them


def test_a_person_compares_two_orders_in_two_clicks_and_goes_back(me: Person) -> None:
    me.set_text("Once [[6]] the end.")
    preset(me, "orders")
    both_ended(me)
    expect(me.page.locator(".pg-pane header").nth(1)).to_contain_text("Left to right")
    me.page.get_by_label("Replay speed in steps a second").select_option("30")
    me.page.get_by_role("button", name="Play", exact=True).click()
    expect(me.page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    expect(me.page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(me.counters).to_contain_text("pass 6 of 6")
    me.page.get_by_role("button", name="by progress").click()
    expect(me.page.get_by_role("button", name="by progress")).to_have_attribute("aria-pressed", "true")
    expect(me.counters).to_contain_text("100 % filled")
    me.scrub("Home")
    expect(me.page.locator(".pg-pane .pg-masked")).to_have_count(12)
    me.page.get_by_role("button", name="by passes").click()
    me.scrub("ArrowRight")
    expect(me.page.locator(".pg-pane .pg-masked")).to_have_count(10)
    me.page.get_by_role("button", name="Back to one run").click()
    expect(me.passage).to_be_visible()
    expect(me.page.locator(".pg-pane")).to_have_count(0)
    assert me.step == 1


def test_every_preset_makes_its_runs(me: Person) -> None:
    me.set_text("Once [[8]] the end.")
    for name, count in (("budgets", 2), ("second", 2), ("suffix", 2), ("sweep", 4)):
        preset(me, name)
        both_ended(me, count)
        assert me.page.locator(".pg-budget").count() == (name == "sweep"), name
        expect(me.page.locator(".pg-pane .pg-masked")).to_have_count(0)
        me.page.get_by_role("button", name="Back to one run").click()
        expect(me.page.locator(".pg-pane")).to_have_count(0)


def test_presets_that_a_text_does_not_allow_say_why(me: Person, denoiser) -> None:
    me.set_text("Once [[1]]")
    me.part("controls").get_by_role("button", name=re.compile("Compare")).click()
    for name in ("orders", "budgets", "second", "suffix", "parent", "sweep"):
        item = me.page.locator(f"[data-preset={name}]")
        expect(item).to_have_attribute("aria-disabled", "true")
        expect(item).to_contain_text("Not now: ")
    me.page.locator("[data-preset=suffix]").click(force=True)
    assert denoiser.forwards == 0
    me.page.keyboard.press("Escape")
    expect(me.page.locator("[data-preset=suffix]")).to_be_hidden()


def test_a_comparison_is_stopped_as_a_whole(me: Person, denoiser) -> None:
    denoiser.delay = 0.15
    me.set_text("Once [[30]] the end.")
    preset(me, "orders")
    me.page.wait_for_function(
        "() => { const { length } = document.querySelectorAll('.pg-pane .pg-masked'); return length && length < 54; }"
    )
    me.page.keyboard.press("Escape")
    both_ended(me)
    for label in ("A", "B"):
        expect(me.card(label).locator(".pg-card-facts")).to_contain_text("stopped")


def test_the_parent_fills_the_same_gap_and_can_be_stopped(browser: Browser, serve) -> None:
    with a_person(browser, serve(parent=models.load_parent)) as me:
        me.set_text("The little dog [[6]] so he ran home.")
        preset(me, "parent")
        expect(me.page.locator(".pg-pane")).to_have_count(3)
        expect(me.card("B").locator(".pg-card-facts")).to_contain_text("complete", timeout=90_000)
        expect(me.card("A").locator(".pg-card-facts")).to_contain_text("complete")
        me.page.keyboard.press("Escape")
        both_ended(me, 3)
        titles = me.page.locator(".pg-pane header").all_inner_texts()
        assert "Parent, left to right" in titles[1]
        assert "best of 16" in titles[2]
        for pane in me.page.locator(".pg-pane .pg-stage").all_inner_texts()[:2]:
            assert pane.startswith("The little dog")
            assert pane.rstrip().endswith("so he ran home.")


def test_a_run_goes_on_from_a_step_with_other_text_around_its_gap(me: Person) -> None:
    me.set_text("Once [[6]] the end.")
    me.fill()
    expect(me.part("onward")).to_be_hidden()
    me.go_to(2)
    me.set_text("Twice [[5]] the end.")
    me.part("onward").click()
    expect(me.part("said")).to_contain_text("other lengths")
    me.set_text("Twice [[6]] the end.")
    with me.another_run():
        me.part("onward").click()
    assert me.text() == "Twice ababcd the end."  # the scripted model begins anew where it is asked first
    expect(me.passage.locator(".pg-kept")).to_have_count(2)
    expect(me.card("A′").locator(".pg-card-facts")).to_contain_text("4 passes")


def test_one_click_compares_four_budgets(me: Person) -> None:
    me.set_text("Once [[8]] the end.")
    me.page.locator(".pg-budget-button").click()
    both_ended(me, 4)
    facts = [me.card(label).locator(".pg-card-facts").inner_text() for label in "ABCD"]
    assert [fact.split(" of ")[1].split(" ")[0] for fact in facts] == ["8", "4", "2", "1"]
