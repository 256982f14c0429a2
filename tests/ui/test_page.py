"""The page as a visitor uses it, in headless Chromium."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright", reason="playwright is a development requirement")
from playwright.sync_api import Browser, Page, expect

import models
from app.trace import recording
from models.checkpoints.placement import Offer
from models.denoiser import Denoiser

expect.set_options(timeout=20_000)

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    yield from opened(browser, address)


def opened(browser: Browser, address: str, **settings: object) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 1000}, **settings)  # pyright: ignore
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
    page.goto(address)
    page.wait_for_selector("#fill")
    page.wait_for_selector("[data-part=root]")
    yield page
    assert not problems
    context.close()


def part(page: Page, name: str):
    return page.locator(f"[data-part={name}]")


def type_in(page: Page, prefix: str, suffix: str, masks: int = 16, steps: int | None = None) -> None:
    page.get_by_role("textbox", name="Prefix").fill(prefix)
    page.get_by_role("textbox", name="Suffix").fill(suffix)
    for name, value in (("Number of masks", masks), ("Step budget", steps or masks)):
        box = page.get_by_role("spinbutton", name=f"number input for {name}")
        box.fill(str(value))
        box.press("Tab")


def fill(page: Page, ending: str = "complete") -> None:
    page.click("#fill")
    wait_until(page, ending)


def wait_until(page: Page, ending: str) -> None:
    page.wait_for_selector(f"[data-part=root][data-ended='{ending}']", timeout=30_000)


def wait_for_step(page: Page, number: int) -> None:
    page.wait_for_function(f"Number(document.querySelector('[data-part=root]').dataset.step) >= {number}")


def shown_text(page: Page) -> str:
    """What the text box shows to the eye: the invisible spans that only give slots their width are left out."""
    return page.evaluate(
        """() => {
            const copy = document.querySelector('[data-part=text]').cloneNode(true);
            copy.querySelectorAll('.dv-size, .dv-when').forEach((each) => each.remove());
            return copy.textContent;
        }"""
    )


def places(page: Page) -> list[list[int]]:
    """Where every position of the gap stands and how large it is."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.dv-slot')].map(
            (each) => [each.offsetLeft, each.offsetTop, each.offsetWidth, each.offsetHeight])"""
    )


def test_fill_streams_every_step_to_a_text_that_joins_up(page: Page) -> None:
    type_in(page, "Once", "the end.", masks=12)
    fill(page)
    assert shown_text(page) == "Once abcdefghijk the end."
    expect(part(page, "step")).to_have_text("12")
    expect(part(page, "nfe")).to_have_text("12")
    expect(part(page, "masks")).to_have_text("0")
    expect(part(page, "live")).to_contain_text("The gap reads: abcdefghijk")


def test_after_a_refused_request_the_page_says_what_it_said_before(page: Page) -> None:
    said = part(page, "ended").inner_text()
    gaps = page.get_by_placeholder("Tom went to the [[3]]")
    gaps.fill("a [[0]] b")
    page.click("#fill")
    expect(page.locator(".toast-body")).to_contain_text("a gap must have 1 to 128 masks")
    expect(part(page, "ended")).to_have_text(said)
    gaps.fill("")
    type_in(page, "Once", "the end.", masks=4)
    fill(page)
    said = part(page, "ended").inner_text()
    gaps.fill("a [[0]] b")
    page.click("#fill")
    expect(page.locator(".toast-body")).to_contain_text("(2)")
    expect(part(page, "ended")).to_have_text(said)


def test_masks_wait_visibly_and_a_fresh_token_stands_out_while_a_run_goes_on(page: Page, denoiser) -> None:
    type_in(page, "Once", "the end.", masks=10)
    denoiser.delay = 0.25
    page.click("#fill")
    wait_for_step(page, 3)
    assert 1 <= page.locator(".dv-masked").count() <= 7
    assert page.locator(".dv-fresh").count() == 1
    expect(part(page, "ended")).to_contain_text("running")
    assert part(page, "root").get_attribute("data-ended") == "running"
    before = places(page)
    wait_for_step(page, 6)
    assert places(page) == before, "a step moved the text"
    wait_until(page, "complete")


def test_stop_stops_the_next_forward_pass_and_what_is_there_stays(page: Page, denoiser) -> None:
    type_in(page, "Once", "the end.", masks=20)
    denoiser.delay = 0.3
    page.click("#fill")
    wait_for_step(page, 3)
    page.click("#stop")
    wait_until(page, "stopped")
    spent = denoiser.forwards
    time.sleep(1)
    assert denoiser.forwards <= spent + 1 < 20
    assert shown_text(page).startswith("Once ab")
    assert page.locator(".dv-masked").count() > 0
    part(page, "scrubber").press("Home")
    expect(part(page, "step")).to_have_text("0")
    denoiser.delay = 0
    fill(page)  # the page is still usable
    assert shown_text(page).startswith("Once abcdef")


def test_closing_the_tab_ends_the_run(browser: Browser, address: str, denoiser) -> None:
    for page in opened(browser, address):
        type_in(page, "Once", "the end.", masks=20)
        denoiser.delay = 0.3
        page.click("#fill")
        wait_for_step(page, 2)
    time.sleep(0.8)
    spent = denoiser.forwards
    time.sleep(1)
    assert denoiser.forwards == spent < 20


def test_the_time_limit_ends_the_run(browser: Browser, serve: Callable[..., str], denoiser) -> None:
    for page in opened(browser, serve(time_limit=0.5)):
        type_in(page, "Once", "the end.", masks=20)
        denoiser.delay = 0.2
        fill(page, "time limit")
        assert denoiser.forwards == 3
        expect(part(page, "ended")).to_contain_text("time limit")


def test_every_step_is_scrubbed_forwards_and_backwards_with_the_keyboard(page: Page) -> None:
    type_in(page, "Once", "the end.", masks=8)
    fill(page)
    scrubber = part(page, "scrubber")
    scrubber.focus()
    for left in range(1, 9):
        page.keyboard.press("ArrowLeft")
        expect(part(page, "masks")).to_have_text(str(left))
        assert page.locator(".dv-masked").count() == left
    page.keyboard.press("ArrowRight")
    expect(part(page, "step")).to_have_text("1")
    page.keyboard.press("End")
    expect(part(page, "step")).to_have_text("8")
    slot = page.locator(".dv-slot").first
    slot.focus()
    page.keyboard.press("ArrowUp")
    expect(part(page, "step")).to_have_text("7")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.place") == "1"


def test_replay_plays_from_the_start_to_the_end_without_the_model(page: Page, denoiser) -> None:
    type_in(page, "Once", "the end.", masks=6)
    fill(page)
    spent = denoiser.forwards
    part(page, "speed").select_option("30")
    part(page, "play").click()
    expect(part(page, "play")).to_have_attribute("aria-label", "Pause")
    expect(part(page, "play")).to_have_attribute("aria-label", "Play", timeout=5000)
    expect(part(page, "step")).to_have_text("6")
    assert denoiser.forwards == spent


def test_no_scrubbed_step_moves_the_text(page: Page) -> None:
    type_in(page, "Once upon a time there was", "and they all lived happily. " * 8, masks=30)
    fill(page)

    expected = places(page)
    for key in ("Home", "ArrowRight", "ArrowRight", "End"):
        part(page, "scrubber").press(key)
        page.wait_for_timeout(50)
        assert places(page) == expected


def test_hovering_shows_the_candidates_of_that_step(page: Page) -> None:
    type_in(page, "Once", "the end.", masks=5)
    fill(page)
    part(page, "scrubber").press("Home")
    part(page, "scrubber").press("ArrowRight")
    page.locator(".dv-slot").nth(2).hover()
    expect(part(page, "about")).to_contain_text("Position 3 in step 1: still masked")
    rows = part(page, "rows").locator("tr")
    expect(rows).to_have_count(5)
    expect(rows.first.locator("th")).to_have_text("b")
    shares = [float(cell.inner_text().rstrip("%")) for cell in rows.locator("td").all()]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 50
    page.locator(".dv-slot").nth(0).hover()
    expect(part(page, "about")).to_contain_text("committed in step 1")
    expect(rows.first.locator("th")).to_have_text("␣")


def test_a_trace_is_downloaded_opened_again_and_replayed_without_a_model(page: Page, denoiser, tmp_path) -> None:
    type_in(page, "Once", "the end.", masks=7)
    fill(page)
    with page.expect_download() as download:
        part(page, "download").click()
    file = tmp_path / "trace.json"
    download.value.save_as(file)
    assert json.loads(file.read_text())["text"] == "Once abcdef the end."
    page.reload()
    page.wait_for_selector("[data-part=root]")
    spent = denoiser.forwards
    page.locator("#open-trace input, input[type=file]").first.set_input_files(file)
    wait_until(page, "complete")
    assert shown_text(page) == "Once abcdef the end."
    part(page, "scrubber").press("ArrowLeft")
    expect(part(page, "masks")).to_have_text("1")
    page.locator(".dv-slot").nth(1).hover()
    expect(part(page, "rows").locator("th").first).to_have_text("a")
    assert denoiser.forwards == spent


def test_a_broken_trace_gives_a_message_and_the_page_stays_usable(page: Page, tmp_path) -> None:
    file = tmp_path / "broken.json"
    file.write_text(json.dumps({"format": recording.FORMAT, "version": recording.VERSION}))
    page.locator("#open-trace input, input[type=file]").first.set_input_files(file)
    expect(page.get_by_text("this trace is broken")).to_be_visible()
    type_in(page, "Once", "the end.", masks=3)
    fill(page)


def test_copy_text_copies_the_whole_text(page: Page) -> None:
    type_in(page, "Once ", "the end.", masks=4)
    fill(page)
    part(page, "copy").click()
    expect(part(page, "status")).to_have_text("Text copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "Once abc the end."


HOSTILE = "<b id='injected'>x</b> ${alert(1)} {{value}} C:\\new <img src=x onerror=alert(1)>"


def test_html_and_templates_in_the_text_are_shown_as_they_are(page: Page, denoiser) -> None:
    denoiser.script = b" <i>${1}</i>"
    type_in(page, HOSTILE, HOSTILE, masks=12)
    fill(page)
    assert shown_text(page) == f"{HOSTILE} <i>${{1}}</i>{HOSTILE}"
    assert page.locator("#injected").count() == 0
    page.locator(".dv-slot").nth(1).hover()
    expect(part(page, "rows").locator("th").first).to_have_text("<")
    page.get_by_role("tab", name="Unmasking order").click()
    expect(page.locator("#plot-unmasking_order .point").first).to_be_visible()
    assert page.locator("#plot-unmasking_order i").count() == 0


def test_characters_that_are_spread_over_tokens_are_shown_whole(page: Page, denoiser) -> None:
    denoiser.script = " 😀é".encode()
    type_in(page, "سلام", "שלום", masks=7)
    fill(page)
    text = shown_text(page)
    assert "😀" in text
    assert "é" in text
    assert "\ufffd" not in text
    assert text.startswith("سلام")
    assert text.endswith("שלום")


def test_bad_input_gives_a_message_and_keeps_what_was_typed(page: Page) -> None:
    type_in(page, "Once\x07 upon", "the end.", masks=4)
    page.click("#fill")
    expect(page.get_by_text("control character U+0007")).to_be_visible()
    assert "upon" in page.get_by_role("textbox", name="Prefix").input_value()
    expect(page.get_by_role("textbox", name="Suffix")).to_have_value("the end.")
    type_in(page, "Once", "the end.", masks=4)
    fill(page)


def test_text_past_the_context_is_said_to_be_cut(page: Page) -> None:
    type_in(page, "a" * 600, "b" * 600, masks=4)
    fill(page)
    expect(part(page, "notices")).to_contain_text("of the prefix were left out")
    expect(part(page, "notices")).to_contain_text("of the suffix were left out")


def test_an_example_fills_in_the_boxes_and_runs(page: Page) -> None:
    page.get_by_role("button", name="infill:").first.click()
    expect(page.get_by_role("textbox", name="Prefix")).not_to_have_value("")
    expect(page.get_by_role("textbox", name="Suffix")).not_to_have_value("")
    fill(page)


def test_choosing_a_strategy_shows_its_own_knobs_and_uses_them(page: Page) -> None:
    type_in(page, "Once", "the end.", masks=12)
    page.get_by_label("Strategy", exact=True).click()
    page.get_by_role("option", name="threshold", exact=True).click()
    knob = page.get_by_role("spinbutton", name="number input for tau")
    expect(knob).to_be_visible()
    expect(page.locator(".about-strategy").first).to_contain_text("arXiv:2505.22618")
    knob.fill("0")
    knob.press("Tab")
    fill(page)
    expect(part(page, "step")).to_have_text("1")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_figures_are_drawn_when_their_tabs_are_opened_and_redrawn_after_a_run(
    browser: Browser, address: str, theme: str
) -> None:
    for page in opened(browser, f"{address}?__theme={theme}"):
        type_in(page, "Once", "the end.", masks=5)
        fill(page)
        assert page.locator(".js-plotly-plot").count() == 0
        page.get_by_role("tab", name="Unmasking order").click()
        points = page.locator("#plot-unmasking_order .point")
        expect(points).to_have_count(5)
        for plot in ("confidence_map", "entropy_map", "masks_left"):
            page.get_by_role("tab", name=plot.replace("_", " ").capitalize()).click()
            expect(page.locator(f"#plot-{plot} .js-plotly-plot .main-svg").first).to_be_visible()
        expect(page.locator("#plot-masks_left .point")).to_have_count(6)
        type_in(page, "Once", "the end.", masks=9)
        fill(page)
        expect(page.locator("#plot-masks_left .point")).to_have_count(10)
        ink = page.locator("#plot-masks_left .gtitle").evaluate("each => getComputedStyle(each).fill")
        red = int(ink.removeprefix("rgb(").split(",")[0])
        assert (red > 128) == (theme == "dark")


def test_a_narrow_screen_needs_no_sideways_scrolling(browser: Browser, address: str) -> None:
    for page in opened(browser, address):
        page.set_viewport_size({"width": 375, "height": 740})
        type_in(page, "Once upon a time", "the end.", masks=40)
        fill(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        right = page.evaluate(
            "() => Math.max(...[...document.querySelectorAll('.dv *')].map((e) => e.getBoundingClientRect().right))"
        )
        assert right <= 375
        page.locator(".dv-slot").nth(3).click()
        expect(part(page, "rows").locator("tr").first).to_be_visible()


def test_the_page_asks_no_other_host_for_anything(browser: Browser, address: str) -> None:
    hosts = set()
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.goto(address)
    page.wait_for_selector("#fill")
    type_in(page, "Once", "the end.", masks=3)
    fill(page)
    page.get_by_role("tab", name="Confidence map").click()
    page.wait_for_selector("#plot-confidence_map .js-plotly-plot")
    context.close()
    assert hosts - {None} == {urlsplit(address).hostname}


def test_everything_can_be_reached_and_named_without_a_mouse(page: Page) -> None:
    type_in(page, "Once", "the end.", masks=3)
    fill(page)
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('.dv button, .dv select, .dv input, .dv-slot, .dv canvas')]
            .filter((each) => !(each.getAttribute('aria-label') || each.textContent.trim() || each.labels?.length))
            .map((each) => each.outerHTML)"""
    )
    assert unnamed == []
    page.get_by_role("textbox", name="Prefix").focus()
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("(({id, dataset, className}) => id || dataset.part || className)(document.activeElement)")
        )
    assert {
        "fill",
        "stop",
        "first",
        "back",
        "play",
        "forward",
        "last",
        "scrubber",
        "speed",
        "copy",
        "download",
    } <= reached
    assert any("dv-slot" in name for name in reached)


