"""The file that replays a run: opened from the disk, in headless Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.export.web_page import escape_json, shell, title_of, web_page
from app.trace.messages import build_replay

pytest.importorskip("playwright", reason="playwright is a development requirement")
from playwright.sync_api import Browser, Page, expect

expect.set_options(timeout=20_000)

ATTACKS = "</script><img src=x onerror=alert(1)> ${x} `y` \u2028 &amp; <!-- שלום "


@pytest.fixture
def opened(browser: Browser, tmp_path, made) -> Iterator[Callable[..., Page]]:
    """Open a run's file; the test fails if the page asks for anything or complains."""
    trouble: list[str] = []
    contexts = []

    def open_file(name: str, change: Callable[[dict[str, Any]], None] = lambda replay: None, **settings: Any) -> Page:
        replay = build_replay(made(name), "r")
        change(replay)
        file = tmp_path / "run.html"
        file.write_text(web_page(replay), encoding="utf-8")
        context = browser.new_context(viewport={"width": 1280, "height": 720}, reduced_motion="reduce", **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: trouble.append(request.url) if request.url != file.as_uri() else None)
        page.on("dialog", lambda dialog: trouble.append("a dialog"))
        page.goto(file.as_uri())
        page.locator(".pg-cell").first.wait_for()
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert trouble == []


def scrub(page: Page, step: int) -> None:
    page.keyboard.press("Home")
    for _ in range(step):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".pg-replay")).to_have_attribute("data-step", str(step))


@pytest.mark.browser
def test_the_keyboard_scrubs_to_a_step_and_its_masks_are_shown(opened, made):
    trace = made("tokens taken back")
    page = opened("tokens taken back")
    expect(page.locator(".pg-masked")).to_have_count(0)
    for step in (3, 0, 5):
        scrub(page, step)
        masks = [slot for slot, piece in enumerate(trace.pieces(step)) if piece is None]
        expect(page.locator(".pg-masked")).to_have_count(len(masks))
        places = page.locator(".pg-masked").evaluate_all("cells => cells.map(each => Number(each.dataset.place))")
        assert places == masks
    expect(page.locator(".pg-replay")).to_contain_text(f"{len(masks)} masks left")


@pytest.mark.browser
def test_a_position_shows_what_the_model_believed_there(opened, made):
    page = opened("one gap")
    scrub(page, 1)
    page.locator(".pg-cell").nth(4).click()
    candidates = build_replay(made("one gap"), "r")["candidates"][0][4]
    rows = page.locator(".wy-list li")
    expect(rows).to_have_count(len(candidates))
    percent = round(candidates[0][1] * 100)
    expect(rows.first).to_contain_text(f"{percent} %")
    assert page.get_by_role("button", name=re.compile("Branch from here")).count() == 0


@pytest.mark.browser
def test_hostile_text_stays_text(opened):
    def attack(replay: dict[str, Any]) -> None:
        replay["text"] = replay["opening"]["given"][0] = ATTACKS + replay["text"]
        replay["verdict"] = replay["opening"]["model"] = ATTACKS
        replay["opening"]["notices"] = [ATTACKS]
        replay["opening"]["request"]["banned"] = [ATTACKS]

    page = opened("hostile tokens", attack)
    scrub(page, 3)
    expect(page.locator(".pg-stage")).to_contain_text("</script><img src=x onerror=alert(1)> ${x} `y`")
    expect(page.locator(".pg-replay-verdict p").first).to_have_text(ATTACKS)
    page.get_by_text("Request and model").click()
    expect(page.locator("dd", has_text="onerror")).to_have_count(2)
    assert page.locator("img").count() == 0
    assert page.title().startswith("</script><img src=x onerror=alert(1)> ${x}")


@pytest.mark.browser
def test_a_text_from_the_right_is_laid_out_from_the_right(opened):
    page = opened("from right to left")
    first, second = (page.locator(".pg-gap").nth(number).bounding_box() for number in (0, 1))
    assert first["x"] > second["x"]
    assert page.locator(".pg-stage").evaluate("box => getComputedStyle(box).direction") == "rtl"


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_screen_and_colours_follow_the_system(opened, scheme, width):
    page = opened("many narrow columns", color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    expect(page.locator("body")).to_have_class("pg-alone dark" if scheme == "dark" else "pg-alone")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 24, 39)"
    assert dark == (scheme == "dark")


@pytest.mark.browser
def test_the_policy_keeps_out_scripts_that_are_not_the_files_own(browser, tmp_path, made):
    text = web_page(build_replay(made("one gap"), "r"))
    file = tmp_path / "run.html"
    file.write_text(text.replace("</body>", "<script>document.title = 'owned'</script></body>"), encoding="utf-8")
    page = browser.new_page()
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(file.as_uri())
    page.locator(".pg-cell").first.wait_for()
    assert page.title() != "owned"
    assert any("Content Security Policy" in each for each in refused)
    page.close()


def test_text_cannot_close_the_element_of_the_json():
    escaped = escape_json({"text": ATTACKS})
    assert "<" not in escaped
    assert not re.search("[\u2028\u2029]", escaped)


def test_the_title_is_the_beginning_of_the_text():
    assert title_of({"text": "  a\n b "}) == "a b"
    assert title_of({"text": "x" * 61}) == "x" * 60 + "…"
    assert title_of({"text": "<b>"}) == "&lt;b&gt;"
    assert title_of({"text": ""}) == "Infilling replay"


def test_the_file_names_no_address():
    before, after = shell()
    assert "http" not in before.replace("http-equiv", "")
    assert set(re.findall(r"https?://[\w./]+", after)) <= {"http://www.w3.org/2000/svg"}
