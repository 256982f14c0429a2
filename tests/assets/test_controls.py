"""What a visitor sets, in a browser: the form, the chips, the order picker, steps, seed and keys."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is a development requirement")
from playwright.sync_api import Browser, Page, expect

from app.export import script as joined

HERE = Path(__file__).parent
PARTS = "".join(f'<div id="{name}"></div>' for name in ("order", "steps", "seed", "chips"))
BODY = f'<div id="page" class="pg">{PARTS}<div contenteditable="true" id="text">typed</div></div><div id="side"></div>'


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """A tab that the tests share; each loads the page anew."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    yield page
    page.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the joined modules, as a page on the disk has them."""
    folder = tmp_path_factory.mktemp("controls")
    shutil.copytree(joined.ASSETS, folder / "page")
    for name in ("controls_harness.js", "setup.js"):
        shutil.copy(HERE / name, folder / "page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joined, "ASSETS", folder / "page")
        script, style = joined.script("controls_harness.js"), joined.style()
    start = "const page = {}; startHarness((name) => document.getElementById(name), page);"
    head = f'<!doctype html><meta charset="utf-8"><title>controls</title><style>{style}</style>'
    (folder / "index.html").write_text(f"{head}{BODY}<script>{script}\n{start}</script>", encoding="utf-8")
    return (folder / "index.html").as_uri()


@pytest.fixture
def page(tab: Page, address: str) -> Iterator[Page]:
    errors: list[str] = []

    def note(error: Any) -> None:
        errors.append(str(error))

    tab.on("pageerror", note)
    tab.goto(address)
    yield tab
    tab.remove_listener("pageerror", note)
    assert errors == []


def draft(page: Page, name: str) -> Any:
    return page.evaluate(f"page.store.state.draft.{name}")


def set_draft(page: Page, values: str) -> None:
    """Change the draft as another part of the page would, and wait until that is painted."""
    page.evaluate(f"page.store.change({{ draft: {{ ...page.store.state.draft, {values} }} }})")
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")


def test_box_and_slider_of_a_number_agree(page: Page):
    page.get_by_label("Temperature", exact=True).fill("0.3")
    assert draft(page, "temperature") == 0.3
    slider = page.get_by_label("Temperature, slider")
    expect(slider).to_have_value("0.3")
    slider.fill("1.5")
    expect(page.get_by_label("Temperature", exact=True)).to_have_value("1.5")
    assert draft(page, "temperature") == 1.5


def test_a_number_out_of_range_stays_in_its_box_with_a_message(page: Page):
    box = page.get_by_label("Top-p", exact=True)
    for typed in ("7", "0", "-1", ""):
        box.fill(typed)
        expect(page.locator("#pg-set-top_p-problem")).to_contain_text("0.95 stays in force")
        page.get_by_label("Temperature", exact=True).focus()
        expect(box).to_have_value(typed)
        assert draft(page, "top_p") == 0.95
    box.fill("1")
    expect(page.locator("#pg-set-top_p-problem")).to_be_empty()
    assert draft(page, "top_p") == 1


def test_a_refused_number_can_be_set_back(page: Page):
    box = page.get_by_label("Guidance", exact=True)
    box.fill("99")
    page.get_by_role("button", name="Reset all").click()
    expect(box).to_have_value("0")
    expect(page.locator("#pg-set-guidance-problem")).to_be_empty()


def test_words_stay_as_they_were_typed(page: Page):
    box = page.get_by_label("Banned words", exact=True)
    box.press_sequentially("kitten ,so big,, Émile")
    expect(box).to_have_value("kitten ,so big,, Émile")
    assert draft(page, "banned") == ["kitten", "so big", "Émile"]
    expect(page.locator("#pg-set-banned-advice")).to_contain_text("“so big” has a space inside")
    page.get_by_label("Temperature", exact=True).focus()
    expect(box).to_have_value("kitten ,so big,, Émile")
    page.get_by_role("button", name="Remove: ban so big").click()
    expect(box).to_have_value("kitten, Émile")


def test_a_box_in_use_is_not_disturbed_and_catches_up_afterwards(page: Page):
    box = page.get_by_label("Seed", exact=True).first
    box.focus()
    page.keyboard.type("1")
    set_draft(page, "seed: 77")
    expect(box).to_have_value("01")
    expect(page.locator("#pg-set-seed")).to_have_value("77")
    page.get_by_label("Temperature", exact=True).focus()
    expect(box).to_have_value("77")


def test_each_field_goes_back_to_the_value_of_the_start(page: Page):
    for name, values in (
        ("Temperature", "temperature: 2"),
        ("Space between words", "space: false"),
        ("Guided by", "guided_by: 'prefix'"),
    ):
        before = page.evaluate("JSON.stringify(page.store.state.draft)")
        set_draft(page, values)
        page.get_by_role("button", name=f"{name}: back to").click()
        assert page.evaluate("JSON.stringify(page.store.state.draft)") == before
    expect(page.get_by_role("button", name="back to")).to_have_count(0)


def test_reset_all_keeps_the_text_only(page: Page):
    set_draft(
        page,
        "text: 'mine', steps: 3, strategy: 'klass', knobs: { tau: 0.1 }, banned: ['a'], model: 'other', one_line: true",
    )
    page.get_by_role("button", name="Reset all").click()
    expect(page.locator(".pg-chips")).to_be_hidden()
    assert page.evaluate(
        "JSON.stringify({ ...page.store.state.draft, text: 0 }) === JSON.stringify({ ...SETUP.draft, text: 0 })"
    )
    assert draft(page, "text") == "mine"


def test_a_named_setting_moves_the_knobs_and_a_hand_makes_them_ones_own(page: Page):
    set_draft(page, "strategy: 'klass', knobs: {}")
    values = page.get_by_label("Values")
    expect(values).to_have_value("paper's values")
    values.select_option("safe")
    expect(page.get_by_label("Tau", exact=True)).to_have_value("0.7")
    page.get_by_label("Patience", exact=True).fill("3")
    expect(values.locator("option:checked")).to_have_text("your own values")
    page.get_by_label("Patience", exact=True).fill("2")
    expect(values).to_have_value("safe")
    set_draft(page, "model: 'other'")  # for which nothing was calibrated
    expect(values.locator("option:checked")).to_have_text("your own values")
    expect(page.get_by_text("tau 0.7")).to_be_visible()


def test_removing_chips_by_keyboard_keeps_the_focus_among_them(page: Page):
    set_draft(page, "temperature: 0, guidance: 1.5, one_line: true")
    page.get_by_role("button", name="Remove: temperature 0").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove: guidance 1.5")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".pg-chips")).to_be_hidden()
    assert draft(page, "temperature") == 0.7


def test_an_order_is_chosen_by_keyboard_and_its_knobs_are_remembered(page: Page):
    set_draft(page, "knobs: { blocks: 4 }")
    button = page.get_by_role("button", name="Order: Surest first")
    button.focus()
    page.keyboard.press("Enter")
    box = page.get_by_role("combobox", name="Filter the orders")
    expect(box).to_be_focused()
    expect(box).to_have_attribute("aria-activedescendant", "pg-order-low_confidence")
    expect(page.get_by_role("link", name="arXiv:2502.09992")).to_have_attribute("rel", "noopener")
    page.keyboard.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "pg-order-left_to_right")
    page.keyboard.press("Enter")
    assert (draft(page, "strategy"), draft(page, "knobs")) == ("left_to_right", {})
    button = page.get_by_role("button", name="Order: Left to right")
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")
    button.click()
    page.keyboard.type("low conf")
    expect(page.locator(".pg-order-panel").get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    assert (draft(page, "strategy"), draft(page, "knobs")) == ("low_confidence", {"blocks": 4})


def test_the_order_panel_closes_on_escape_tab_and_a_click_outside(page: Page):
    button, panel = page.locator(".pg-order-button"), page.locator(".pg-order-panel")
    set_draft(page, "strategy: 'left_to_right'")  # without papers, so Tab has nowhere to go in the panel
    for close in (
        lambda: page.keyboard.press("Escape"),
        lambda: page.keyboard.press("Tab"),
        lambda: page.mouse.click(1270, 790),
        button.click,
    ):
        button.click()
        expect(panel).to_be_visible()
        close()
        expect(panel).to_be_hidden()
    assert page.evaluate("page.did") == []  # Escape stopped no run


def test_steps_follow_the_masks_until_a_number_is_set(page: Page):
    expect(page.get_by_text("Steps: 3 (one token each)")).to_be_visible()
    set_draft(page, "text: '[[5]] [[7|1:dog]]'")
    expect(page.get_by_text("Steps: 12 (one token each)")).to_be_visible()
    box = page.locator("#pg-steps")
    expect(box).to_have_value("12")
    page.get_by_label("Steps, slider").fill("6")
    assert draft(page, "steps") == 6
    expect(box).to_have_value("6")
    box.fill("300")
    expect(page.locator("#pg-steps-problem")).to_contain_text("1 to 256. 6 stays in force.")
    page.get_by_role("button", name="= masks").click()
    assert draft(page, "steps") is None
    expect(box).to_have_value("12")
    set_draft(page, "text: '[[auto]]'")
    expect(page.get_by_text("Steps: as many as masks")).to_be_visible()
    expect(box).to_have_value("")


def test_the_die_draws_another_seed(page: Page):
    seen = [draft(page, "seed")]
    for _ in range(5):
        page.get_by_role("button", name="New seed").click()
        seen.append(draft(page, "seed"))
        expect(page.locator("#pg-seed")).to_have_value(str(seen[-1]))
    assert all(one != other for one, other in pairwise(seen))


def test_a_model_that_fails_says_so_and_is_tried_again(page: Page):
    page.evaluate("page.answers.other = [{ text: 'other: 1 of 9 MB' }, { error: 'other cannot be downloaded.' }]")
    page.get_by_label("Model").select_option("other")
    status = page.locator(".pg-model-status")
    expect(status).to_have_text("other: 1 of 9 MB")
    expect(page.get_by_text("model: Another")).to_be_visible()
    expect(status).to_have_text("other cannot be downloaded.")
    assert draft(page, "model") == "other"
    page.get_by_role("button", name="Try again").click()
    expect(status).to_have_text("other is ready.")
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_a_list_of_models_that_fails_does_not_keep_the_model_waiting(page: Page):
    page.evaluate("page.answers.list = { error: 'There is no list.' }")
    page.evaluate(
        "createSettings(document.body.appendChild(document.createElement('div')), SETUP, page.store, page.calls)"
    )
    again = page.locator(".pg-settings").last
    expect(again.locator(".pg-model-status")).to_have_text("There is no list. bundled is ready.")
    page.evaluate("delete page.answers.list")
    again.get_by_role("button", name="Try again").click()
    expect(again.locator(".pg-model-status")).to_have_text("bundled is ready.")
    expect(again.locator("#pg-set-model option")).to_have_count(2)


def test_no_style_names_the_dark_class_twice_in_one_list():
    """Gradio puts its container before each selector of a list, but moves only the first dark class before that."""
    for selectors in re.findall(r"([^{}]+)\{", re.sub(r"/\*.*?\*/", "", joined.style(), flags=re.DOTALL)):
        assert selectors.count(".dark") <= 1, selectors


def test_keys_act_except_where_one_types(page: Page):
    page.locator("body").press("ArrowRight")
    page.keyboard.press("2")
    page.keyboard.press(" ")
    for typing in ("#text", "#pg-seed", ".pg-slider >> nth=0"):
        page.locator(typing).focus()
        for key in ("m", "ArrowLeft", "3", " ", "?"):
            page.keyboard.press(key)
        page.keyboard.press("Control+Enter")
        page.keyboard.press("Escape")
    assert page.evaluate("page.did") == [["step", 1], ["candidate", 1], "play", *["fill", "stop"] * 3]


def test_a_space_on_a_button_presses_it_and_plays_nothing(page: Page):
    page.get_by_role("button", name="New seed").focus()
    page.keyboard.press(" ")
    assert draft(page, "seed") != 0
    assert page.evaluate("page.did") == []


def test_the_list_of_keys_opens_and_closes(page: Page):
    page.locator("body").press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("Fill the gaps")
    page.keyboard.press("m")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.evaluate("page.did") == []
