"""Logs read again, and drawn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from models.adapt import curves, trainer
from models.adapt.__main__ import main
from models.adapt.curves import Curve, Mask, draw, read_log
from tests.models.adapt.runs import command, interrupt


def log(path: Path, *records: dict[str, float], tail: str = "") -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + tail)
    return path


def batch(step: int, loss: float) -> dict[str, float]:
    return {"step": step, "loss": loss, "tokens_per_s": 9}


def validated(step: int, loss: float) -> dict[str, float]:
    return {"step": step, "tokens": 10 * step, "validation": loss}


def test_a_log_becomes_a_curve(tmp_path):
    path = log(tmp_path / "a.jsonl", {"resumed_at": 0}, batch(2, 5.0), validated(2, 5.5), batch(4, 4.0))
    assert read_log(path) == Curve(steps=[2, 4], losses=[5.0, 4.0], validated=[2], tokens=[20], validation=[5.5])


def test_what_a_killed_run_did_after_its_last_checkpoint_is_left_out(tmp_path):
    path = log(
        tmp_path / "a.jsonl",
        *({"resumed_at": 0}, batch(2, 5.0), validated(2, 5.5), batch(4, 4.0), validated(4, 4.5)),
        *({"resumed_at": 2}, batch(3, 4.7), batch(4, 4.1), validated(4, 4.6), batch(6, 3.0)),
        *({"resumed_at": 4}, batch(5, 3.5)),
    )
    assert read_log(path) == Curve(
        steps=[2, 3, 4, 5], losses=[5.0, 4.7, 4.1, 3.5], validated=[2, 4], tokens=[20, 40], validation=[5.5, 4.6]
    )
    again = log(tmp_path / "b.jsonl", {"resumed_at": 0}, validated(2, 5.5), {"resumed_at": 0}, validated(2, 5.4))
    assert read_log(again).validation == [5.4], "a run that begins again is the only one"


@pytest.mark.parametrize("tail", ["{", '{"step": 6, "tok', json.dumps(validated(6, 1.0))])
def test_a_last_line_that_was_cut_off_is_left_out(tmp_path, tail):
    path = log(tmp_path / "a.jsonl", {"resumed_at": 0}, validated(2, 5.5), tail=tail)
    assert read_log(path).validation == [5.5]


@pytest.mark.parametrize("text", ["", "no log", "{\n", "7\n", "[]\n", '{"step": 3}\n', '{"validation": 3}\n', "\xff\n"])
def test_what_is_no_log_is_refused_by_name(tmp_path, text):
    path = tmp_path / "a.jsonl"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"a\.jsonl is not the log of a training"):
        read_log(path)


def test_a_log_that_is_missing_is_refused_by_name(tmp_path, capsys):
    assert main(["plot", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "page.html")]) == 2
    assert "a.jsonl is not the log of a training" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


CURVES = {
    name: Curve(steps=[1, 2], losses=[9.0, 3.0], validated=[1, 2], tokens=[10, 20], validation=[4.0, 3.5 + number])
    for number, name in enumerate(("full recipe", "from scratch"))
}


def drawn(out: Path) -> list[dict]:
    """What the page would have plotly draw."""
    text = out.read_text()
    assert '<script charset="utf-8" src="plotly.min.js">' in text
    assert (out.parent / "plotly.min.js").stat().st_size > 10**6
    start = text.index("[", text.index("Plotly.newPlot("))
    return json.JSONDecoder().raw_decode(text[start:])[0]


def test_a_page_shows_every_curve_by_name_dash_and_symbol(tmp_path):
    draw(CURVES, tmp_path / "page.html", title="Two <trainings>")
    traces = drawn(tmp_path / "page.html")
    assert [trace["name"] for trace in traces] == [
        f"{name}, {kind}" for name in CURVES for kind in ("training batches", "validation")
    ]
    assert traces[1]["y"] == [4.0, 3.5]
    assert traces[1]["x"] == [1e-5, 2e-5]
    assert traces[0]["x"] == traces[1]["x"], "steps and tokens do not agree"
    assert traces[1]["line"]["dash"] != traces[3]["line"]["dash"]
    assert traces[1]["marker"]["symbol"] != traces[3]["marker"]["symbol"]


def test_training_losses_can_be_left_out_and_empty_curves_are_no_trouble(tmp_path):
    draw({**CURVES, "none": Curve([], [], [], [], [])}, tmp_path / "page.html", title="Two", training=False)
    assert [trace["name"] for trace in drawn(tmp_path / "page.html")] == [*CURVES, "none"]


def test_the_part_in_which_attention_opens_is_shaded(tmp_path):
    opening = [Mask(1, 0.5, ["10", "11"]), Mask(2, 1.0, ["11", "11"])]
    alone = replace(CURVES["full recipe"], masks=opening)
    draw({"child": alone}, tmp_path / "one.html", title="One")
    draw({"child": alone, **CURVES}, tmp_path / "three.html", title="Three")
    shaded = ['"x1":0.00002' in (tmp_path / name).read_text().replace(" ", "") for name in ("one.html", "three.html")]
    assert shaded == [True, False]
    assert "attention opens" in (tmp_path / "one.html").read_text()


def test_a_wild_start_of_the_training_does_not_flatten_the_validation(tmp_path):
    assert curves._range([[4.0, 3.5], [3.0]]) == pytest.approx((2.95, 4.05))


def test_a_training_draws_itself_at_every_checkpoint(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "draw", draw)
    interrupt(4, command("adapt", trained, tmp_path / "out"))
    traces = drawn(tmp_path / "out.html")
    assert [trace["name"] for trace in traces] == ["out, training batches", "out, validation"]
    assert len(traces[1]["y"]) == 1


def test_logs_are_plotted_together_each_under_its_name(trained, tmp_path):
    logs = [str(trained / f"{name}.jsonl") for name in ("parent", "child")]
    assert main(["plot", *logs, "--out", str(tmp_path / "page.html")]) == 0
    names = [trace["name"] for trace in drawn(tmp_path / "page.html")]
    assert names[1::2] == ["parent, validation", "child, validation"]
    assert main(["plot", *logs, "--out", str(tmp_path / "nowhere" / "page.html")]) == 2
