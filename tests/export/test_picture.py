"""The picture of the order map."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from app.export.picture import escape_xml, svg_of

SVG = "{http://www.w3.org/2000/svg}"


def drawn(trace, **options) -> ElementTree.Element:
    return ElementTree.fromstring(svg_of(trace, **options))


def texts(picture: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def test_every_picture_is_xml_and_asks_for_nothing(trace):
    text = svg_of(trace, title="</svg><script>")
    ElementTree.fromstring(text)
    assert text.count("http") == 1  # the name of SVG itself
    assert "<script" not in text


def test_there_is_a_dot_for_every_write_and_the_caption_says_what_it_cost(made):
    trace = made("tokens taken back")
    picture = drawn(trace, title="Second look")
    dots = next(group for group in picture.iter(f"{SVG}g") if group.get("stroke") == "#111111")
    assert len(dots) == sum(len(step.selection.commit) for step in trace.steps)
    assert texts(picture)[-2:] == ["Second look · p2", f"9 steps · {trace.nfe} passes · toy"]
    assert "taken back" in texts(picture)


def test_a_stopped_run_says_how_many_masks_are_left(made):
    assert texts(drawn(made("a stopped run")))[-2:] == ["7 steps · 7 passes", "stopped, 5 masks left · toy"]


def test_several_gaps_are_named_and_pinned_words_are_in_the_legend(made):
    picture = drawn(made("several gaps with pinned words"))
    seen = texts(picture)
    assert [text for text in seen if text.startswith("gap ")] == ["gap 1", "gap 2", "gap 3"]
    assert seen.count("given") == 1
    assert [text.text for text in picture.iter(f"{SVG}text") if text.get("font-style") == "italic"] == [
        "␣",
        "c",
        "a",
        "t",
    ]


def test_a_text_from_the_right_has_its_first_column_on_the_right(made):
    names = [
        text for text in drawn(made("from right to left")).iter(f"{SVG}text") if (text.text or "").startswith("gap ")
    ]
    first, second = (float(text.get("x", "0")) for text in names)
    assert first > second


def test_many_columns_fit_and_drop_their_heads(made):
    trace = made("many narrow columns")
    picture = drawn(trace)
    assert float(picture.get("width", "0")) <= 1132
    assert len(texts(picture)) < 60  # no heads; numbers of some rows, names, legend and caption


@pytest.mark.parametrize(
    ("text", "escaped"), [("<&>\"'", "&lt;&amp;&gt;&quot;'"), ("\x00\ud800\ufffe\t", "\ufffd\ufffd\ufffd\t")]
)
def test_text_is_escaped_and_what_xml_cannot_hold_is_replaced(text, escaped):
    assert escape_xml(text) == escaped
