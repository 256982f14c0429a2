"""Faults that the page once had, each as a test, and the odds and ends of typing; in headless Chromium."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import pytest

pytest.importorskip("playwright", reason="playwright is a development requirement")
from playwright.sync_api import Browser, expect

import models
from app.ui.pool import ModelPool
from models.checkpoints.placement import Offer
from models.denoiser import Denoiser
from models.serve.lazy import LazyDenoiser
from tests.ui.person import Person, a_person
from tests.ui.visitor import Visitor

pytestmark = pytest.mark.browser


# ---- runs ----


def test_fill_during_a_run_is_not_dropped_in_silence(me: Person, denoiser) -> None:
    me.set_text("Once [[20]] the end.")
    denoiser.delay = 0.1
    me.press_fill()
    me.wait_for_step(2)
    expect(me.part("fill")).to_have_text("Stop")
    me.page.keyboard.press("Control+Enter")
    me.says("A run goes on; stop it first")
    me.page.keyboard.press("Escape")
    me.wait_until("stopped")


def test_stop_is_not_armed_while_nothing_runs(me: Person, denoiser) -> None:
    me.set_text("Once [[3]] the end.")
    expect(me.part("fill")).to_have_text("Fill")
    expect(me.page.get_by_role("button", name="Stop")).to_have_count(0)
    me.part("passage").press("Escape")
    me.fill()
    expect(me.page.get_by_role("button", name="Stop")).to_have_count(0)
    assert me.text() == "Once abc the end."


def test_a_run_stopped_before_it_had_a_name_does_not_go_on(me: Person, denoiser) -> None:
    me.set_text("Once [[40]] the end.")
    denoiser.hold_after(1)
    me.page.evaluate("""() => {
        document.querySelector('[data-part=fill]').click();
        requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector('[data-part=fill]').click()));
    }""")
    me.says("Stopped before it began")
    me.page.wait_for_timeout(3000)  # by then the server knows
    denoiser.go_on()
    me.page.wait_for_timeout(600)
    assert denoiser.forwards <= 2
    denoiser.delay = 0
    me.fill()


def test_seven_tabs_of_one_browser_all_fill(browser: Browser, address: str, denoiser) -> None:
    """A browser opens six connections to a server: a page that held one would leave the seventh tab waiting."""
    denoiser.script = b"abc"
    context = browser.new_context()
    tabs = [Person(context.new_page()) for _ in range(7)]
    for tab in tabs:
        tab.go(address)
    for tab in tabs:
        tab.set_text("Once [[3]] the end.")
        tab.press_fill()
    for tab in tabs:
        tab.page.bring_to_front()
        expect(tab.card("A").locator(".pg-card-facts")).to_contain_text("complete")
        tab.wait_until("complete")
        assert tab.text() == "Once abc the end."
    context.close()


def test_a_model_that_cannot_be_downloaded_says_so_and_can_be_tried_again(browser: Browser) -> None:
    from app.ui.page import build, launch_options

    failures = ["<b>it</b> cannot be downloaded: connect to the network"]

    def load() -> Denoiser:
        if failures:
            raise ValueError(failures.pop())
        return models.load("toy")

    page = build(ModelPool(LazyDenoiser(load)))
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    with a_person(browser, address) as me:
        me.set_text("the cat [[3]] sat")
        for _ in range(2):  # the settings may ask for the model first, and hear of the failure
            me.press_fill()
            expect(me.part("fill")).to_have_text("Fill")
            if me.part("said").inner_text():
                me.says("<b>it</b> cannot be downloaded: connect to the network")
                break
        me.fill()
    page.close(verbose=False)


def test_another_model_is_loaded_when_it_is_chosen_and_nobody_waits_for_it(browser: Browser, serve) -> None:
    go_on = threading.Event()

    def load(name: str, *, progress: Callable[[int, int], None]) -> Denoiser:
        progress(120_000_000, 480_000_000)
        assert go_on.wait(60)
        if name == "absent":
            raise ValueError("<b>absent</b> cannot be downloaded: connect to the network")
        return models.load("toy")

    offers = [Offer(name=name, settings={}, about="a test", gigabytes=0.5) for name in ("large", "absent")]
    address = serve(pool={"offers": lambda: offers, "load": load})
    with a_person(browser, address) as me, a_person(browser, address) as other:
        form = me.open_settings()
        choice = form.get_by_label("Model", exact=True)
        expect(choice).to_contain_text("large: a test (0.5 GB)")
        choice.select_option("large")
        expect(form).to_contain_text("large is being downloaded: 120 of 480 MB.")
        assert "model: large: a test (0.5 GB)" in me.chips()
        me.set_text("the cat [[3]] sat")
        me.press_fill()
        expect(me.part("verdict")).to_contain_text("being downloaded")
        other.set_text("Once [[3]] the end.")
        other.fill()  # with the page's first model, meanwhile
        go_on.set()
        me.wait_until("complete")
        choice.select_option("absent")
        expect(form).to_contain_text("<b>absent</b> cannot be downloaded: connect to the network")
        me.press_fill()
        me.says("<b>absent</b> cannot be downloaded")
        me.page.get_by_role("button", name=re.compile("Remove: model")).click()
        me.set_text("Once [[3]] the end.")
        me.fill()


def test_where_there_is_but_one_model_there_is_nothing_to_choose(me: Person) -> None:
    form = me.open_settings()
    expect(form.locator("[data-field]").first).to_be_visible()
    assert not form.get_by_role("combobox", name="Model").is_visible()


def test_waiting_for_the_model_is_said(me: Person, denoiser) -> None:
    me.set_text("Once [[2]] the end.")
    denoiser.delay = 0.5
    me.page.evaluate(
        """() => {
            window.said = [];
            const watched = document.querySelector('[data-part=verdict]');
            new MutationObserver(() => window.said.push(watched.textContent))
                .observe(watched, { childList: true, characterData: true, subtree: true });
        }"""
    )
    me.fill()
    assert me.page.evaluate("window.said")[0].startswith("Waiting for the model")


def test_a_refusal_shows_the_old_run_again_and_the_message_stands(me: Person) -> None:
    me.set_text("Once [[3]] the end.")
    me.fill()
    me.set_text("Twice\x07 [[3]] the end.")
    expect(me.passage).to_have_class(re.compile("pg-stale"))
    expect(me.part("verdict")).to_contain_text("have changed since this run")
    me.press_fill()
    me.says("control character")
    expect(me.card("A")).to_be_visible()
    expect(me.cards.filter(has_text="waiting")).to_have_count(0)
    me.page.wait_for_timeout(500)
    me.says("control character")
    assert me.root.get_attribute("data-ended") == "complete"
    me.card("A").get_by_role("button", name="Show A").click()
    me.settle()
    assert me.text() == "Once abc the end."
    expect(me.passage).not_to_have_class(re.compile("pg-stale"))


def test_a_setting_that_changes_marks_the_run_and_its_way_back_unmarks_it(me: Person) -> None:
    me.set_text("Once [[3]] the end.")
    me.fill()
    expect(me.passage).not_to_have_class(re.compile("pg-stale"))
    me.open_settings().get_by_label("Temperature", exact=True).fill("0.3")
    expect(me.passage).to_have_class(re.compile("pg-stale"))
    me.page.get_by_role("button", name="Remove: temperature 0.3").click()
    expect(me.passage).not_to_have_class(re.compile("pg-stale"))


def test_a_run_is_paused_makes_one_step_and_goes_on(me: Person, denoiser) -> None:
    me.set_text("Once [[12]] the end.")
    denoiser.delay = 0.15
    denoiser.hold_after(2)
    me.press_fill()
    me.wait_for_step(2)
    me.page.get_by_role("button", name="Pause run").click()
    denoiser.go_on()
    expect(me.part("verdict")).to_contain_text("Paused")
    expect(me.card("A").locator(".pg-card-facts")).to_contain_text("paused")
    me.page.wait_for_timeout(700)
    held, spent = me.step, denoiser.forwards
    me.page.wait_for_timeout(500)
    assert (me.step, denoiser.forwards) == (held, spent)
    me.page.get_by_role("button", name="One step", exact=True).click()
    me.wait_for_step(held + 1)
    me.page.wait_for_timeout(500)
    assert me.step == held + 1
    assert denoiser.forwards == spent + 1
    denoiser.delay = 0
    me.page.get_by_role("button", name="Go on").click()
    me.wait_until("complete")
    expect(me.counters).to_contain_text("12 passes")
    assert denoiser.forwards == 12
    assert me.text() == "Once abcdefghijkl the end."


# ---- settings ----


def test_every_setting_reaches_the_request(me: Person, address: str) -> None:
    """Sets every field of the form to another value than the start's and looks at what is sent."""
    me.set_text("Once [[3]] the end.")
    form = me.open_settings()
    sent: list[dict] = []
    me.page.on("request", lambda request: sent.append(request.post_data_json) if "queue/join" in request.url else None)
    names = []
    for field in form.locator("[data-field]").all():
        name = str(field.get_attribute("data-field"))
        names.append(name)
        if (box := field.locator("input[type=number]")).count():
            box.fill({"top_p": "0.5", "seed": "3", "blocks": "2"}.get(name, "1.5"))
        elif (box := field.locator("input[type=checkbox]")).count():
            box.set_checked(not box.is_checked())
        elif (box := field.locator("input[type=radio]")).count():
            field.locator("input[type=radio]:not(:checked)").first.check()
        elif (box := field.locator("select")).count():
            options = box.locator("option").evaluate_all("all => all.map((each) => each.value)")
            box.select_option(next(each for each in options if each != box.input_value()))
        else:
            field.locator("input").fill("kitten, Tom")
    assert {"temperature", "top_p", "guidance", "guided_by", "banned", "one_line"} <= set(names)
    me.press_fill()
    expect(me.part("fill")).to_have_text("Fill")
    (asked,) = [data["event_data"]["runs"] for data in sent if "runs" in (data.get("event_data") or {})]
    request = asked[0]["request"]
    visitor = Visitor(address)
    setup = visitor.setup
    visitor.close()
    knobs = next(each["knobs"] for each in setup["strategies"] if each["name"] == request["strategy"])
    start = setup["draft"] | {knob["name"]: knob["default"] for knob in knobs}
    values = request | request["knobs"]
    same = [name for name in names if values[name] == start[name]]
    assert same == []
    assert request["banned"] == ["kitten", "Tom"]
    assert len(me.chips()) >= len(names) - 1  # the seed stands in sight anyway


