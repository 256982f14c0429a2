"""The lessons in a browser: walked by keyboard on a phone without a model, and with one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.lessons.facts import places_of
from app.lessons.lesson import Lesson, read_lessons

pytestmark = pytest.mark.browser

LESSONS = read_lessons()
PHONE = {"width": 390, "height": 844}
TITLE = ".ls-title"


@pytest.fixture(scope="module")
def without_model() -> Iterator[str]:
    """Serve a page whose model cannot be loaded."""
    from app.ui.page import build, launch_options
    from app.ui.pool import ModelPool
    from models.serve.lazy import LazyDenoiser

    def fail() -> Any:
        raise ValueError("the model's folder is not there")

    page = build(ModelPool(LazyDenoiser(fail), name="none"))
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield address
    page.close(verbose=False)


@pytest.fixture(scope="module")
def phone(browser: Browser, without_model: str) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, reduced_motion="reduce")  # pyright: ignore[reportArgumentType]
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_default_timeout(20_000)
    yield page
    context.close()
    assert problems == []


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until what is wanted has the focus."""
    for _ in range(40):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {selector}")


def answer(page: Page, lesson: Lesson, ask: dict[str, Any], *, well: bool) -> None:
    """Answer a question by keyboard, rightly or wrongly."""
    if ask["kind"] == "choice":
        options = range(len(ask["options"]))
        choice = ask["answer"] if well else next(each for each in options if each != ask["answer"])
        arrow_to(page, ".ls-options button", f'[data-option="{choice}"]', key="Tab")
        page.keyboard.press("Enter")
    elif ask["kind"] == "number":
        tab_to(page, ".ls-number-row input")
        page.keyboard.type(str(ask["answer"] if well else ask["answer"] + 10 + ask.get("within", 0)))
        page.keyboard.press("Enter")
    else:
        right = places_of(lesson.traces[ask["run"]], ask["answer"])
        places = range(len(lesson.traces[ask["run"]].order))
        place = right[0] if well else next(each for each in places if each not in right)
        arrow_to(page, ".ls-places button", f'[data-choose="{place}"]', key="ArrowRight")
        page.keyboard.press("Enter")


def arrow_to(page: Page, first: str, wanted: str, *, key: str) -> None:
    tab_to(page, first)
    for _ in range(40):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", wanted):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead to {wanted}")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.id)
def test_a_lesson_is_walked_by_keyboard_on_a_phone_without_a_model(phone: Page, without_model: str, lesson: Lesson):
    last = len(lesson.steps)
    phone.goto(f"{without_model}?lesson={lesson.number}.{last}")  # a link leads right there
    expect(phone.locator(TITLE)).to_have_text(lesson.steps[-1]["title"])
    phone.evaluate("sessionStorage.clear()")
    phone.goto(f"{without_model}?lesson={lesson.number}")
    steps, asked, right = lesson.to_json()["steps"], 0, 0
    for number, step in enumerate(steps, start=1):
        expect(phone.locator(TITLE)).to_have_text(step["title"])
        assert phone.url.endswith(f"?lesson={lesson.number}.{number}")
        assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        if "figure" in step:
            expect(phone.locator(".ls .fg")).to_be_visible()
        if "ask" in step and "own" not in step:
            well = asked % 2 == 0
            answer(phone, lesson, step["ask"], well=well)
            expect(phone.locator(".ls-right" if well else ".ls-wrong")).to_be_visible()
            expect(phone.locator(".ls-told p")).to_have_count(1 + len(step["reveal"]))
            assert "{" not in phone.locator(".ls-body").inner_text()
            asked, right = asked + 1, right + well
            expect(phone.locator(".ls-foot .ls-score")).to_have_text(f"{right} of {asked} right")
        tab_to(phone, ".ls-next")
        phone.keyboard.press("Enter")
    expect(phone.locator(TITLE if lesson is not LESSONS[-1] else ".ls-list")).to_be_visible()


