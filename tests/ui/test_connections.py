"""What a tab keeps open: browsers allow six connections to a server, so a tab may hold one only while a run goes on."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright", reason="playwright is a development requirement")

pytestmark = pytest.mark.browser


def test_a_tab_opens_no_heartbeat_and_asks_nobody_else(browser, address: str) -> None:
    asked: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_selector("[data-part=root]")
    page.wait_for_selector("[data-part=settings]", state="attached")
    page.wait_for_timeout(1000)  # for a stream that would begin late
    assert not [url for url in asked if "heartbeat" in url]
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    context.close()
