"""The page in Chinese: on a telephone, through a run and a mistake, and back to English with text and runs."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright", reason="playwright is a development requirement")
from playwright.sync_api import Browser, expect

from tests.ui.person import a_person

pytestmark = pytest.mark.browser

STAYS = (
    r"English|bundled|Gradio|API|Top-p|low_confidence|scripted|the page's model|"
    r"Enter|Ctrl|Esc|Command|GIF|PNG|SVG|CSV|HTML|JSON|NFE"
)
"""Names of languages, programs, keys and formats, ids of strategies, and models."""
WRITTEN = (
    ".pg-passage, .pg-stage, [data-part=raw], .pg-card-text, "
    "td, .wy-token, [data-part=live], script, style, kbd, [lang=en]"
)
"""What people type and models write, and code."""
ENGLISH = """([stays, written]) => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode()); ) {
        const range = document.createRange();
        range.selectNodeContents(node);
        if (node.parentElement.closest(written) || !range.getClientRects().length) continue;
        const rest = node.data.replace(new RegExp(stays, 'g'), '').replace(/“[^”]*”/g, '');
        if (/[A-Za-z]{2}/.test(rest)) found.push(node.data);
    }
    return found;
}"""


def test_the_page_is_chinese_and_goes_back_to_english_with_text_and_runs(
    browser: Browser, address: str, denoiser
) -> None:
    denoiser.script = b"abcdefghijklmnopqrstuvwxyz"
    with a_person(browser, address, locale="zh-CN", viewport={"width": 390, "height": 844}) as me:
        fill, said = me.part("fill"), me.part("said")
        expect(fill).to_have_text("填充")
        me.tool("raw")
        me.part("raw").fill("Once the end.")
        fill.click()
        expect(said).to_have_text("文本中没有空缺：写 [[3]] 表示填入 3 个词元")
        me.part("raw").fill("Once [[5]] the end.")
        me.tool("raw")
        fill.click()
        expect(me.root).to_have_attribute("data-ended", "complete")
        expect(me.counters).to_contain_text("第 5 步，共 5 步")
        expect(me.part("live")).to_contain_text("空缺内容：abcde")
        me.cells.nth(2).click()
        expect(me.part("why")).to_contain_text("位置 3：“c”，写于第 3 步")
        me.page.locator(".wy-close").click()
        me.page.locator("#figures button").first.click()
        expect(me.page.locator("#figures .gtitle")).to_have_text("解除掩码的顺序")
        assert me.page.evaluate(ENGLISH, [STAYS, WRITTEN]) == []
        assert me.page.evaluate("document.documentElement.lang") == "zh"

        me.part("language").click()
        expect(fill).to_have_text("Fill")
        assert me.text() == "Once abcde the end."
        assert me.template() == "Once [[5]] the end."
        expect(me.cards).to_have_count(2)
        me.page.goto(f"{address}?lang=zh")
        expect(fill).to_have_text("填充")
        expect(me.part("language")).to_have_text("English")
        me.page.goto(address)
        expect(fill).to_have_text("Fill")  # as it was chosen
