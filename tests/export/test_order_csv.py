"""The table of the order: what spreadsheets and other programs read from it."""

from __future__ import annotations

import csv
import io

import pytest

from app.export.order_csv import csv_of, csv_text


def rows_of(trace) -> list[dict[str, str]]:
    text = csv_of(trace)
    assert text.startswith("\ufeffgap,")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def test_there_is_a_row_for_each_slot_and_the_tokens_can_be_read_back(trace):
    rows = rows_of(trace)
    read = [row["token"][1:] if row["token"].startswith("'") else row["token"] for row in rows]
    assert read == [piece or "" for piece in trace.pieces(len(trace.steps))]
    assert [int(row["gap"]) for row in rows] == [gap + 1 for gap, n in enumerate(trace.start.gaps) for _ in n]


def test_no_token_is_taken_for_a_formula(made):
    rows = rows_of(made("hostile tokens"))
    assert any(row["token"].startswith("'=") for row in rows)
    assert not any(row["token"].lstrip(" ")[:1] in ("=", "+", "-", "@", "\t") for row in rows)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("dog", '"dog"'),
        ('"', '""""'),
        (",", '","'),
        ("=1", '"\'=1"'),
        (" -1", '"\' -1"'),
        ("@", '"\'@"'),
        ("\t", '"\'\t"'),
        ("'", "\"''\""),
        ("a=", '"a="'),
        ("\uff1d1", '"\'\uff1d1"'),
    ],
)
def test_a_field_is_quoted_and_guarded(text, field):
    assert csv_text(text) == field


def test_a_slot_says_which_step_wrote_it_and_how_sure_it_was(made):
    trace = made("tokens taken back")
    for row, position, step in zip(rows_of(trace), trace.start.slots, trace.order, strict=True):
        assert int(row["step"]) == step
        prediction = trace.steps[step - 1].prediction
        assert float(row["confidence"]) == pytest.approx(prediction.confidence[position], abs=0.003)
        assert float(row["entropy"]) == pytest.approx(prediction.entropy[position], abs=0.022)
    taken = sum(len(step.selection.remask) for step in trace.steps)
    assert sum(int(row["taken_back"]) for row in rows_of(trace)) == taken > 0


def test_what_no_step_wrote_has_neither_step_nor_confidence(made):
    branch = rows_of(made("a branch"))
    assert [row["state"] for row in branch] == ["pinned", "written", "inherited", "written", "written"]
    stopped = [row for row in rows_of(made("a stopped run")) if row["state"] == "masked"]
    assert len(stopped) == 5
    for row in [branch[0], branch[2], *stopped]:
        assert (row["step"], row["confidence"], row["entropy"]) == ("", "", "")
