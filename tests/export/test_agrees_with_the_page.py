"""The command line and the page write the same files."""

from __future__ import annotations

import json

from app.export.gif import Font
from app.export.gif_layout import items_of
from app.export.order_csv import csv_of
from app.export.picture import svg_of
from app.export.web_page import escape_json, shell, title_of, web_page
from app.trace.messages import build_replay


def test_the_table_is_the_same_byte_for_byte(trace, in_browser_modules):
    assert in_browser_modules("csvOf(run)", trace) == csv_of(trace)


def test_the_picture_is_the_same_byte_for_byte(trace, in_browser_modules):
    assert in_browser_modules('svgOf(run, { title: "Surest first" })', trace) == svg_of(trace, title="Surest first")


def test_a_long_caption_is_cut_and_wrapped_in_the_same_way(made, in_browser_modules):
    trace, title = made("one gap"), "A very long name of a strategy " * 3
    picture = svg_of(trace, title=title)
    assert in_browser_modules(f"svgOf(run, {{ title: {json.dumps(title)} }})", trace) == picture
    assert "…</text>" in picture  # no head of a column is that long


def test_the_gif_has_the_same_words_and_cells(trace, in_browser_modules):
    there = "JSON.stringify(gifItems(run, () => 10).map(({ text, at, space, breaks }) => [text, at, space, breaks]))"
    items = items_of(trace, lambda text: 10.0, Font().show, 1000.0)
    ours = [[item.text, item.slot, item.space, item.breaks] for item in items]
    assert json.loads(in_browser_modules(there, trace)) == ours


def test_json_and_title_are_escaped_in_the_same_way(trace, in_browser_modules):
    texts = [
        "</script><img src=x onerror=alert(1)>",
        "${x}",
        "$&$1",
        "a\u2028b\u2029c",
        "<!--",
        "שלום",
        "\ud800",
        "\x00\n",
    ]
    there = f"escapeJson({json.dumps(texts)})"
    assert in_browser_modules(there, trace) == escape_json(texts)
    for text in [*texts, "long " * 40, " \n ", "\"quoted\" & 'quoted'"]:
        assert in_browser_modules(f"pageTitleOf({{ text: {json.dumps(text)} }})", trace) == title_of({"text": text})


def test_the_page_around_the_replay_is_the_same(made, in_browser_modules):
    trace = made("hostile tokens")
    there = in_browser_modules(f"webPageOf(replay, {json.dumps(list(shell()))})", trace)
    ours = web_page(build_replay(trace, "r"))
    begin, end = '<script type="application/json" id="replay-data">', "</script>"
    there_before, _, there_rest = there.partition(begin)
    our_before, _, our_rest = ours.partition(begin)
    there_data, _, there_after = there_rest.partition(end)
    our_data, _, our_after = our_rest.partition(end)
    assert (there_before, there_after) == (our_before, our_after)
    assert json.loads(there_data) == json.loads(our_data)