def test_a_link_reopens_a_step_with_its_score_and_closing_brings_the_page_back(phone: Page, without_model: str):
    phone.goto(f"{without_model}?lesson=1.4")
    expect(phone.locator(TITLE)).to_have_text(LESSONS[0].steps[3]["title"])
    phone.locator('[data-option="1"]').click()
    phone.reload()
    expect(phone.locator(".ls-right")).to_be_visible()
    phone.locator(".ls-close").click()
    expect(phone.locator(".ls")).to_be_hidden()
    assert "lesson" not in phone.url
    phone.goto(f"{without_model}?lesson=99")
    expect(phone.locator("[data-part=said]")).to_contain_text("the lessons are 1 to 11")
    expect(phone.locator(".ls")).to_be_hidden()


def test_who_looks_ahead_is_told_that_the_answer_does_not_count(phone: Page, without_model: str):
    phone.goto(f"{without_model}?lesson=1.2")
    phone.evaluate("sessionStorage.clear()")
    phone.reload()
    expect(phone.locator("[data-part=map]")).not_to_be_visible()
    phone.get_by_label("One step on").or_(phone.locator("[aria-label^='One step']").last).last.click()
    expect(phone.get_by_text("You have looked ahead")).to_be_visible()
    phone.locator(".pg-cell").last.click()
    expect(phone.locator(".ls-right")).to_contain_text("not counted")
    expect(phone.locator("[data-part=map]")).to_be_visible()


def test_a_prediction_about_ones_own_sentence_is_settled_by_the_run(browser: Browser, address: str):
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(f"{address}?lesson=1.6")
    expect(page.locator(TITLE)).to_have_text(LESSONS[0].steps[5]["title"])
    page.locator("[data-tool=raw]").click()
    page.locator("[data-part=raw]").fill("My own <b>text</b> [[4]] is kept.")
    page.locator("[data-tool=raw]").click()
    page.locator(".pg-cell").first.click()  # the scripted model is surest there
    expect(page.locator('[data-choose="0"]')).to_have_attribute("aria-pressed", "true")
    page.locator(".ls-fill").click()
    expect(page.locator(".ls-right")).to_be_visible()
    page.locator(".ls-next").click()
    page.locator(".ls-close").click()
    expect(page.locator(".pg-card")).to_have_count(1)  # the reader's own run stays in the tray
    context.close()


def test_a_refresh_in_a_lesson_loses_neither_text_nor_runs(browser: Browser, address: str):
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(address)
    page.locator("[data-tool=raw]").click()
    page.locator("[data-part=raw]").fill("Mine [[3]] stays.")
    page.locator("[data-tool=raw]").click()
    page.locator("[data-part=fill]").click()
    expect(page.locator("[data-part=root]")).to_have_attribute("data-ended", "complete")
    page.locator("[data-part=lessons-button]").click()
    page.locator("[data-lesson='1']").click()
    expect(page.locator(TITLE)).to_be_visible()
    expect(page.locator("[data-part=passage]")).to_contain_text("Sam dropped his cup")
    page.reload()
    expect(page.locator(TITLE)).to_be_visible()
    page.locator(".ls-close").click()
    expect(page.locator("[data-part=passage]")).to_contain_text("Mine")
    page.keyboard.press("Home")
    expect(page.locator("[data-part=onward]")).to_be_visible()
    page.locator("[data-part=lessons-button]").click()
    page.locator("[data-lesson='3']").click()
    expect(page.locator(".fg")).to_be_visible()  # the figure has the whole width, so nothing else may show
    for part in ("onward", "perturb", "fill"):
        expect(page.locator(f"[data-part={part}]")).not_to_be_visible()
    page.locator(".ls-close").click()
    expect(page.locator("[data-part=passage]")).to_contain_text("stays.")
    expect(page.locator(".pg-card")).to_have_count(2)  # the landing's and the reader's own
    context.close()