def test_bans_one_line_and_guidance_are_heeded(me: Person, denoiser) -> None:
    denoiser.script = b" ab\n"
    me.set_text("Once [[4]] the end.")
    form = me.open_settings()
    form.get_by_label("Banned words", exact=True).fill("ab, Tom")
    form.get_by_label("One line only", exact=True).check()
    form.get_by_label("Temperature", exact=True).fill("0")
    form.get_by_label("Guidance", exact=True).fill("1")
    me.fill()
    assert "\n" not in me.text()
    assert "ab" not in me.text()
    expect(me.counters).to_contain_text("8 passes")
    expect(me.counters).to_contain_text("in 4 calls")


def test_an_example_resets_bans_guidance_and_seed(me: Person) -> None:
    examples = me.page.locator("[data-example]")
    if not examples.count():
        pytest.skip("there is no recorded example")
    form = me.open_settings()
    form.get_by_label("Banned words", exact=True).fill("kitten")
    form.get_by_label("Guidance", exact=True).fill("2")
    me.page.locator("#pg-seed").fill("77")
    assert {"ban: kitten", "guidance 2"} <= set(me.chips())
    examples.nth(1).click()
    expect(examples.nth(1)).to_have_attribute("aria-pressed", "true")
    assert not {"ban: kitten", "guidance 2"} & set(me.chips())
    expect(me.page.locator("#pg-seed")).not_to_have_value("77")
    expect(form.get_by_label("Banned words", exact=True)).to_have_value("")
    expect(me.part("verdict")).to_contain_text("Recorded: no model runs.")


