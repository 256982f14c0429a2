"""`python -m app examples`: record the examples of the page, or compare runs with the recordings."""

from __future__ import annotations

import json

import pytest

from app.__main__ import main
from app.measure import examples_command
from app.trace import examples as shipped
from app.trace import recording

LISTED = [
    {
        "id": name,
        "title": name,
        "note": "Look.",
        "model": "toy",
        "request": {"text": f"the {name} [[4]].", "steps": 4, "temperature": 0.7},
    }
    for name in ("cat", "dog")
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two examples of the toy, in place of those that ship; not recorded yet."""
    (tmp_path / "examples.json").write_text(json.dumps(LISTED), encoding="utf-8")
    monkeypatch.setattr(examples_command, "ASSETS", tmp_path)
    return tmp_path


def change(folder, edit):
    """Change the recording of 'cat' in place."""
    file = folder / "traces" / "cat.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    edit(content)
    file.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def test_a_missing_recording_is_written_and_then_found_the_same(folder, capsys):
    assert main(["examples", "--check"]) == 1
    assert not (folder / "traces").exists()
    assert main(["examples"]) == 0
    for name in ("cat", "dog"):
        assert recording.load((folder / "traces" / f"{name}.json").read_text(encoding="utf-8")).ended == "complete"
    capsys.readouterr()
    assert main(["examples", "--check"]) == 0
    assert capsys.readouterr().out == "cat: the same as its recording\ndog: the same as its recording\n"


def test_only_the_examples_that_are_named_are_recorded(folder):
    assert main(["examples", "dog"]) == 0
    assert [file.name for file in (folder / "traces").iterdir()] == ["dog.json"]


def test_a_recording_that_agrees_is_left_as_it_is(folder):
    assert main(["examples"]) == 0
    file = folder / "traces" / "cat.json"
    change(folder, lambda content: content["steps"][0].update(seconds=0.0, model_seconds=0.0))
    before = file.read_bytes()
    assert main(["examples"]) == 0
    assert file.read_bytes() == before


def test_an_example_that_does_not_exist_is_refused(folder, capsys):
    assert main(["examples", "cow"]) == 2
    assert "unknown example 'cow'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda content: content["request"].update(seed=3), "cat: request.seed is 0, in the recording 3"),
        (lambda content: content["steps"][1].update(nfe=3), "cat: steps[1].nfe is 2, in the recording 3"),
        (
            lambda content: content["steps"][0]["confidence"].__setitem__(0, 0.0),
            "cat: steps[0].confidence[0] is",
        ),
        (lambda content: content.update(version=1), "cannot be read: this trace has version 1"),
    ],
)
def test_a_run_that_differs_ends_the_check_with_exit_code_1(folder, capsys, edit, said):
    assert main(["examples"]) == 0
    change(folder, edit)
    capsys.readouterr()
    assert main(["examples", "--check"]) == 1
    printed = capsys.readouterr().out
    assert said in printed
    assert "dog: the same" in printed
    assert "Run `python -m app examples`" in printed
    assert main(["examples"]) == 0
    assert main(["examples", "--check"]) == 0


def test_probabilities_may_differ_by_rounding(folder):
    assert main(["examples"]) == 0

    def edit(content):
        values = content["steps"][0]["confidence"]
        values[0] = round(values[0] + (0.0005 if values[0] < 0.5 else -0.0005), 4)

    change(folder, edit)
    assert main(["examples", "--check", "cat"]) == 0


def test_the_bundled_model_repeats_two_of_the_shipped_recordings(capsys):
    def size(example):
        return example.recording().stat().st_size

    shortest = sorted((e for e in shipped.read_examples() if e.request.length), key=size)[:2]
    assert main(["examples", "--check", *(example.id for example in shortest)]) == 0, capsys.readouterr().out