def test_text_without_spaces_stays_inside_a_narrow_page(browser: Browser, address: str, denoiser) -> None:
    denoiser.script = b"abcdefghij"
    for page in opened(browser, address):
        page.set_viewport_size({"width": 375, "height": 740})
        type_in(page, "Once", "the end.", masks=100, steps=4)
        fill(page)
        slots = "[...document.querySelectorAll('.dv-slot')].map((each) => each.getBoundingClientRect().right)"
        assert page.evaluate(f"() => Math.max(...{slots})") <= 375


def test_opening_a_trace_ends_the_run_that_goes_on(page: Page, denoiser, tmp_path) -> None:
    type_in(page, "Once", "the end.", masks=3)
    fill(page)
    with page.expect_download() as download:
        part(page, "download").click()
    file = tmp_path / "trace.json"
    download.value.save_as(file)
    type_in(page, "Twice", "the end.", masks=20)
    denoiser.delay = 0.3
    page.click("#fill")
    wait_until(page, "running")  # the run before has made more steps than are waited for
    wait_for_step(page, 2)
    page.locator("#open-trace input, input[type=file]").first.set_input_files(file)
    wait_until(page, "complete")
    time.sleep(1)
    assert shown_text(page) == "Once ab the end."
    spent = denoiser.forwards
    time.sleep(1)
    assert denoiser.forwards == spent


