"""Take the pictures of the page in the README and in page.md: `make pictures`.

It serves the page on the bundled model and drives Chromium, so it needs requirements-dev.txt. Look at the pictures
before you commit them.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, cast

import models
from app.export.gif import gif_of
from app.trace.examples import read_recorded
from models.denoiser import Denoiser
from models.serve.lazy import LazyDenoiser

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "assets" / "pictures"
TEXT = "Tom lost his blue ball in the park. [[12]] Tom patted the dog and said thank you."
WIDE, NARROW = {"width": 1280, "height": 720}, {"width": 390, "height": 844}
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_COLOURS = 128
_HALF_WAY = "Number(document.querySelector('[data-part=root]').dataset.step) === 5"
_ALL_DONE = "document.querySelector('[data-part=fill]').textContent === 'Fill'"


class Slow:
    """A denoiser whose passes take a while, so that a picture can be taken during a run."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.pause = inner, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def predict(self, queries: Any) -> Any:
        """Return the inner denoiser's predictions, after the pause."""
        time.sleep(self.pause)
        return self._inner.predict(queries)


def main() -> None:
    """Take all pictures."""
    from playwright.sync_api import sync_playwright

    from app.ui.page import build, launch_options
    from app.ui.pool import ModelPool

    FOLDER.mkdir(exist_ok=True)
    model = Slow(models.load("bundled"))
    page = build(ModelPool(LazyDenoiser(lambda: cast(Denoiser, model)), name="bundled"), parent=models.load_parent)
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        for name, viewport, theme in (("landing", WIDE, "light"), ("phone", NARROW, "light"), ("dark", WIDE, "dark")):
            tab = browser.new_page(viewport=viewport)  # pyright: ignore[reportArgumentType]
            tab.goto(f"{address}?__theme={theme}")
            tab.wait_for_selector("[data-part=root][data-ended=complete]")
            tab.wait_for_timeout(2000)
            tab.locator("[aria-label^='Last state']").first.click()
            if viewport is WIDE:
                tab.locator(".pg-cell").nth(1).hover()
            tab.wait_for_timeout(700)
            _save(tab, name)
            tab.close()
        _take_runs(browser.new_page(viewport=WIDE), address, model)  # pyright: ignore[reportArgumentType]
        browser.close()
    page.close(verbose=False)
    (ROOT / "assets" / "run.gif").write_bytes(gif_of(read_recorded()[0][1]))


def _take_runs(tab: Any, address: str, model: Slow) -> None:
    """Take the pictures of a run that goes on, of a branch and of a comparison."""
    tab.goto(f"{address}?__theme=light")
    tab.wait_for_selector("[data-part=root][data-ended=complete]")
    tab.click("[data-tool=raw]")
    tab.fill("[data-part=raw]", TEXT)
    tab.click("[data-tool=raw]")
    model.pause = 1.0
    tab.click("[data-part=fill]")
    tab.wait_for_function(_HALF_WAY, timeout=60_000)
    _save(tab, "running")
    model.pause = 0.0
    tab.wait_for_selector("[data-part=root][data-ended=complete]", timeout=60_000)
    tab.locator("[aria-label='First state']").first.click()
    for _ in range(3):
        tab.locator("[aria-label='One step forward']").first.click()
    tab.locator(".pg-cell").nth(5).click()
    tab.locator(".wy-try:visible").nth(1).click()
    tab.wait_for_function("document.querySelectorAll('[data-part=tray] article').length === 3", timeout=60_000)
    tab.wait_for_selector("[data-part=root][data-ended=complete]", timeout=60_000)
    tab.locator(".pg-cell").nth(4).hover()
    tab.wait_for_timeout(1000)
    _save(tab, "branch")
    tab.locator("[data-part=tray] article").nth(1).get_by_role("button", name="Show").click()
    tab.click(".pg-presets-open")
    tab.get_by_text("Diffusion and its parent").click()
    tab.wait_for_function("document.querySelectorAll('[data-part=tray] article').length === 6", timeout=120_000)
    tab.wait_for_function(_ALL_DONE, timeout=120_000)
    tab.wait_for_timeout(1000)
    _save(tab, "compare")


def _save(tab: Any, name: str) -> None:
    """Save what the tab shows with few colours, which takes a third of the space."""
    from PIL import Image

    file = FOLDER / f"{name}.png"
    tab.screenshot(path=str(file))
    Image.open(file).convert("RGB").quantize(_COLOURS).save(file, optimize=True)


if __name__ == "__main__":
    main()
