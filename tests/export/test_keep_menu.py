"""The menu "Keep", in headless Chromium, on a page that holds nothing else."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from app.export.order_csv import csv_of
from app.export.picture import svg_of
from app.export.script import script, style
from app.export.web_page import shell, web_page
from app.trace import recording
from app.trace.messages import build_replay

pytest.importorskip("playwright", reason="playwright is a development requirement")
from playwright.sync_api import Browser, Page, expect

expect.set_options(timeout=20_000)
pytestmark = pytest.mark.browser

NAME = "tokens taken back"
MOUNT = """([replay, trace, before, after]) => {
    const run = newRun("r", "A", "live");
    const { candidates, ...closing } = replay;
    receive(run, closing);
    window.fails = false;
    createKeepMenu(document.getElementById("root"), {
        runOf: () => run, titleOf: () => "Surest first", linkOf: () => "https://example.org/#run",
        replayOf: async () => window.fails ? { error: "the run is no longer stored" } : { replay },
        shell: async () => ({ before, after }), recorded: async () => ({ trace }),
        say: (text) => { document.getElementById("said").textContent = text; },
    });
}"""


@pytest.fixture
def page(browser: Browser, made) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_content(f'<style>{style()}</style><div class="pg" id="root"></div><p id="said"></p>')
    page.add_script_tag(content=script("keep.js"))
    trace = made(NAME)
    page.evaluate(MOUNT, [build_replay(trace, "r"), recording.dump(trace), *shell()])
    yield page
    context.close()
    assert faults == []


def kept(page: Page, label: str) -> tuple[str, bytes]:
    """Choose from the menu and return the file's name and content."""
    page.get_by_role("button", name="Keep", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name=label).click()
    name = download.value.suggested_filename
    expect(page.locator("#said")).to_have_text(f"Saved as {name}.")
    return name, Path(download.value.path()).read_bytes()


def test_the_gif_has_a_frame_for_every_state(page, made):
    trace = made(NAME)
    name, data = kept(page, "GIF")
    assert name == "infill-surest-first.gif"
    image = Image.open(io.BytesIO(data))
    assert (getattr(image, "n_frames", 1), image.width) == (len(trace.steps) + 1, 720)
    before = None
    for number in range(len(trace.steps) + 1):
        image.seek(number)
        frame = image.convert("RGB")
        assert before is None or ImageChops.difference(before, frame).getbbox()
        before = frame
    assert image.info["duration"] == 3000
    assert len(data) < 6000 * (len(trace.steps) + 1)


def test_pictures_table_page_and_trace_are_those_of_the_command_line(page, made):
    trace = made(NAME)
    name, data = kept(page, "Picture (SVG)")
    assert (name, data.decode()) == ("infill-surest-first.svg", svg_of(trace, title="Surest first"))
    assert kept(page, "Order (CSV)")[1].decode() == csv_of(trace)
    assert kept(page, "Trace (JSON)")[1].decode() == recording.dump(trace)
    data = kept(page, "Web page (HTML)")[1].decode()
    ours = web_page(build_replay(trace, "r"))
    assert data.split("replay-data")[0] == ours.split("replay-data")[0]
    assert data.endswith("</html>\n")


def test_the_png_is_the_picture_at_twice_its_size(page, made):
    name, data = kept(page, "Picture (PNG)")
    assert name == "infill-surest-first.png"
    image = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = (
        int(json.loads(svg_of(made(NAME)).split(f'{side}="')[1].split('"')[0])) for side in ("width", "height")
    )
    assert abs(image.width - 2 * width) <= 2
    assert abs(image.height - 2 * height) <= 2
    assert len(image.getcolors(1 << 24) or []) > 20


def test_the_menu_works_by_keyboard_and_escape_gives_the_focus_back(page):
    button = page.get_by_role("button", name="Keep", exact=True)
    expect(button).to_have_attribute("aria-expanded", "false")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("button", name="Copy text")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="Copy link")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("button", name="Trace (JSON)")).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_be_focused()
    expect(page.locator(".pg-keep-list")).to_be_hidden()


def test_what_goes_wrong_is_said_and_the_menu_works_again(page):
    page.evaluate("window.fails = true")
    page.get_by_role("button", name="Keep", exact=True).click()
    page.get_by_role("button", name="Web page (HTML)").click()
    expect(page.locator("#said")).to_have_text("Not kept: the run is no longer stored")
    page.evaluate("window.fails = false")
    assert kept(page, "Web page (HTML)")[0] == "infill-surest-first.html"
