"""What stays: links, files, the tray, a refresh, and that nobody sees another's runs; in headless Chromium."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is a development requirement")
from playwright.sync_api import Browser, expect

from app.trace import recording
from tests.ui.person import Person, a_person, new_context
from tests.ui.visitor import Visitor

pytestmark = pytest.mark.browser

ODD = '`it\'s` <b>&amp; "A" ​‮é😀'


def link(**kept: Any) -> str:
    """Return the fragment of a link that holds this."""
    return packed(json.dumps(kept).encode())


def packed(content: bytes) -> str:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return "#v1." + base64.urlsafe_b64encode(packer.compress(content) + packer.flush()).decode().rstrip("=")


def copied(me: Person) -> str:
    return me.page.evaluate("navigator.clipboard.readText()")


def share(me: Person, label: str) -> str:
    me.page.evaluate("navigator.clipboard.writeText('')")
    me.card(label).get_by_role("button", name=f"Share {label}").click()
    me.says("Link copied")
    return copied(me)


def test_a_link_opens_the_run_at_its_step_with_its_settings_for_somebody_else(me: Person, browser: Browser) -> None:
    me.set_text("Once [[6]] the \\[[3]] end.")
    form = me.open_settings()
    form.get_by_label("Temperature", exact=True).fill("0.3")
    form.get_by_label("Banned words", exact=True).fill("kitten, Tom")
    me.fill()
    me.go_to(4)
    address = share(me, "A")
    name = me.root.get_attribute("data-run")
    assert name
    assert name not in address
    with a_person(browser, address) as other:
        expect(other.root).to_have_attribute("data-ended", "complete")
        expect(other.root).to_have_attribute("data-step", "4")
        assert other.template() == me.template() == "Once [[6]] the \\[[3]] end."
        assert other.text() == me.text() == "Once abcd the [[3]] end."
        assert set(other.chips()) == set(me.chips()) >= {"temperature 0.3", "ban: kitten", "ban: Tom"}
        assert other.root.get_attribute("data-run") != name


def test_a_link_of_a_branch_begins_where_the_branch_began(me: Person, browser: Browser) -> None:
    me.set_text("Once [[6]] the end.")
    me.fill()
    me.go_to(2)
    me.cells.nth(2).focus()
    with me.another_run():
        me.page.keyboard.press("2")
    assert me.text() == "Once ab?abc the end."
    address = share(me, "A′")
    with a_person(browser, address) as other:
        other.wait_until("complete")
        assert other.text() == "Once ab?abc the end."
        other.scrub("Home")
        expect(other.passage.locator(".pg-masked")).to_have_count(3)


NONSENSE = {
    "cut": ("#v1.7VdNb9s", "damaged or incomplete"),
    "of another version": ("#v9.AAAA", "another version"),
    "not base64": ("#v1.!!!!", "damaged or incomplete"),
    "a bomb": (packed(b"0" * 9_000_000), "too big"),
    "deep": (packed(b"[" * 9000 + b"]" * 9000), "nothing of it"),
    "a list": (packed(b"[1]"), "nothing of it"),
    "a number for a text": (link(draft={"text": 7}), "text"),
    "an unknown order": (link(draft={"strategy": "<b>x</b>"}), "<b>x</b>"),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_a_link_that_cannot_be_read_says_so_and_the_page_works(
    browser: Browser, address: str, denoiser, kind: str
) -> None:
    fragment, said = NONSENSE[kind]
    with a_person(browser, address + fragment) as me:
        me.says(said)
        assert me.page.locator(".pg-said b").count() == 0
        me.set_text("Once [[3]] the end.")
        me.fill()


def test_a_link_with_values_out_of_range_keeps_what_is_allowed(browser: Browser, address: str, denoiser) -> None:
    denoiser.script = b"abc"
    wrong = {"temperature": 99, "top_p": "x", "steps": -3, "seed": 5, "nothing": 1, "text": "Once [[3]] the end."}
    with a_person(browser, address + link(draft=wrong, step=-1, by="magic")) as me:
        me.wait_until("complete")
        me.says("temperature")
        assert me.text() == "Once abc the end."
        expect(me.page.locator("#pg-seed")).to_have_value("5")
        assert me.chips() == []  # the seed stands in sight


def test_a_web_page_is_kept_and_replays_from_disk_without_a_request(
    me: Person, browser: Browser, tmp_path: Path
) -> None:
    me.set_text("Once <b>[[6]] \\[[3]] the end.")
    me.fill()
    file = me.kept_file("A", "Web page (HTML)", tmp_path, "run.html")
    context = new_context(browser, offline=True)
    other = Person(context.new_page())
    other.page.goto(file.as_uri())
    stage = other.page.locator(".pg-stage")
    expect(stage).to_be_visible()
    other.page.get_by_label("Denoising step").press("End")
    other.settle()
    assert "Once <b>" in stage.inner_text()
    assert "[[3]] the end." in stage.inner_text()
    other.page.get_by_label("Denoising step").press("Home")
    expect(stage.locator(".pg-masked")).to_have_count(6)
    other.page.get_by_label("Denoising step").press("ArrowRight")
    expect(stage.locator(".pg-masked")).to_have_count(5)
    stage.locator(".pg-cell").nth(3).hover()
    expect(other.page.locator(".wy-row")).to_have_count(5)
    expect(other.page.locator(".wy-token").first).to_have_text("d")
    assert [url for url in other.asked if not url.startswith(("data:", "blob:"))] == [file.as_uri()]
    context.close()
    assert other.problems == []


def test_a_trace_is_kept_and_opened_as_a_replay_with_its_settings(me: Person, denoiser, tmp_path: Path) -> None:
    me.set_text("Once [[7]] the \\[[3]] end.")
    me.open_settings().get_by_label("Temperature", exact=True).fill("0.2")
    me.fill()
    file = me.kept_file("A", "Trace (JSON)", tmp_path, "trace.json")
    assert json.loads(file.read_text())["text"] == "Once abcdefg the [[3]] end."
    me.page.evaluate("sessionStorage.clear()")
    context = me.page.context
    other = Person(context.new_page()).go(me.page.url)
    spent = denoiser.forwards
    with other.another_run():
        other.page.locator(".pg-tray input[type=file]").set_input_files(file)
    assert other.text() == "Once abcdefg the [[3]] end."
    assert other.template() == "Once [[7]] the \\[[3]] end."
    assert "temperature 0.2" in other.chips()
    expect(other.part("verdict")).to_contain_text("Replay of an opened trace")
    expect(other.card("trace").locator(".pg-card-origin")).to_have_text("opened from a file")
    other.scrub("ArrowLeft")
    expect(other.counters).to_contain_text("1 mask left")
    other.cells.nth(1).hover()
    expect(other.part("why").locator(".wy-token").first).to_have_text("b")
    assert denoiser.forwards == spent
    assert other.problems == []


HOSTILE = "<img src=x onerror=alert(1)><b id=injected>"


def hostile_trace(trace: dict[str, Any]) -> str:
    """Return a trace with HTML in every string that may hold any text."""

    def poison(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: poison(each, key) for key, each in value.items()}
        if isinstance(value, list):
            return [poison(each, name) for each in value]
        return value + HOSTILE if isinstance(value, str) and name in ("model", "notices", "prefix", "suffix") else value

    return json.dumps(poison(trace))


def test_hostile_traces_give_a_message_or_are_shown_as_text(me: Person, tmp_path: Path) -> None:
    me.set_text("Once [[4]] the end.")
    me.fill()
    good = me.kept_file("A", "Trace (JSON)", tmp_path, "good.json")
    trace = json.loads(good.read_text())
    opener = me.page.locator(".pg-tray input[type=file]")
    files = {
        "nothing": ("", "not a trace"),
        "text": ("hello " + HOSTILE, "not a trace"),
        "broken": (json.dumps({"format": recording.FORMAT, "version": recording.VERSION}), "broken"),
        "version": (json.dumps(trace | {"version": 999}), "version"),
        "deep": ("[" * 100_000 + "]" * 100_000, "trace"),
        "huge": ("x" * 20_000_000, "16 MB"),
    }
    for name, (content, said) in files.items():
        file = tmp_path / f"{name}.json"
        file.write_text(content)
        opener.set_input_files(file)
        me.says(said)
        me.page.evaluate("document.querySelector('[data-part=said]').textContent = ''")
    file = tmp_path / f"{HOSTILE.replace('/', '')}.json"
    file.write_text(hostile_trace(trace))
    opener.set_input_files(file)
    expect(me.part("said")).not_to_be_empty()
    me.settle()
    assert me.page.locator("#injected, .pg img").count() == 0
    me.set_text("Once [[4]] the end.")
    me.fill()


def test_text_is_copied_whole(me: Person) -> None:
    me.set_text("Once  [[4]] the \\[[3]] end.")
    me.fill()
    me.keep("A", "Copy text")
    me.says("Text copied.")
    assert copied(me) == "Once  abcd the [[3]] end."


def test_pictures_and_tables_are_kept(me: Person, tmp_path: Path) -> None:
    me.set_text("Once [[4]] the end.")
    me.fill()
    begins = {"Picture (PNG)": b"\x89PNG", "Picture (SVG)": b"<svg", "GIF": b"GIF89a", "Order (CSV)": b""}
    for way, begin in begins.items():
        content = me.kept_file("A", way, tmp_path, "kept").read_bytes()
        assert content.lstrip(b"\xef\xbb\xbf").startswith(begin), way
        assert len(content) > 50, way


def test_a_refresh_keeps_text_settings_runs_and_step(me: Person) -> None:
    me.set_text("Once [[6]] the \\[[3]] end.")
    me.open_settings().get_by_label("Temperature", exact=True).fill("0.3")
    me.fill()
    me.fill()
    me.go_to(3)
    me.wait_saved()
    me.page.reload()
    expect(me.root).to_have_attribute("data-step", "3")
    assert me.template() == "Once [[6]] the \\[[3]] end."
    assert me.text() == "Once abc the [[3]] end."
    assert "temperature 0.3" in me.chips()
    for label in ("A", "B"):
        expect(me.card(label)).to_be_visible()
    me.cells.nth(0).hover()
    expect(me.part("why").locator(".wy-row")).to_have_count(5)
    me.fill()
    expect(me.card("C")).to_be_visible()


def test_a_refresh_during_a_run_keeps_what_it_had_written(me: Person, denoiser) -> None:
    me.set_text("Once [[30]] the end.")
    denoiser.delay = 0.2
    me.press_fill()
    me.wait_for_step(3)
    me.page.reload()
    me.wait_until("stopped")
    me.problems.clear()  # Gradio reports the stream that the refresh has cut
    assert me.text().startswith("Once abc")
    denoiser.delay = 0
    me.fill()  # the page is not stuck


def test_a_name_may_be_odd_and_a_removed_run_comes_back(me: Person) -> None:
    me.set_text("Once [[3]] the end.")
    me.fill()
    me.fill()
    me.card("A").get_by_role("button", name="Rename A").click()
    me.page.keyboard.type(ODD)
    me.page.keyboard.press("Enter")
    label = me.cards.locator(".pg-card-label").get_by_text("é😀")
    expect(label).to_have_text(ODD)
    me.card("B").get_by_role("button", name="Remove B").click()
    expect(me.card("B")).to_have_count(0)
    me.page.get_by_role("button", name="Undo").click()
    expect(me.card("B")).to_be_visible()
    assert me.text() == "Once abc the end."
    me.wait_saved()
    me.page.reload()
    expect(label).to_have_text(ODD)


def test_the_last_run_may_be_removed(me: Person) -> None:
    me.set_text("Once [[3]] the end.")
    me.fill()
    me.card("A").get_by_role("button", name="Remove A").click()
    expect(me.card("A")).to_have_count(0)
    expect(me.part("fill")).to_have_text("Fill")
    me.fill()


def test_a_run_that_the_server_has_dropped_says_so(browser: Browser, serve, denoiser, monkeypatch) -> None:
    from app.ui.store import RunStore

    stores: list[RunStore] = []
    made = RunStore.__init__

    def remember(store: RunStore, *given: Any, **named: Any) -> None:
        made(store, *given, **named)
        stores.append(store)

    monkeypatch.setattr(RunStore, "__init__", remember)
    with a_person(browser, serve()) as me:
        me.set_text("Once [[4]] the end.")
        me.fill()
        stores[-1]._traces.clear()
        me.go_to(2)
        me.cells.nth(3).hover()
        expect(me.part("why")).to_contain_text("does not have this run any more")
        expect(me.card("A").locator(".pg-card-note")).to_contain_text("Expired")
        expect(me.card("A").get_by_role("button", name="Branch A")).to_be_disabled()
        me.scrub("Home", "End")
        assert me.step == 4
        me.keep("A", "Trace (JSON)")
        me.says("no longer on the server")


def test_two_visitors_never_see_each_others_runs(me: Person, browser: Browser, address: str) -> None:
    me.set_text("Once [[4]] the secret end.")
    me.fill()
    with a_person(browser, address) as other:
        assert "secret" not in other.page.content()
        assert other.card("A").count() == 0
    visitor = Visitor(address)
    name = me.root.get_attribute("data-run")
    for wrong in (None, "", "made-up", 7, [], {}, {"run": name}, "../" + str(name), "example-"):
        for function in ("candidates", "replay", "recorded"):
            answer = visitor.ask(function, {"run": wrong, "step": 1})
            assert list(answer) == ["error"], (function, wrong)
        assert list(visitor.ask("control", {"run": wrong, "do": "pause"})) == ["error"]
    for function in ("candidates", "replay", "recorded", "opened", "example", "control"):
        assert list(visitor.ask(function, None)) == ["error"], function
    visitor.close()