def test_a_crash_in_mid_run_leaves_what_came_before(page: Page, denoiser, monkeypatch) -> None:
    type_in(page, "Once", "the end.", masks=6)
    predict = denoiser.predict

    def broken(queries):
        if denoiser.forwards >= 2:
            raise RuntimeError("out of memory")
        return predict(queries)

    monkeypatch.setattr(denoiser, "predict", broken)
    page.click("#fill")
    wait_until(page, "stopped")
    expect(part(page, "step")).to_have_text("2")
    expect(part(page, "download")).to_be_enabled()
    monkeypatch.undo()
    fill(page)


def test_what_is_downloaded_after_stop_is_what_is_shown(page: Page, denoiser) -> None:
    type_in(page, "Once", "the end.", masks=20)
    denoiser.delay = 0.3
    page.click("#fill")
    wait_for_step(page, 2)
    page.click("#stop")
    wait_until(page, "stopped")
    time.sleep(1)
    with page.expect_download() as download:
        part(page, "download").click()
    trace = json.loads(download.value.path().read_text())
    assert trace["ended"] == "stopped"
    assert len(trace["steps"]) == int(part(page, "step").inner_text())


def test_waiting_for_the_model_is_said(page: Page, denoiser) -> None:
    type_in(page, "Once", "the end.", masks=2)
    denoiser.delay = 0.5
    page.evaluate(
        """() => {
            window.said = [];
            const watched = document.querySelector('[data-part=ended]');
            new MutationObserver(() => window.said.push(watched.textContent)).observe(watched, {childList: true});
        }"""
    )
    fill(page)
    assert page.evaluate("window.said")[0].startswith("waiting for the model")


