"""A person at the page: one tab, and what one does in it by mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

PATIENCE = 20_000
"""Milliseconds that a test waits for the page; two slow cores may be busy with something else."""
expect.set_options(timeout=PATIENCE)

_SHOWN_TEXT = """() => {
    const copy = document.querySelector('[data-part=passage]').cloneNode(true);
    copy.querySelectorAll('.pg-dial, .pg-when').forEach((each) => each.remove());
    return copy.textContent;
}"""
_PLACES = """() => [...document.querySelectorAll('[data-part=passage] .pg-cell')].map((each) => {
    const { left, top, width, height } = each.getBoundingClientRect();
    return [left, top + scrollY, width, height].map(Math.round);
})"""
_SELECT = """([text, count]) => {
    const box = document.querySelector('[data-part=passage]');
    const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode()); ) {
        const at = node.data.indexOf(text);
        if (at < 0 || node.parentElement.closest('.pg-dial')) continue;
        box.focus();
        document.getSelection().setBaseAndExtent(node, at + (count ? 0 : text.length), node, at + text.length);
        return true;
    }
    return false;
}"""
_AT_THE_END = """() => {
    const scrubber = document.querySelector('.pl-scrubber');
    return scrubber.value === scrubber.max;
}"""
_KEPT = "() => JSON.parse(sessionStorage.getItem('infilling-playground') ?? 'null')"


class Person:
    """What a person sees and does in one tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.asked: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.asked.append(request.url))

    def go(self, address: str) -> Person:
        self.page.goto(address)
        self.page.wait_for_selector(".pg-passage, .pg-raw", state="attached")
        return self

    def part(self, name: str) -> Locator:
        return self.page.locator(f"[data-part={name}]")

    @property
    def passage(self) -> Locator:
        return self.part("passage")

    @property
    def root(self) -> Locator:
        return self.part("root")

    @property
    def scrubber(self) -> Locator:
        return self.page.get_by_label("Denoising step")

    @property
    def cells(self) -> Locator:
        return self.passage.locator(".pg-cell")

    @property
    def cards(self) -> Locator:
        return self.page.locator(".pg-card")

    @property
    def counters(self) -> Locator:
        return self.page.locator(".pl-numbers")

    @property
    def step(self) -> int:
        return int(self.root.get_attribute("data-step") or 0)

    def text(self) -> str:
        """Return the passage as one sees it: without the numbers of gaps and steps."""
        return self.page.evaluate(_SHOWN_TEXT)

    def places(self) -> list[list[int]]:
        """Return where every cell stands and how large it is, in px of the document."""
        return self.page.evaluate(_PLACES)

    # ---- writing ----

    def write(self, text: str) -> None:
        """Type a text in place of the passage, key by key; a line feed is Enter."""
        self.passage.click(position={"x": 5, "y": 5})
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        for number, line in enumerate(text.split("\n")):
            if number:
                self.page.keyboard.press("Enter")
            self.page.keyboard.type(line)

    def set_text(self, template: str) -> None:
        """Put in a text with gaps, such as `Tom [[3]].`, as raw text."""
        self.page.get_by_role("button", name="Raw text").click()
        self.part("raw").fill(template)
        self.page.get_by_role("button", name="Raw text").click()
        expect(self.passage).to_be_visible()

    def template(self) -> str:
        """Return the text with gaps as raw text shows it."""
        return self.part("raw").input_value()

    def select(self, words: str) -> None:
        """Select words of the passage."""
        assert self.page.evaluate(_SELECT, [words, 1]), f"{words!r} is not in one stretch of the passage"
        self.settle()

    def put_caret_after(self, words: str) -> None:
        assert self.page.evaluate(_SELECT, [words, 0]), f"{words!r} is not in one stretch of the passage"
        self.settle()

    def tool(self, name: str) -> None:
        """Press a button of the passage's toolbar: gap, pin, refill or raw."""
        self.page.locator(f"[data-tool={name}]").click()

    # ---- a run ----

    def press_fill(self) -> None:
        expect(self.part("fill")).to_have_text("Fill")
        self.part("fill").click()

    def fill(self, ending: str = "complete") -> None:
        """Fill the gaps and wait for the end of the run."""
        with self.another_run(ending):
            self.press_fill()

    @contextmanager
    def another_run(self, ending: str = "complete") -> Iterator[None]:
        """Wait until the run that is begun inside is on the stage, and has ended in this way."""
        before = self.root.get_attribute("data-run")
        yield
        self.page.wait_for_function(
            """before => {
                const { run } = document.querySelector('[data-part=root]').dataset;
                return run && run !== before;
            }""",
            arg=before,
        )
        self.wait_until(ending)

    def wait_until(self, ending: str) -> None:
        """Wait until the run on the stage has ended in this way, and its end is painted."""
        expect(self.root).to_have_attribute("data-ended", ending)
        if ending != "running":
            expect(self.part("fill")).to_have_text("Fill")
            self.page.wait_for_function(_AT_THE_END)  # the page may show a state a frame, and be behind
        self.settle()

    def wait_for_step(self, number: int) -> None:
        self.page.wait_for_function(
            f"Number(document.querySelector('[data-part=root]').dataset.step) >= {number}", timeout=PATIENCE
        )

    def scrub(self, *keys: str) -> None:
        for key in keys:
            self.scrubber.press(key)
        self.settle()

    def go_to(self, step: int) -> None:
        """Go to a step of the run on the stage with the keyboard."""
        self.scrub("Home", *["ArrowRight"] * step)
        assert self.step == step

    def settle(self) -> None:
        """Wait until what has changed is painted."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    # ---- the rest ----

    def says(self, text: str) -> None:
        expect(self.part("said")).to_contain_text(text)

    def card(self, label: str) -> Locator:
        """Return a run's card in the tray."""
        return self.cards.filter(has=self.page.locator(".pg-card-label").get_by_text(label, exact=True))

    def open_settings(self) -> Locator:
        form = self.page.locator("[data-part=settings] form")
        if not self.page.locator(".sidebar.open").count():
            self.part("settings-button").click()
            expect(self.page.locator(".sidebar.open")).to_have_count(1)
        return form

    def chips(self) -> list[str]:
        """Return what is said to be in force other than at the start."""
        self.settle()
        return self.page.locator(".pg-in-force > span").all_inner_texts()

    def keep(self, label: str, way: str) -> None:
        """Choose from a run's menu of ways to keep it."""
        self.card(label).get_by_role("button", name=f"Keep {label}").click()
        self.card(label).get_by_role("button", name=way).click()

    def kept_file(self, label: str, way: str, folder: Path, name: str) -> Path:
        with self.page.expect_download() as download:
            self.keep(label, way)
        download.value.save_as(folder / name)
        return folder / name

    def saved(self) -> dict[str, Any] | None:
        """Return what a refresh would restore."""
        return self.page.evaluate(_KEPT)

    def wait_saved(self) -> None:
        """Wait until the page has kept its state for a refresh; it does so a moment after a change."""
        self.page.wait_for_timeout(700)

    def other_hosts(self, address: str) -> set[str]:
        hosts = {urlsplit(url).hostname for url in self.asked if not url.startswith(("data:", "blob:"))}
        return {host for host in hosts if host} - {urlsplit(address).hostname}


@contextmanager
def a_person(browser: Browser, address: str, **settings: Any) -> Iterator[Person]:
    """A person with a fresh profile at an address. Fails if the page reported an error meanwhile."""
    context = new_context(browser, **settings)
    person = Person(context.new_page()).go(address)
    yield person
    context.close()
    assert person.problems == [], person.problems


def new_context(browser: Browser, **settings: Any) -> BrowserContext:
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    return context
