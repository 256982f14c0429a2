"""`replay` with the flags that write files."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from app.__main__ import main
from app.export.order_csv import csv_of
from app.export.picture import svg_of
from app.trace import recording
from tests.full_disk import no_file_beyond


@pytest.fixture
def file(made, tmp_path):
    path = tmp_path / "run.json"
    path.write_text(recording.dump(made("one gap")), encoding="utf-8")
    return path


def test_every_form_is_written_at_once(file, made, tmp_path, capsys):
    out = {form: tmp_path / f"run.{form}" for form in ("html", "gif", "csv", "svg")}
    assert main(["replay", str(file), *(part for form, path in out.items() for part in (f"--{form}", str(path)))]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("wrote ") == 4
    assert out["html"].read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert getattr(Image.open(out["gif"]), "n_frames", 1) == 6
    assert out["csv"].read_bytes().decode() == csv_of(made("one gap"))
    assert out["svg"].read_text(encoding="utf-8") == svg_of(made("one gap"), title="Surest first")


def test_a_file_that_exists_is_replaced(file, tmp_path):
    out = tmp_path / "run.svg"
    out.write_text("old" * 100_000)
    assert main(["replay", str(file), "--svg", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith("<svg")
    assert "old" not in out.read_text(encoding="utf-8")


def test_on_a_full_disk_the_file_that_exists_stays_and_nothing_half_written(file, tmp_path, capsys):
    out = tmp_path / "run.html"
    out.write_text("old")
    before = sorted(tmp_path.iterdir())
    with no_file_beyond(10_000):
        assert main(["replay", str(file), "--html", str(out)]) == 2
    assert f"error: cannot write '{out}': File too large" in capsys.readouterr().err
    assert out.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_that_is_a_link_stays_one(file, tmp_path):
    out = tmp_path / "link.svg"
    out.symlink_to(tmp_path / "run.svg")
    assert main(["replay", str(file), "--svg", str(out)]) == 0
    assert out.is_symlink()
    assert (tmp_path / "run.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_dash_is_standard_output(file, made, capsysbinary):
    assert main(["replay", str(file), "--csv", "-"]) == 0
    assert capsysbinary.readouterr().out.decode() == csv_of(made("one gap"))


def test_the_notice_names_characters_that_the_font_lacks(made, tmp_path, capsys):
    path = tmp_path / "run.json"
    path.write_text(recording.dump(made("from right to left")), encoding="utf-8")
    assert main(["replay", str(path), "--gif", str(tmp_path / "run.gif")]) == 0
    assert "the GIF's font lacks ש ל ו ם" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--svg", "{folder}/missing/run.svg"], "cannot write '{folder}/missing/run.svg': No such file or directory"),
        (["--html", "{folder}"], "cannot write '{folder}': Is a directory"),
        (["--csv", "-", "--step", "2"], "--step shows one state, and a file holds all of them; leave out --step"),
        (["--font", "a.ttf"], "--font is for the GIF's text; add --gif OUT"),
        (["--gif", "{folder}/a.gif", "--font", "{folder}/none.ttf"], "cannot read the font '{folder}/none.ttf'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(flags, message, file, tmp_path, capsys):
    assert main(["replay", str(file), *(flag.format(folder=tmp_path) for flag in flags)]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {message.format(folder=tmp_path)}")
    assert printed.count("\n") == 1


def test_a_file_that_is_no_trace_and_a_trace_without_steps_are_refused(made, tmp_path, capsys, monkeypatch):
    out = tmp_path / "run.html"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert main(["replay", "-", "--html", str(out)]) == 2
    assert "this JSON file is not a trace" in capsys.readouterr().err
    empty = tmp_path / "empty.json"
    empty.write_text(recording.dump(made("nothing yet")), encoding="utf-8")
    assert main(["replay", str(empty), "--html", str(out)]) == 2
    assert "this trace has no steps, so there is nothing to keep" in capsys.readouterr().err
    assert not out.exists()