def test_the_landing_plays_by_itself_until_it_is_touched(browser: Browser, address: str, denoiser) -> None:
    with a_person(browser, address) as me:
        if not me.page.locator("[data-example]").count():
            pytest.skip("there is no recorded example")
        me.wait_for_step(2)
        assert denoiser.forwards == 0
        me.page.keyboard.press("End")
        me.settle()
        stands = me.step
        me.page.wait_for_timeout(2500)
        assert me.step == stands
    with a_person(browser, address, reduced_motion="reduce") as still:
        still.page.wait_for_timeout(500)
        expect(still.passage.locator(".pg-masked")).to_have_count(0)


def test_a_chip_removes_what_differs_from_the_start(me: Person) -> None:
    form = me.open_settings()
    form.get_by_label("Guidance", exact=True).fill("2")
    form.get_by_label("Temperature", exact=True).fill("0.3")
    warmer = me.page.get_by_role("button", name="Remove: temperature 0.3")
    expect(warmer).to_be_visible()
    me.page.get_by_role("button", name="Remove: guidance 2").click()
    expect(form.get_by_label("Guidance", exact=True)).to_have_value("0")
    expect(me.page.get_by_role("button", name="Remove: guidance 2")).to_have_count(0)
    expect(warmer).to_be_visible()


