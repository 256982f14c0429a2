"""The examples that ship with the page, and their recorded runs."""

from __future__ import annotations

import json
import re

import pytest

from app.errors import InfillError
from app.trace import recording
from app.trace.examples import ASSETS, Example, read_examples

EXAMPLES = read_examples()
EACH = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
WRITTEN = {"id": "a", "title": "A", "note": "Look.", "model": "toy", "request": {"text": "a [[2]]"}}


@EACH
def test_a_recording_is_the_complete_run_of_its_example(example: Example):
    trace = recording.load(example.recording().read_text(encoding="utf-8"))
    assert (trace.ended, trace.model) == ("complete", example.model)
    lengths = [gap.length for gap in trace.request.gaps]
    assert trace.request == example.request.with_lengths(lengths)  # `auto` is recorded as the length that was chosen
    assert set(trace.choices) == {n for n, gap in enumerate(example.request.gaps) if gap.length is None}
    assert trace.nfe > 0


@EACH
def test_a_recording_is_small(example: Example):
    assert example.recording().stat().st_size < 60_000


@EACH
def test_an_example_says_in_one_sentence_what_to_look_at(example: Example):
    assert re.fullmatch("[a-z]+(-[a-z]+)*", example.id)
    assert 0 < len(example.title) <= 24
    assert example.note.endswith(".")
    assert ". " not in example.note
    assert len(example.note) <= 160


@EACH
def test_the_words_that_a_note_quotes_are_in_the_run(example: Example):
    trace = recording.load(example.recording().read_text(encoding="utf-8"))
    states = ["".join(piece or "▒" for piece in trace.pieces(number)) for number in range(len(trace.steps) + 1)]
    for words in re.findall("“(.+?)”", example.note):
        assert any(words in text for text in (*states, trace.text)), words


def test_ids_and_titles_are_unique_and_every_recording_has_an_example():
    ids = [example.id for example in EXAMPLES]
    assert len(set(ids)) == len({example.title for example in EXAMPLES}) == len(EXAMPLES) >= 10
    recorded = {file.stem for file in (ASSETS / "traces").iterdir() if not file.stem.startswith("lesson-")}
    assert recorded == set(ids)


def test_the_page_opens_with_a_short_gap_inside_a_text_written_out_of_order():
    first = EXAMPLES[0]
    trace = recording.load(first.recording().read_text(encoding="utf-8"))
    assert first.recording().stat().st_size < 30_000
    (gap,) = first.request.gaps
    assert 8 <= (gap.length or 0) <= 12
    assert all(first.request.template.given)
    order = trace.order.tolist()
    assert order != sorted(order)


def test_an_example_takes_back_words_and_replaces_them():
    replaced = {}
    for example in EXAMPLES:
        trace = recording.load(example.recording().read_text(encoding="utf-8"))
        last = trace.canvas.ids
        before = [trace.state(number) for number in range(len(trace.steps))]
        replaced[example.id] = sum(
            int((canvas.ids != last)[step.selection.remask].sum())
            for canvas, step in zip(before, trace.steps, strict=True)
        )
    assert replaced["second-thoughts"] >= 2


def test_examples_have_one_gap_or_two_pinned_words_a_chosen_length_and_few_steps():
    requests = [example.request for example in EXAMPLES]
    assert {len(request.gaps) for request in requests} == {1, 2}
    assert any(gap.pins for request in requests for gap in request.gaps)
    assert any(request.length is None for request in requests)
    assert any(request.length and request.steps < request.length / 4 for request in requests)
    assert any(not request.template.given[0] for request in requests), "none leads up to a text"
    assert any(not request.template.given[-1] for request in requests), "none continues a text"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot read the examples"),
        ("{}", "must be a list"),
        ("[3]", "example '1' .* must be an object with id, title"),
        (json.dumps([{**WRITTEN, "extra": 1}]), "example 'a' .* must be an object with id, title"),
        (json.dumps([{**WRITTEN, "request": []}]), "request must be fields with values"),
        (json.dumps([{**WRITTEN, "request": {"txt": "a [[2]]"}}]), "unknown field of a request 'txt'; did you mean"),
        (json.dumps([{**WRITTEN, "request": {"text": "no gap"}}]), "example 'a' .* has no gap"),
        (json.dumps([{**WRITTEN, "note": ""}]), "note must be a text"),
    ],
)
def test_a_broken_list_of_examples_is_named(tmp_path, content, message):
    (tmp_path / "examples.json").write_text(content, encoding="utf-8")
    with pytest.raises(InfillError, match=message):
        read_examples(tmp_path)


def test_a_list_of_examples_is_read_in_its_order(tmp_path):
    listed = [{**WRITTEN, "id": name} for name in ("b", "a")]
    (tmp_path / "examples.json").write_text(json.dumps(listed), encoding="utf-8")
    first, second = read_examples(tmp_path)
    assert (first.id, second.id, first.request.length) == ("b", "a", 2)
    assert first.recording(tmp_path) == tmp_path / "traces" / "b.json"