def test_the_parent_fills_the_same_gap_from_the_prefix_alone_when_asked(browser, serve):
    for page in opened(browser, serve(parent=models.load_parent)):
        page.get_by_text("What seeing the suffix is worth").click()
        page.click("#ask-parent")
        expect(page.get_by_text("fill a gap first")).to_be_visible()
        type_in(page, "The <b>little</b> dog", "so he ran home.", masks=6)
        fill(page)
        page.click("#ask-parent")
        passages = page.locator("#parent-answer .dv-passage")
        expect(passages).to_have_count(3, timeout=90_000)  # torch and the parent are loaded first
        for passage in passages.all_inner_texts():
            assert passage.startswith("The <b>little</b> dog")
            assert passage.endswith("so he ran home.")
        fills = page.locator("#parent-answer mark").all_inner_texts()
        assert fills[0].startswith(" abcde"), "the first is the run on screen"
        assert fills[1] != fills[0]
        assert all(fills)


def test_another_model_is_loaded_when_it_is_chosen_and_nobody_waits_for_it(browser, serve):
    go_on = threading.Event()

    def load(name: str, *, progress: Callable[[int, int], None]) -> Denoiser:
        progress(120_000_000, 480_000_000)
        assert go_on.wait(60)
        if name == "absent":
            raise ValueError("<b>absent</b> cannot be downloaded: connect to the network")
        return models.load("toy")

    offers = [Offer(name=name, settings={}, about="a test", gigabytes=0.5) for name in ("large", "absent")]
    for page in opened(browser, serve(pool={"offers": lambda: offers, "load": load})):
        status = page.locator("#model-status")
        page.locator("#model input").click()
        page.get_by_role("option", name="large: a test (0.5 GB)").click()
        expect(status).to_contain_text("large is being downloaded: 120 of 480 MB.")
        page.click("#fill")
        expect(page.get_by_text("Fill again when it is ready, or choose another model.")).to_be_visible()
        for other in opened(browser, page.url):
            type_in(other, "Once", "the end.", masks=3)
            fill(other)  # with the page's first model, meanwhile
        go_on.set()
        expect(status).to_contain_text("toy is ready.")
        type_in(page, "the cat", "sat", masks=3)
        fill(page)
        page.locator("#model input").click()
        page.get_by_role("option", name="absent: a test").click()
        expect(status).to_contain_text("<b>absent</b> cannot be downloaded: connect to the network")


