"""The page with the keyboard alone, for a screen reader, at low contrast, on a phone, and from right to left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is a development requirement")
from playwright.sync_api import Browser, Page, expect

expect.set_options(timeout=20_000)

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
WIDE, PHONE = (1280, 720), (390, 844)
ONE_GAP = "Tom lost his ball in the park. [[12]] Tom patted the dog."
TWO_GAPS = "Tom [[3]] went to the park and [[4]] there."
LEAST_TARGET = 32  # CSS pixels

FOUND = """(only) => axe.run(document, { resultTypes: ["violations"], ...(only && { runOnly: [only] }) })
    .then(({ violations }) => violations.filter(({ impact }) => impact !== "minor").flatMap(({ id, impact, nodes }) =>
        nodes.map(({ target, html }) => `${impact} ${id}: ${target} ${html.slice(0, 120)}`)))"""

# The contrast of two colours: WCAG 2.2, "contrast ratio".
CONTRAST = """
const channels = (colour) => {
    const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
};
const luminance = (colour) => channels(colour).slice(0, 3).map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
};
const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
        const colour = getComputedStyle(each).backgroundColor;
        if (channels(colour)[3] === 255) return colour;
    }
    return "white";
};
"""


@contextmanager
def page_at(
    browser: Browser, address: str, size: tuple[int, int] = WIDE, *, dark: bool = False, **settings: Any
) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **settings)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(address + ("?__theme=dark" if dark else ""))
    expect(page.locator("[data-part=fill]")).to_have_text("Fill")
    expect(page.locator(".pg-settings-form")).to_have_count(1)
    expect(page.locator(".loading")).to_have_count(0)  # Gradio's, until it has drawn its own components
    yield page
    context.close()
    assert problems == []


def write(page: Page, text: str) -> None:
    page.locator("[data-tool=raw]").click()
    page.locator("[data-part=raw]").fill(text)
    page.locator("[data-tool=raw]").click()


def wait_until_ended(page: Page) -> None:
    expect(page.locator("[data-part=fill]")).to_have_text("Fill")
    expect(page.locator("[data-part=root]")).to_have_attribute("data-ended", "complete")


def fill(page: Page, text: str) -> None:
    write(page, text)
    page.locator("[data-part=fill]").click()
    expect(page.locator("[data-part=root]")).not_to_have_attribute("data-run", "")
    wait_until_ended(page)


def to_the_top(page: Page) -> None:
    """Let the next Tab begin at the top of the page."""
    page.evaluate("""() => {
        document.activeElement.blur();
        document.getSelection().removeAllRanges();
        scrollTo(0, 0);
        document.body.tabIndex = -1;
        document.body.focus();
        document.body.removeAttribute("tabindex");
    }""")


def focused(page: Page, selector: str) -> bool:
    return page.evaluate("(selector) => document.activeElement.matches(selector)", selector)


def tab_to(page: Page, selector: str, most: int = 60, key: str = "Tab") -> int:
    for count in range(1, most + 1):
        page.keyboard.press(key)
        if focused(page, selector):
            return count
    raise AssertionError(f"{most} times {key} do not lead to {selector}")


def run_axe(page: Page, only: str | None) -> list[str]:
    """Return what axe-core finds to be more than minor, by all its rules or by `only` one."""
    if not AXE.exists():
        pytest.fail(f"axe-core is not in {AXE}; 'make test' installs it")
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    return page.evaluate(FOUND, only)


@pytest.mark.parametrize(("size", "dark"), [(WIDE, False), (PHONE, False), (WIDE, True)], ids=["wide", "phone", "dark"])
def test_axe_finds_nothing(browser: Browser, address: str, denoiser, size: tuple[int, int], dark: bool) -> None:
    found: dict[str, list[str]] = {}
    only = "color-contrast" if dark else None  # nothing else depends on the theme
    with page_at(browser, address, size, dark=dark) as page:
        found["landing"] = run_axe(page, only)
        write(page, TWO_GAPS)
        found["before a run"] = run_axe(page, only)
        denoiser.delay = 0.5
        page.locator("[data-part=fill]").click()
        page.wait_for_function("Number(document.querySelector('[data-part=root]').dataset.step) >= 2")
        found["during a run"] = run_axe(page, only)
        denoiser.delay = 0
        wait_until_ended(page)
        found["after a run"] = run_axe(page, only)
        page.locator(".pg-cell").nth(1).click()
        expect(page.locator(".wy-row")).to_have_count(5)
        found["why this token"] = run_axe(page, only)
        if size == PHONE:
            page.locator(".wy-close").click()
        page.locator(".pg-order-button").click()
        found["order picker"] = run_axe(page, only)
        page.keyboard.press("Escape")
        page.locator(".pg-keep-button").last.click()
        found["Keep"] = run_axe(page, only)
        page.keyboard.press("Escape")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("?")
        expect(page.locator("dialog")).to_be_visible()
        found["keys"] = run_axe(page, only)
        page.keyboard.press("Escape")
        page.locator(".pg-presets-open").click()
        found["comparisons"] = run_axe(page, only)
        page.locator("[data-preset]").first.click()
        expect(page.locator(".pg-totals")).to_be_visible()
        found["comparison"] = run_axe(page, only)
        page.locator(".sidebar .toggle-button").click()
        expect(page.locator(".pg-settings-form")).to_be_in_viewport()
        page.wait_for_timeout(400)  # it slides in
        found["settings"] = run_axe(page, only)
        page.keyboard.press("Escape")
        page.locator("[data-part=lessons-button]").click()
        expect(page.locator(".ls-list")).to_be_visible()
        found["lessons"] = run_axe(page, only)
        for lesson, step in ((1, 2), (4, 1), (6, 2)):
            page.locator(f"[data-lesson='{lesson}']").click()
            page.locator(".ls-dot").nth(step - 1).click()
            found[f"lesson {lesson}.{step}"] = run_axe(page, only)
            page.locator(".ls-all").click()
    assert {state: faults for state, faults in found.items() if faults} == {}


def test_at_most_eight_tabs_lead_to_fill(browser: Browser, address: str) -> None:
    with page_at(browser, address) as page:
        for text in (ONE_GAP, TWO_GAPS):
            write(page, text)
            to_the_top(page)
            assert tab_to(page, "[data-part=fill]") <= 8
            page.keyboard.press("Enter")
            expect(page.locator(".pg-card")).not_to_have_count(0)
            wait_until_ended(page)
            to_the_top(page)
            assert tab_to(page, "[data-part=fill]") <= 8


def test_no_tab_leads_into_the_closed_settings(browser: Browser, address: str) -> None:
    with page_at(browser, address) as page:
        to_the_top(page)
        tab_to(page, ".sidebar .toggle-button")
        page.keyboard.press("Tab")
        assert not focused(page, ".sidebar *")


FOCUS_FAULT = """() => {
    CONTRAST
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const inside = parseFloat(style.outlineOffset) < 0;
    const wide = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const seen = contrast(style.outlineColor, behind(inside ? element : element.parentElement)) >= 3;
    return wide && seen ? "" : `${element.outerHTML.slice(0, 100)}: ${style.outline}`;
}""".replace("CONTRAST", CONTRAST)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_focus_is_visible_at_every_tab_stop(browser: Browser, address: str, dark: bool) -> None:
    with page_at(browser, address, dark=dark) as page:
        fill(page, TWO_GAPS)
        page.locator(".sidebar .toggle-button").click()
        expect(page.locator(".pg-settings-form")).to_be_in_viewport()
        page.wait_for_timeout(400)  # it slides in
        to_the_top(page)
        faults, stops = [], 0
        while stops < 90:
            page.keyboard.press("Tab")
            if focused(page, "body"):
                break
            stops += 1
            faults.append(page.evaluate(FOCUS_FAULT))
        assert 40 < stops < 90
        assert [*filter(None, faults)] == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_numbers_of_the_map_and_placeholders_have_contrast(browser: Browser, address: str, dark: bool) -> None:
    with page_at(browser, address, dark=dark) as page:
        write(page, "Tom [[auto]] went.")
        ratios: dict[str, float] = page.evaluate(
            """() => {
            CONTRAST
            const style = getComputedStyle(document.querySelector(".pg"));
            const read = (name) => {
                const probe = document.querySelector(".pg").appendChild(document.createElement("i"));
                probe.style.color = `var(--pg-${name})`;
                const colour = getComputedStyle(probe).color;
                probe.remove();
                return colour;
            };
            const pairs = [["text", "model-weak"], ["quiet", "shade"], ["now-ink", "now"], ["quiet", "paper"],
                ["back", "paper"]];
            const found = pairs.map(([ink, ground]) => [`${ink} on ${ground}`, contrast(read(ink), read(ground))]);
            for (const box of document.querySelectorAll("[placeholder]")) {
                found.push([box.className, contrast(getComputedStyle(box, "::placeholder").color, behind(box))]);
            }
            return Object.fromEntries(found);
        }""".replace("CONTRAST", CONTRAST)
        )
        assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
        assert len(ratios) >= 7


SMALL_TARGETS = """(least) => {
    const targets = "button, select, input, textarea, summary, a[href], [role=button], [role=option]";
    const area = (element) => (element.matches("[type=checkbox], [type=radio]") && element.labels[0]) || element;
    return [...document.querySelectorAll(targets)]
        .filter((element) => element.checkVisibility({ visibilityProperty: true }))
        .filter((element) => !element.closest("[inert], .pg-hidden"))
        .map((element) => [element, area(element).getBoundingClientRect()])
        .filter(([, box]) => box.width && box.height && Math.min(box.width, box.height) < least - 0.1)
        .map(([element, box]) => `${element.outerHTML.slice(0, 90)} ${box.width} x ${box.height}`);
}"""


def test_targets_on_a_phone_are_large_enough_for_a_finger(browser: Browser, address: str) -> None:
    with page_at(browser, address, PHONE, has_touch=True) as page:
        small = {"landing": page.evaluate(SMALL_TARGETS, LEAST_TARGET)}
        fill(page, TWO_GAPS)
        page.locator(".pg-cell").nth(1).tap()
        expect(page.locator(".wy-row")).to_have_count(5)
        small["after a run"] = page.evaluate(SMALL_TARGETS, LEAST_TARGET)
        page.locator(".wy-close").tap()
        page.locator(".pg-order-button").tap()
        small["order picker"] = page.evaluate(SMALL_TARGETS, LEAST_TARGET)
        page.keyboard.press("Escape")
        page.locator(".pg-keep-button").last.tap()
        small["Keep"] = page.evaluate(SMALL_TARGETS, LEAST_TARGET)
        page.keyboard.press("Escape")
        page.locator(".pg-presets-open").tap()
        small["comparisons"] = page.evaluate(SMALL_TARGETS, LEAST_TARGET)
        page.locator("[data-preset]").first.tap()
        expect(page.locator(".pg-totals")).to_be_visible()
        small["comparison"] = page.evaluate(SMALL_TARGETS, LEAST_TARGET)
        page.locator(".sidebar .toggle-button").tap()
        expect(page.locator(".pg-settings-form")).to_be_in_viewport()
        small["settings"] = page.evaluate(SMALL_TARGETS, LEAST_TARGET)
    assert {state: faults for state, faults in small.items() if faults} == {}


def test_a_run_is_spoken_in_few_sentences_and_its_end_in_full(browser: Browser, address: str, denoiser) -> None:
    with page_at(browser, address) as page:
        write(page, "Once [[30]] the end.")
        page.evaluate("""() => {
            window.said = [];
            const live = document.querySelector("[data-part=live]");
            new MutationObserver(() => window.said.push([performance.now(), live.textContent]))
                .observe(live, { childList: true });
        }""")
        denoiser.delay = 0.05
        page.locator("[data-part=fill]").click()
        expect(page.locator("[data-part=live]")).to_have_text(
            "Complete after 30 steps. The gap reads: abcdefghijklmnopqrstuvwxyz ab"
        )
        page.locator(".pl-speed").select_option("12")  # long enough to be spoken of
        page.locator("[aria-label='Play']").click()
        expect(page.locator("[aria-label='Pause']")).to_be_visible()
        expect(page.locator("[aria-label='Play']")).to_be_visible()
        expect(page.locator("[data-part=live]")).to_contain_text("Complete after 30 steps")
        said = page.evaluate("window.said")
    steps = [(when, text) for when, text in said if not text.startswith("Complete")]
    assert any(text.startswith("Step ") for _, text in steps)
    assert all(text.count(". ") == 0 for _, text in steps), "one sentence each"
    assert all(later - sooner > 1000 for (sooner, _), (later, _) in pairwise(steps))
    assert len(said) - len(steps) == 2


CELLS = """[...document.querySelectorAll("[data-part=passage] .pg-cell")]
    .map((cell) => cell.getBoundingClientRect().x)"""
PAINTED = "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"


def map_order(page: Page) -> list[int]:
    """The slots as their columns stand in the map, from left to right, by the arrow keys."""
    canvas = page.locator(".mp-canvas")
    canvas.focus()
    count = page.locator("[data-part=passage] .pg-cell").count()
    for _ in range(count):
        page.keyboard.press("ArrowLeft")
    order = []
    for _ in range(count):
        page.evaluate(PAINTED)
        place = page.locator("[data-part=passage] .pg-chosen").get_attribute("data-place")
        order.append(int(place or -1))
        page.keyboard.press("ArrowRight")
    return order


@pytest.mark.parametrize(
    ("script", "mirrored"), [(b" abcdefg", False), (" שלוםשלום".encode(), True)], ids=["English", "Hebrew"]
)
def test_a_fill_in_hebrew_text_runs_its_own_way(
    browser: Browser, address: str, denoiser, script: bytes, mirrored: bool
) -> None:
    denoiser.script = script
    with page_at(browser, address) as page:
        fill(page, "ילד הלך לגן [[7]] ושיחק בכדור")
        passage = page.locator("[data-part=passage]")
        assert passage.evaluate("(box) => getComputedStyle(box).direction") == "rtl"
        cells = page.evaluate(CELLS)
        assert cells == sorted(cells, reverse=mirrored)
        assert map_order(page) == [*range(7)][:: -1 if mirrored else 1]
        first = page.locator("[data-part=passage] .pg-cell").first
        first.focus()
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.dataset.place") == "1", (
            "the position after, in the order of reading"
        )


def test_columns_of_the_map_follow_gaps_and_fills_where_lines_break(browser: Browser, address: str) -> None:
    with page_at(browser, address, PHONE) as page:
        fill(page, "ילד הלך לגן [[6]] ושיחק עם הכדור [[4]] בגן")
        assert map_order(page) == [6, 7, 8, 9, 0, 1, 2, 3, 4, 5]


def test_nothing_moves_by_itself_where_motion_is_unwanted(browser: Browser, address: str) -> None:
    with page_at(browser, address, reduced_motion="reduce") as page:
        if page.locator("[data-example]").count():
            root = page.locator("[data-part=root]")
            expect(root).to_have_attribute("data-ended", "complete")
            scrubber = page.locator(".pl-scrubber")
            last = scrubber.get_attribute("max")
            expect(root).to_have_attribute("data-step", str(last))
            page.wait_for_timeout(1200)
            expect(root).to_have_attribute("data-step", str(last))
        fill(page, ONE_GAP)
        expect(page.locator("[data-part=root]")).to_have_attribute("data-step", "12")
        assert page.evaluate("document.getAnimations().length") == 0


def test_a_visit_with_the_keyboard_alone(browser: Browser, address: str) -> None:
    with page_at(browser, address) as page:
        root = page.locator("[data-part=root]")
        to_the_top(page)
        tab_to(page, "[data-part=passage]")
        page.keyboard.press("Control+A")
        page.keyboard.type("Once upon a time ")
        page.keyboard.press("Control+G")
        assert focused(page, ".pg-number")
        page.keyboard.type("4")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        assert focused(page, "[data-part=passage]")
        page.keyboard.type(" the end.")
        page.keyboard.press("Control+Enter")
        wait_until_ended(page)
        expect(page.locator("[data-part=passage] .pg-token")).to_have_text([" ", "a", "b", "c", "d"])
        assert focused(page, "[data-part=passage]"), "the focus stays where it was"

        page.keyboard.press("Tab")
        assert focused(page, "[data-place='0']")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        expect(root).to_have_attribute("data-step", "3")
        page.keyboard.press("ArrowDown")
        assert focused(page, "[data-place='1']")
        expect(page.locator(".wy-row")).to_have_count(5)
        page.keyboard.press("2")
        expect(page.locator(".pg-card-label").last).to_have_text("A′")
        wait_until_ended(page)
        assert focused(page, "[data-place='1']"), "a branch keeps the focus"

        tab_to(page, ".pg-card [type=checkbox]")
        page.keyboard.press("Space")
        page.keyboard.press("ArrowLeft")
        tab_to(page, ".pg-card [type=checkbox]")
        page.keyboard.press("Space")
        tab_to(page, ".pg-tray-compare", key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.locator(".pg-pane")).to_have_count(2)
        assert focused(page, ".pg-compare *")
        tab_to(page, ".pg-compare-back")
        page.keyboard.press("Enter")
        expect(page.locator("[data-part=passage]")).to_be_visible()
        assert focused(page, "[data-part=passage]")


def test_the_list_of_keys_and_the_settings_give_the_focus_back(browser: Browser, address: str) -> None:
    with page_at(browser, address) as page:
        for key, opens in (("?", "dialog"), ("Enter", ".pg-settings-form")):
            to_the_top(page)
            page.keyboard.press("Tab")
            page.keyboard.press("ArrowRight")
            if opens != "dialog":
                page.keyboard.press("ArrowRight")
            before = page.evaluate("document.activeElement.dataset.part")
            page.keyboard.press(key)
            expect(page.locator(opens)).to_be_in_viewport()
            page.wait_for_function(f"document.activeElement.closest('{opens}')")
            page.keyboard.press("Escape")
            assert page.evaluate("document.activeElement.dataset.part") == before
            expect(page.locator(opens)).not_to_be_in_viewport()


def bottom_of(page: Page, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    assert box is not None
    assert box["y"] >= 0
    return box["y"] + box["height"]


def test_a_run_fits_the_first_screen_of_a_phone(browser: Browser, address: str) -> None:
    with page_at(browser, address, PHONE, has_touch=True) as page:
        fill(page, ONE_GAP)
        page.evaluate("scrollTo(0, 0)")
        box = page.locator("[data-part=fill]").bounding_box()
        assert box is not None
        top = box["y"]
        assert top + box["height"] <= PHONE[1]
        for selector in ("[data-part=passage]", "[data-part=player]", ".mp-canvas"):
            assert bottom_of(page, selector) <= top
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_tap_on_a_phone_shows_why_without_hiding_the_token(browser: Browser, address: str) -> None:
    with page_at(browser, address, PHONE, has_touch=True) as page:
        fill(page, "A dog ran home. " * 12 + "[[6]]")
        cell = page.locator("[data-part=passage] .pg-cell").nth(2)
        cell.tap()
        expect(page.locator(".wy-row")).to_have_count(5)
        why, fill_button, chosen = (
            each.bounding_box() for each in (page.locator(".wy-list"), page.locator("[data-part=fill]"), cell)
        )
        sheet = page.locator(".wy").bounding_box()
        assert why
        assert fill_button
        assert chosen
        assert sheet
        assert why["y"] + why["height"] <= fill_button["y"]
        assert chosen["y"] >= 0
        assert chosen["y"] + chosen["height"] <= sheet["y"]
        page.locator(".wy-close").tap()
        expect(page.locator(".wy-list")).to_be_hidden()


def test_everything_of_a_run_fits_a_small_wide_screen(browser: Browser, address: str) -> None:
    text = (
        "Tom lost his ball in the park and his mom was sad. [[12]] Tom patted the dog and said thank you. "
        + "He ran home. " * 7
    )
    with page_at(browser, address) as page:
        fill(page, text)
        page.locator(".pg-cell").nth(2).click()
        expect(page.locator(".wy-row")).to_have_count(5)
        page.evaluate("scrollTo(0, 0)")
        assert 140 < page.locator("[data-part=passage]").evaluate("(box) => box.clientHeight") < 180, "three lines"
        for selector in ("passage", "controls", "player", "map", "why"):
            assert bottom_of(page, f"[data-part={selector}]") <= WIDE[1]
        assert bottom_of(page, ".pg-card.pg-shown") <= WIDE[1]