def test_named_settings_of_an_order_set_its_knobs(browser: Browser, serve) -> None:
    levels = {"threshold": {"safe": {"tau": 0.95}, "fast": {"tau": 0.4}}}
    with a_person(browser, serve(presets=levels)) as me:
        me.part("order").click()
        me.page.get_by_label("Filter the orders").fill("2505.22618")
        me.page.get_by_role("option", name="· threshold").click()
        form = me.open_settings()
        form.get_by_label("Values", exact=True).select_option("fast")
        expect(form.get_by_label("Tau", exact=True)).to_have_value("0.4")
        assert "tau 0.4" in me.chips()


# ---- typing ----


def test_brackets_that_are_typed_are_text_wherever_they_go(me: Person, denoiser) -> None:
    me.write("A [[3]] and \\[[ here GAP end [[auto]].")
    assert me.cells.count() == 0
    me.select("GAP")
    me.tool("gap")
    me.page.get_by_label("Masks in the gap").fill("2")
    me.page.keyboard.press("Enter")
    me.fill()
    typed = "A [[3]] and \\[[ here ab end [[auto]]."
    assert me.text() == typed
    written = me.template()
    assert me.cells.count() == 2
    me.tool("raw")
    me.tool("raw")
    assert me.text() == typed
    assert me.template() == written
    me.wait_saved()
    me.page.reload()
    me.wait_until("complete")
    assert me.text() == typed
    assert me.template() == written


def test_undo_and_redo_go_through_typing_and_gaps(me: Person) -> None:
    me.write("Once there was the end.")
    me.select("there was")
    me.tool("gap")
    assert me.template() == "Once [[3]] the end."
    me.page.get_by_label("Masks in the gap").hover()
    me.page.get_by_role("button", name="Remove the gap").click()
    assert "[[" not in me.template()
    without = me.template()
    me.page.keyboard.press("Control+z")
    assert me.template() == "Once [[3]] the end."
    me.page.keyboard.press("Control+z")
    assert me.template() == "Once there was the end."
    me.page.keyboard.press("Control+z")
    assert me.template() == "Once there was the end"
    for wanted in ("Once there was the end.", "Once [[3]] the end.", without):
        me.page.keyboard.press("Control+Shift+z")
        assert me.template() == wanted


def test_rich_text_is_pasted_as_plain_text(me: Person) -> None:
    me.write("")
    me.page.evaluate(
        """async () => navigator.clipboard.write([new ClipboardItem({
            'text/html': new Blob(['<b id="injected">bold</b><br>new <i>line</i>'], { type: 'text/html' }),
            'text/plain': new Blob(['bold\\r\\nnew line'], { type: 'text/plain' }),
        })])"""
    )
    me.passage.focus()
    me.page.keyboard.press("Control+v")
    expect(me.part("raw")).to_have_value("bold\nnew line")
    assert me.passage.locator("b, i").count() == 0
    me.page.keyboard.type("!")
    assert me.template() == "bold\nnew line!"


def test_enter_makes_one_line_break(me: Person) -> None:
    me.write("One\nTwo\n\nFour")
    assert me.template() == "One\nTwo\n\nFour"
    assert me.passage.inner_text().rstrip("\n") == "One\nTwo\n\nFour"