def test_where_there_is_but_one_model_there_is_nothing_to_choose(page):
    expect(page.locator("#model")).to_have_count(0)


def ask_for(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Or a text with several gaps").fill(text)


def test_a_text_with_several_gaps_is_filled_shown_and_scrubbed(page: Page) -> None:
    ask_for(page, "<b>Tom</b> [[3]], then [[6|2:big]] end.")
    fill(page)
    text = shown_text(page)
    expect(part(page, "live")).to_contain_text("The text reads: <b>Tom</b> ab, then")
    assert text.startswith("<b>Tom</b> ab, then")
    assert text.endswith(" end.")
    assert " big" in text
    pinned = page.locator(".dv-pinned")
    assert pinned.count() == 4
    expect(pinned.nth(1)).to_have_attribute("aria-label", "gap 2, position 3: b, given")
    expect(pinned.nth(1).locator(".dv-when")).to_have_text("given")
    assert pinned.nth(1).locator(".dv-token").evaluate("e => getComputedStyle(e).textDecorationStyle") == "double"
    pinned.nth(1).hover()
    expect(part(page, "about")).to_contain_text("Gap 2, position 3: “b”, given")
    expect(part(page, "table")).to_be_hidden()
    page.locator(".dv-slot").nth(8).hover()
    expect(part(page, "about")).to_contain_text("Gap 2, position 6 in step")
    expect(part(page, "table")).to_be_visible()
    part(page, "scrubber").press("Home")
    expect(part(page, "masks")).to_have_text("5")
    assert page.locator(".dv-masked").count() == 5
    assert page.locator(".dv-pinned").count() == 4
    part(page, "copy").click()
    expect(part(page, "status")).to_have_text("Text copied.")
    assert page.evaluate("navigator.clipboard.readText()").startswith("<b>Tom</b> ab, then")
    page.get_by_role("tab", name="Unmasking order").click()
    expect(page.locator("#plot-unmasking_order .point").first).to_be_visible()
    expect(page.locator("#plot-unmasking_order")).to_contain_text("gap 2: 4")


def test_a_text_with_gaps_overrides_the_other_boxes(page: Page) -> None:
    type_in(page, "Once", "the end.", masks=4)
    ask_for(page, "Tom [[2]] ran.")
    fill(page)
    assert shown_text(page) == "Tom a ran."


def test_auto_shows_the_choice_and_its_reason_and_moves_the_slider(page: Page) -> None:
    type_in(page, "Once", "the end.", masks=100)
    page.get_by_role("checkbox", name="Auto").check()
    fill(page)
    notices = part(page, "notices").text_content() or ""
    found = re.search(r"Gap 1: (\d+) masks", notices)
    assert found, notices
    assert "not fitted to 'scripted'" in notices
    assert page.locator(".dv-slot").count() == int(found[1])
    expect(page.get_by_role("spinbutton", name="number input for Number of masks")).to_have_value(found[1])
    page.get_by_role("tab", name="Number of masks").click()
    expect(page.locator("#plot-number_of_masks")).to_contain_text(f"chosen {found[1]}")
    page.get_by_role("checkbox", name="Auto").uncheck()
    fill(page)
    assert page.locator(".dv-slot").count() == int(found[1])


def test_stop_ends_the_choice_of_a_number_too(page: Page, denoiser) -> None:
    denoiser.delay = 0.1
    type_in(page, "Once", "the end.", masks=100)
    page.get_by_role("checkbox", name="Auto").check()
    page.click("#fill")
    expect(part(page, "notices")).to_contain_text("How many masks?")
    page.click("#stop")
    wait_until(page, "stopped")
    time.sleep(0.5)
    spent = denoiser.forwards
    time.sleep(0.5)
    assert denoiser.forwards == spent
    assert part(page, "step").text_content() == "0"


def test_a_broken_text_is_reported_and_stays_in_its_box(page: Page, denoiser) -> None:
    ask_for(page, "Tom <i>went</i> [[x]]")
    page.click("#fill")
    expect(page.get_by_text("gap 1, '[[x]]' at character 17")).to_be_visible()
    expect(page.get_by_role("textbox", name="Or a text with several gaps")).to_have_value("Tom <i>went</i> [[x]]")
    assert denoiser.forwards == 0


def test_banned_words_one_line_and_guidance_reach_the_run(page: Page, denoiser) -> None:
    denoiser.script = b" ab\n"
    page.get_by_role("button", name="Constraints").click()
    page.get_by_role("textbox", name="Banned words").fill("ab, Tom")
    page.get_by_role("checkbox", name="One line only").check()
    page.get_by_role("button", name="Sampling").click()
    for name, value in (("Temperature", "0"), ("Guidance", "1")):
        box = page.get_by_role("spinbutton", name=f"number input for {name}")
        box.fill(value)
        box.press("Tab")
    type_in(page, "Once", "the end.", masks=4)
    fill(page)
    assert shown_text(page) == "Once a?? the end."
    expect(part(page, "nfe")).to_have_text("8")
    expect(part(page, "calls")).to_have_text(" in 4 calls")


def test_an_example_with_several_gaps_takes_the_place_of_prefix_and_suffix(page: Page) -> None:
    page.get_by_role("button", name="infill:").first.click()
    expect(page.get_by_role("textbox", name="Prefix")).not_to_have_value("")
    page.get_by_role("button", name="several gaps:").first.click()
    expect(page.get_by_role("textbox", name="Prefix")).to_have_value("")
    expect(page.get_by_role("textbox", name="Or a text with several gaps")).not_to_have_value("")
    fill(page)
    assert part(page, "masks").text_content() == "0"
