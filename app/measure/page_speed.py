"""Time how fast the page shows the steps of the toy model; needs playwright and Chromium."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import models
from app.errors import InfillError
from models.denoiser import Denoiser, Query
from models.prediction import Prediction
from models.serve.lazy import LazyDenoiser
from models.terminal import table

GAP = 60
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]
_WATCH = """() => {
    const { dataset } = document.querySelector('[data-part=root]');
    const [before, seen] = [dataset.run, (window.seen = {})];
    const look = () => {
        if (window.seen !== seen) return;
        if (dataset.run && dataset.run !== before && !(dataset.step in seen)) seen[dataset.step] = Date.now();
        requestAnimationFrame(look);
    };
    look();
}"""
_DONE = """(before) => {
    const { dataset } = document.querySelector('[data-part=root]');
    const last = document.querySelector('.pl-scrubber').max;
    return dataset.run !== before && dataset.ended === 'complete' && dataset.step === last;
}"""


@dataclass
class Stopwatch:
    """A denoiser that records when each of its forward passes ended."""

    inner: Denoiser
    pause: float = 0.0  # seconds added to each forward pass
    ended: list[float] = field(default_factory=list)  # milliseconds since 1970, as the browser counts

    def __post_init__(self) -> None:
        self.name, self.tokenizer, self.context = self.inner.name, self.inner.tokenizer, self.inner.context
        self.notices, self.judge = self.inner.notices, self.inner.judge

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """Return the inner denoiser's predictions, after the pause."""
        predictions = self.inner.predict(queries)
        time.sleep(self.pause)
        self.ended.append(time.time() * 1000)
        return predictions


def time_page() -> list[dict[str, float]]:
    """Time a gap of 60 masks in 60 steps, at full speed and with forward passes of 20 ms; medians of 3 runs.

    Raises InfillError without playwright or Chromium.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise InfillError("timing the page needs playwright: pip install -r requirements-dev.txt") from None
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise InfillError("timing the page needs Chromium or Chrome; install one, e.g. with apt-get install chromium")
    from app.ui.page import build, launch_options
    from app.ui.pool import ModelPool

    watch = Stopwatch(models.load("toy"))
    page = build(ModelPool(LazyDenoiser(lambda: watch)))
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        tab = browser.new_page()
        tab.goto(address)
        tab.wait_for_selector("[data-part=root]")
        tab.click("[data-tool=raw]")
        tab.fill("[data-part=raw]", f"once upon a time [[{GAP}]]")
        tab.click("[data-tool=raw]")
        for pause in (0.0, 0.02):
            watch.pause = pause
            runs = [_time_fill(tab, watch) for _ in range(4)][1:]  # the first one warms up
            rows.append(
                {"pause_ms": 1000 * pause} | {name: statistics.median(run[name] for run in runs) for name in runs[0]}
            )
        browser.close()
    page.close(verbose=False)
    return rows


def _time_fill(tab: Any, watch: Stopwatch) -> dict[str, float]:
    """Fill once; measure the bytes sent and, by the browser's clock, when each step was on screen."""
    watch.ended.clear()
    before = tab.evaluate("document.querySelector('[data-part=root]').dataset.run")
    streams: set[str] = set()
    chunks: list[int] = []
    network = tab.context.new_cdp_session(tab)
    network.on(
        "Network.requestWillBeSent", lambda e: "queue/data" in e["request"]["url"] and streams.add(e["requestId"])
    )
    network.on("Network.dataReceived", lambda e: e["requestId"] in streams and chunks.append(e["dataLength"]))
    network.send("Network.enable")
    tab.evaluate(_WATCH)
    tab.click("[data-part=fill]")
    tab.wait_for_function(_DONE, arg=before)
    tab.wait_for_timeout(200)  # for the end of the stream
    network.detach()
    seen = {int(step): at for step, at in tab.evaluate("window.seen").items() if int(step) > 0}
    delays = [at - watch.ended[step - 1] for step, at in sorted(seen.items())]
    closing = [size for size in chunks if size > 10_000]  # the compact trace, sent as last step and as result
    return {
        "steps_shown": len(seen),
        "steps_per_second": (max(seen) - min(seen)) / max(1e-3, (seen[max(seen)] - seen[min(seen)]) / 1000),
        "seen_per_second": (len(seen) - 1) / max(1e-3, (seen[max(seen)] - seen[min(seen)]) / 1000),
        "first_ms": delays[0],
        "p50_ms": statistics.median(delays),
        "p95_ms": statistics.quantiles(delays, n=20)[-1],
        "bytes_per_step": (sum(chunks) - sum(closing)) / GAP,
        "closing_bytes": sum(closing),
    }


def report(rows: Sequence[dict[str, float]]) -> str:
    """Return the measurements as a table with a column for each speed of the model."""
    lines = [(name.replace("_", " "), *(f"{row[name]:.1f}" for row in rows)) for name in rows[0] if name != "pause_ms"]
    return table(lines, header=(f"{GAP} masks, {GAP} steps", *(f"{row['pause_ms']:.0f} ms a pass" for row in rows)))