def test_one_types_behind_a_gap_at_the_end_and_between_two_gaps(me: Person) -> None:
    me.set_text("Once [[3]]")
    me.passage.focus()
    me.page.keyboard.press("Control+End")
    me.page.keyboard.type(" end")
    assert me.template() == "Once [[3]] end"
    me.set_text("[[2]] [[3]]")
    me.page.evaluate(
        """() => {
            const box = document.querySelector('[data-part=passage]');
            box.focus();
            const between = [...box.childNodes].find((node) => node.nodeType === Node.TEXT_NODE && node.data === ' ');
            document.getSelection().collapse(between, 1);
        }"""
    )
    me.page.keyboard.type("x ")
    assert me.template() == "[[2]] x [[3]]"
    me.fill()
    assert me.text().startswith("ab x ")


def test_one_types_in_front_of_a_gap_at_the_start(me: Person) -> None:
    me.set_text("[[3]] the end")
    me.passage.focus()
    me.page.keyboard.press("Control+Home")
    me.page.keyboard.type("Once ")
    assert me.template() == "Once [[3]] the end"


def test_a_gap_is_deleted_by_backspace_and_comes_back(me: Person) -> None:
    me.set_text("Once [[3]] the end.")
    me.put_caret_after("Once ")
    me.page.keyboard.press("Delete")
    assert me.template() == "Once  the end."
    me.page.keyboard.press("Control+z")
    assert me.template() == "Once [[3]] the end."
    expect(me.cells).to_have_count(3)


def test_an_auto_gap_goes_to_a_number_and_back(me: Person) -> None:
    me.set_text("Once [[3]] the end.")
    me.page.get_by_label("Masks in the gap").press("a")
    assert me.template() == "Once [[auto]] the end."
    me.page.get_by_label("Masks in the gap").fill("999")
    me.page.keyboard.press("Enter")
    assert me.template() == "Once [[128]] the end."
    me.says("A gap has 1 to 128 masks")


# ---- the rest ----


def test_the_list_of_keys_opens_and_every_key_of_a_replay_works(me: Person) -> None:
    me.set_text("Once [[6]] the end.")
    me.fill()
    me.page.evaluate("document.activeElement.blur()")
    me.page.keyboard.press("?")
    expect(me.page.locator("dialog.pg-keys")).to_be_visible()
    me.page.keyboard.press("Escape")
    expect(me.page.locator("dialog.pg-keys")).to_be_hidden()
    for key, step in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 6)):
        me.page.keyboard.press(key)
        me.settle()
        assert me.step == step, key
    me.page.keyboard.press("ArrowDown")
    me.settle()
    me.page.keyboard.press("ArrowDown")
    expect(me.part("why").locator(".wy-heading")).to_contain_text("Position 2")
    me.page.keyboard.press("ArrowUp")
    expect(me.part("why").locator(".wy-heading")).to_contain_text("Position 1")
    me.page.keyboard.press("f")
    expect(me.part("present")).to_have_attribute("aria-pressed", "true")
    me.page.keyboard.press("f")
    expect(me.part("present")).to_have_attribute("aria-pressed", "false")


def test_letters_that_are_typed_are_no_keys(me: Person) -> None:
    me.write("fml 12? ")
    assert me.template() == "fml 12? "
    expect(me.part("present")).not_to_have_attribute("aria-pressed", "true")
    expect(me.page.locator("dialog.pg-keys")).to_be_hidden()


def test_parts_of_the_page_are_hidden_by_the_address(browser: Browser, address: str) -> None:
    with a_person(browser, f"{address}?hide=tray,map,nonsense") as me:
        expect(me.part("tray")).to_be_hidden()
        expect(me.part("map")).to_be_hidden()
        expect(me.passage).to_be_visible()
        me.says("nonsense")


def test_unfamiliar_text_is_warned_about_before_it_is_filled(browser: Browser, serve) -> None:
    from app.ui.page import build, launch_options

    page = build(ModelPool(LazyDenoiser(lambda: models.load("bundled")), name="bundled"))
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    with a_person(browser, address) as me:
        me.set_text("小猫在花园里玩 [[6]] 小狗也来了。")
        expect(me.part("notices")).to_be_visible()
        expect(me.part("fill")).to_have_text("Fill")
        me.set_text("Tom lost his ball. [[6]] Tom was happy.")
        expect(me.part("notices")).to_be_hidden()
    page.close(verbose=False)
