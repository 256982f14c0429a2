"""A run as a visitor sees it, in Chromium: writing, filling, stopping, scrubbing, candidates, hostile input."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is a development requirement")
from playwright.sync_api import Browser, expect

from tests.ui.person import Person, a_person, new_context

pytestmark = pytest.mark.browser

HOSTILE = "<b id='injected'>x</b> ${alert(1)} {{value}} C:\\new <img src=x onerror=alert(1)>"


def test_a_person_types_makes_a_gap_fills_it_and_scrubs_by_keyboard(me: Person) -> None:
    me.write("Once two or three words the end.")
    me.select("two or three words")
    me.tool("gap")
    assert me.template() == "Once [[5]] the end."
    number = me.page.get_by_label("Masks in the gap")
    expect(number).to_have_value("5")
    number.focus()
    me.page.keyboard.press("ArrowUp")
    assert me.template() == "Once [[6]] the end."
    number.fill("8")
    me.page.keyboard.press("Enter")
    assert me.template() == "Once [[8]] the end."
    expect(me.cells).to_have_count(8)
    with me.another_run():
        me.page.keyboard.press("Control+Enter")
    assert me.text() == "Once abcdefgh the end."
    assert me.step == 8
    expect(me.counters).to_contain_text("step 8 of 8")
    expect(me.counters).to_contain_text("8 passes")
    expect(me.part("live")).to_contain_text("The gap reads: abcdefgh")
    me.scrubber.focus()
    for left in range(1, 9):
        me.page.keyboard.press("ArrowLeft")
        expect(me.counters).to_contain_text(f"{left} mask{'s' if left > 1 else ''} left")
        expect(me.passage.locator(".pg-masked")).to_have_count(left)
    me.scrub("ArrowRight")
    assert me.step == 1
    me.page.keyboard.press("End")
    me.settle()
    assert me.step == 8


def test_no_step_moves_the_text_while_a_run_goes_on_at_its_end_and_in_a_replay(me: Person, denoiser) -> None:
    me.set_text("Once upon a time [[24]] and they all lived. " + "Happily ever after. " * 8)
    denoiser.delay = 0.05
    me.press_fill()
    me.wait_for_step(2)
    expected = me.places()
    me.wait_for_step(10)
    assert me.places() == expected, "a step moved the text"
    me.wait_until("complete")
    assert me.places() == expected, "the end of the run moved the text"
    for key in ("ArrowLeft", "Home", "ArrowRight", "End"):
        me.scrub(key)
        assert me.places() == expected, f"{key} moved the text"
    lines = {top for _, top, _, _ in expected}
    assert len(lines) > 1, "the gap is on one line, which proves little"


def test_masks_wait_visibly_and_a_fresh_token_stands_out(me: Person, denoiser) -> None:
    me.set_text("Once [[10]] the end.")
    denoiser.delay = 0.25
    me.press_fill()
    me.wait_for_step(3)
    assert me.root.get_attribute("data-ended") == "running"
    assert 1 <= me.passage.locator(".pg-masked").count() <= 7
    assert me.passage.locator(".pg-fresh").count() == 1
    expect(me.counters).to_contain_text("of up to 10")
    assert me.passage.get_attribute("contenteditable") == "false"
    denoiser.delay = 0
    me.wait_until("complete")


def test_stop_ends_the_run_after_its_pass_and_what_is_there_stays(me: Person, denoiser, tmp_path: Path) -> None:
    me.set_text("Once [[20]] the end.")
    denoiser.delay = 0.2
    denoiser.hold_after(3)
    me.press_fill()
    expect(me.part("fill")).to_have_text("Stop")
    me.wait_for_step(3)
    me.part("fill").click()
    denoiser.go_on()
    me.wait_until("stopped")
    spent = denoiser.forwards
    time.sleep(0.6)
    assert denoiser.forwards <= spent + 1 < 20
    assert me.text().startswith("Once abc")
    assert me.passage.locator(".pg-masked").count() > 0
    expect(me.part("verdict")).to_contain_text("Stopped.")
    trace = json.loads(me.kept_file("A", "Trace (JSON)", tmp_path, "trace.json").read_text())
    assert trace["ended"] == "stopped"
    assert len(trace["steps"]) == me.step
    me.scrub("Home")
    assert me.step == 0
    denoiser.delay = 0
    me.fill()  # the page is still usable
    assert me.text() == "Once abcdefghijklmnopqrst the end."


def test_closing_the_tab_ends_the_run(browser: Browser, address: str, denoiser) -> None:
    context = new_context(browser)
    me = Person(context.new_page()).go(address)
    me.set_text("Once [[40]] the end.")
    denoiser.delay = 0.2
    me.press_fill()
    me.wait_for_step(2)
    context.close()
    time.sleep(1)
    spent = denoiser.forwards
    time.sleep(0.7)
    assert denoiser.forwards == spent < 40


def test_the_time_limit_ends_the_run(browser: Browser, serve: Callable[..., str], denoiser) -> None:
    with a_person(browser, serve(time_limit=0.5)) as me:
        me.set_text("Once [[20]] the end.")
        denoiser.delay = 0.2
        me.fill("time limit")
        assert denoiser.forwards == 3
        expect(me.part("verdict")).to_contain_text("time limit")


def test_a_crash_in_mid_run_leaves_what_came_before(me: Person, denoiser, monkeypatch) -> None:
    me.set_text("Once [[6]] the end.")
    predict = denoiser.predict

    def broken(queries):
        if denoiser.forwards >= 2:
            raise RuntimeError("out of memory")
        return predict(queries)

    monkeypatch.setattr(denoiser, "predict", broken)
    me.press_fill()
    me.wait_until("failed")
    assert me.step == 2
    me.says("fault in the program")
    assert me.text().startswith("Once ab")
    monkeypatch.undo()
    me.fill()
    assert me.text() == "Once abcdef the end."


def test_replay_plays_from_the_start_to_the_end_without_the_model(me: Person, denoiser) -> None:
    me.set_text("Once [[6]] the end.")
    me.fill()
    spent = denoiser.forwards
    me.page.get_by_label("Replay speed in steps a second").select_option("30")
    me.page.get_by_role("button", name="Play", exact=True).click()
    expect(me.page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    expect(me.page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    assert me.step == 6
    assert denoiser.forwards == spent


def test_hovering_shows_the_candidates_of_that_step(me: Person) -> None:
    me.set_text("Once [[5]] the end.")
    me.fill()
    me.go_to(1)
    me.cells.nth(2).hover()
    heading, rows = me.part("why").locator(".wy-heading"), me.part("why").locator(".wy-row")
    expect(heading).to_have_text("Position 3, step 1: still masked")
    expect(rows).to_have_count(5)
    expect(rows.first.locator(".wy-token")).to_have_text("c")
    shares = [float(share.split("%")[0]) for share in rows.locator(".wy-share").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 50
    me.cells.nth(0).hover()
    expect(heading).to_contain_text("written in step 1")
    expect(me.part("why").locator(".wy-written .wy-token")).to_have_text("a")


def test_html_and_templates_are_shown_as_they_are_everywhere(me: Person, denoiser) -> None:
    denoiser.script = b"<i>${1}</i>{{x}}"
    me.write(HOSTILE + "GAP" + HOSTILE)
    me.select("GAP")
    me.tool("gap")
    me.page.get_by_label("Masks in the gap").fill("16")
    me.page.keyboard.press("Enter")
    me.fill()
    assert me.text() == f"{HOSTILE}<i>${{1}}</i>{{{{x}}}}{HOSTILE}"
    me.cells.nth(0).hover()
    expect(me.part("why").locator(".wy-token").first).to_have_text("<")
    expect(me.part("live")).to_contain_text("<i>${1}</i>{{x}}")
    card = me.card("A")
    expect(card.locator(".pg-card-text")).to_contain_text("<i>${1}</i>{{x}}")
    assert card.locator(".pg-card-text").get_attribute("title") == me.text()
    card.get_by_role("button", name="Rename A").click()
    me.page.keyboard.type(HOSTILE[:60])
    me.page.keyboard.press("Enter")
    expect(me.cards.last.locator(".pg-card-label")).to_have_text(HOSTILE[:60])
    me.fill()
    for box in me.page.locator(".pg-card-pick input").all()[-2:]:
        box.check()
    me.page.get_by_role("button", name="Compare 2 runs").click()
    expect(me.page.locator(".pg-pane .pg-card-label").first).to_have_text(HOSTILE[:60])
    expect(me.page.locator(".pg-pane .pg-stage").first).to_contain_text(HOSTILE)
    assert me.page.locator("#injected, .pg i, .pg img, .pg b[id]").count() == 0


def test_characters_that_are_spread_over_tokens_are_shown_whole(me: Person, denoiser) -> None:
    denoiser.script = " 😀é".encode()
    me.set_text("سلام[[7]]שלום")
    me.fill()
    text = me.text()
    assert "😀" in text
    assert "é" in text
    assert "\ufffd" not in text
    assert text.startswith("سلام")
    assert text.endswith("שלום")


def test_bad_input_gives_a_message_and_keeps_what_was_typed(me: Person, denoiser) -> None:
    me.set_text("Once\x07 upon [[4]] the end.")
    me.press_fill()
    me.says("control character U+0007")
    assert me.template() == "Once\x07 upon [[4]] the end."
    assert denoiser.forwards == 0
    me.set_text("Once [[4]] the end.")
    me.fill()
    assert me.text() == "Once abcd the end."


def test_a_text_without_a_gap_is_refused_with_what_to_do(me: Person, denoiser) -> None:
    me.write("Once upon a time.")
    me.press_fill()
    expect(me.part("said")).to_contain_text("gap")
    expect(me.part("fill")).to_have_text("Fill")
    assert denoiser.forwards == 0


def test_a_broken_raw_text_is_reported_and_stays(me: Person, denoiser) -> None:
    me.tool("raw")
    me.part("raw").fill("Tom <i>went</i> [[x]]")
    expect(me.page.locator(".pg-fault")).to_contain_text("gap 1, '[[x]]' at character 17")
    me.press_fill()
    me.says("gap 1, '[[x]]' at character 17")
    expect(me.part("raw")).to_have_value("Tom <i>went</i> [[x]]")
    assert denoiser.forwards == 0


def test_text_past_the_context_is_said_to_be_cut(me: Person) -> None:
    me.set_text("a" * 600 + "[[4]]" + "b" * 600)
    me.fill()
    expect(me.part("notices")).to_contain_text("left out")


def test_several_gaps_with_pinned_words_are_filled_shown_and_scrubbed(me: Person) -> None:
    me.set_text("<b>Tom</b> [[3]], then [[6|2:big]] end.")
    me.fill()
    text = me.text()
    assert text.startswith("<b>Tom</b> abc, then")
    assert text.endswith(" end.")
    assert "big" in text
    expect(me.part("live")).to_contain_text("The text reads: <b>Tom</b> abc, then")
    pinned = me.passage.locator(".pg-pinned")
    expect(pinned).to_have_count(4)  # a space and three letters
    expect(pinned.nth(1)).to_have_attribute("aria-label", "Gap 2, position 3: b, given")
    pinned.nth(1).hover()
    expect(me.part("why").locator(".wy-heading")).to_have_text(re.compile("osition 3.*“b”"))
    expect(me.part("why").locator(".wy-row")).to_have_count(0)
    me.cells.nth(8).hover()
    expect(me.part("why").locator(".wy-heading")).to_contain_text(re.compile("osition 6"))
    expect(me.part("why").locator(".wy-row").first).to_be_visible()
    me.scrub("Home")
    expect(me.passage.locator(".pg-masked")).to_have_count(5)
    expect(pinned).to_have_count(4)


def test_the_length_is_chosen_with_its_reason_and_taken_over(me: Person) -> None:
    me.write("Once the end.")
    me.put_caret_after("Once")
    me.tool("gap")
    me.page.get_by_label("Masks in the gap").press("a")
    assert me.template() == "Once[[auto]] the end."
    me.fill()
    expect(me.part("notices")).to_contain_text("not fitted to 'scripted'")
    count = me.cells.count()
    expect(me.part("notices")).to_contain_text(f"Gap 1: {count} masks")
    assert me.template() == f"Once[[{count}]] the end."
    expect(me.page.get_by_label("Masks in the gap")).to_have_value(str(count))
    expect(me.counters).to_contain_text("to choose the length")
    me.fill()
    assert me.cells.count() == count


def test_counters_count_while_a_length_is_chosen_and_stop_ends_it(me: Person, denoiser) -> None:
    denoiser.delay = 0.1
    denoiser.hold_after(2)
    me.set_text("Once [[auto]] the end.")
    me.press_fill()
    expect(me.counters).to_contain_text("33 passes to choose the length")
    denoiser.hold_after(4)
    expect(me.counters).to_contain_text("35 passes to choose the length")
    me.part("fill").click()
    denoiser.go_on()
    me.wait_until("stopped")
    time.sleep(0.3)
    spent = denoiser.forwards
    time.sleep(0.4)
    assert denoiser.forwards == spent
    assert me.step == 0


def test_a_strategy_is_found_by_a_filter_and_its_own_knob_is_used(me: Person) -> None:
    me.set_text("Once [[12]] the end.")
    me.part("order").click()
    me.page.get_by_label("Filter the orders").fill("2505.22618")
    expect(me.page.locator(".pg-order-about")).to_contain_text("arXiv:2505.22618")
    me.page.get_by_role("option", name="· threshold").click()
    me.open_settings().get_by_label("Tau", exact=True).fill("0")
    me.page.keyboard.press("Tab")
    assert "tau 0" in me.chips()
    me.fill()
    assert me.step == 1
    expect(me.counters).to_contain_text("1 pass")


def test_an_order_that_takes_tokens_back_shows_them(me: Person) -> None:
    me.set_text("Once [[8]] the end.")
    me.part("order").click()
    me.page.get_by_label("Filter the orders").fill("remdm")
    me.page.get_by_role("option", name="· remdm", exact=False).first.click()
    me.page.locator("#pg-steps").fill("24")
    me.fill()
    taken = 0
    me.scrub("Home")
    for _ in range(24):
        me.scrub("ArrowRight")
        taken += me.passage.locator(".pg-taken").count()
    assert taken > 0


def test_a_narrow_screen_needs_no_sideways_scrolling(browser: Browser, address: str, denoiser) -> None:
    denoiser.script = b"abcdefghij"  # one word
    with a_person(browser, address, viewport={"width": 375, "height": 740}) as me:
        me.set_text("Once upon a time [[60]] the end.")
        me.page.locator("#pg-steps").fill("4")
        me.fill()
        right = (
            "() => Math.max(...[...document.querySelectorAll('.pg-cell')].map((e) => e.getBoundingClientRect().right))"
        )
        for width in (375, 320):
            me.page.set_viewport_size({"width": width, "height": 740})
            me.settle()
            assert me.page.evaluate("document.documentElement.scrollWidth") <= width
            assert me.page.evaluate(right) <= width
            me.cells.nth(3).click()
            expect(me.part("why").locator(".wy-row").first).to_be_visible()
            me.page.locator(".wy-close").click()


def test_the_page_asks_no_other_host_for_anything(me: Person, address: str) -> None:
    me.set_text("Once [[3]] the end.")
    me.fill()
    me.cells.first.hover()
    expect(me.part("why").locator(".wy-row").first).to_be_visible()
    me.open_settings()
    assert me.other_hosts(address) == set()


def test_everything_can_be_reached_and_named_without_a_mouse(me: Person) -> None:
    me.set_text("Once [[3]] the end.")
    me.fill()
    unnamed = me.page.evaluate(
        """() => [...document.querySelectorAll('.pg button, .pg select, .pg input, .pg-cell, .pg canvas')]
            .filter((each) => !each.getAttribute('aria-label') && !each.textContent.trim())
            .filter((each) => !each.labels?.length && !each.title)
            .filter((each) => each.type !== 'file')
            .map((each) => each.outerHTML)"""
    )
    assert unnamed == []
    me.part("present").focus()
    reached = set()
    for _ in range(60):
        me.page.keyboard.press("Tab")
        reached.add(
            me.page.evaluate(
                "(({id, dataset, ariaLabel, className}) =>"
                " dataset.part || dataset.tool || ariaLabel || id || className)(document.activeElement)"
            )
        )
    wanted = {"gap", "passage", "fill", "order", "pg-steps", "First state", "Play", "Denoising step"}
    assert wanted <= reached
    assert any(name.startswith("Position 1") for name in reached)
    assert any(name.startswith("Show A") for name in reached)
