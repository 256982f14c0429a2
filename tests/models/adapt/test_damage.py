"""After a full disk or with a damaged file a training reports the error and keeps the last good files."""

from __future__ import annotations

import pytest
import torch

from models.adapt.__main__ import main
from tests.full_disk import no_file_beyond
from tests.models.adapt.runs import SAVE_EVERY, assert_same, beside, command, copied, curve, fill, interrupt, weights


@pytest.mark.parametrize("fails", ["folder", "state's model", "state's optimizer"])
def test_after_a_full_disk_at_the_second_save_a_run_resumes_from_the_first(
    trained, tmp_path, capsys, monkeypatch, fails
):
    sizes = {
        "folder": (trained / "child" / "model.safetensors").stat().st_size - 1,
        "state's model": (trained / "child.state" / "model.safetensors").stat().st_size - 1,
        "state's optimizer": (trained / "child.state" / "optimizer.bin").stat().st_size - 1,
    }
    assert sorted(sizes.values()) == list(sizes.values())
    out = tmp_path / "child"
    interrupt(SAVE_EVERY + 1, command("adapt", trained, out))
    folder, state = (out / "model.safetensors").read_bytes(), weights(out)
    with no_file_beyond(sizes[fails]):
        assert main(command("adapt", trained, out)) == 2
    error = capsys.readouterr().err
    failed = out if fails == "folder" else beside(out, "state")
    assert f"error: cannot write {failed}: " in error
    assert "MB are free" in error
    assert f"the last good one is still in {failed}" in error
    assert ((out / "model.safetensors").read_bytes() == folder) == (fails == "folder")
    assert all(torch.equal(weights(out)[name], tensor) for name, tensor in state.items())
    fill(out)
    assert main(command("adapt", trained, out)) == 0
    assert_same(out, trained / "child")


def test_a_disk_that_is_full_at_the_first_save_leaves_nothing_half_written(trained, tmp_path, capsys):
    out = tmp_path / "child"
    with no_file_beyond(10_000):
        assert main(command("adapt", trained, out)) == 2
    assert "still in" not in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["child.html", "child.jsonl"]
    assert main(command("adapt", trained, out)) == 0
    assert_same(out, trained / "child")


def test_a_log_line_that_a_full_disk_cut_off_does_no_harm(trained, tmp_path, capsys, monkeypatch):
    out = tmp_path / "child"
    log = beside(out, "jsonl")
    interrupt(SAVE_EVERY + 1, command("adapt", trained, out))
    room = log.stat().st_size + 20
    with no_file_beyond(room):
        assert main(command("adapt", trained, out)) == 2
    assert "File too large" in capsys.readouterr().err
    assert log.stat().st_size == room
    assert not log.read_text().endswith("\n"), "nothing was cut off"
    assert curve(out).validated == [SAVE_EVERY]
    assert main(command("adapt", trained, out)) == 0
    assert_same(out, trained / "child")


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.bin", "step.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_state_is_named_with_a_way_out_before_anything_is_written(trained, tmp_path, capsys, name, damage):
    out = copied(trained, "child", tmp_path)
    state = beside(out, "state")
    if damage == "cut":
        (state / name).write_bytes((state / name).read_bytes()[: (state / name).stat().st_size // 2])
    else:
        (state / name).unlink()
    before = (out / "model.safetensors").read_bytes(), beside(out, "jsonl").read_bytes()
    assert main(command("adapt", trained, out)) == 2
    error = capsys.readouterr().err
    assert f"error: {state} is damaged" in error
    assert f"move it away to start again, or give {out} as --model" in error
    assert ((out / "model.safetensors").read_bytes(), beside(out, "jsonl").read_bytes()) == before
    assert main(command("adapt", trained, tmp_path / "next", model=out)) == 0, "the way out leads nowhere"


def test_the_state_of_a_network_of_another_size_is_refused(trained, tmp_path, capsys):
    out = copied(trained, "parent", tmp_path)
    assert main(command("pretrain", trained, out, hidden=64)) == 2
    assert "belongs to a training of another shape" in capsys.readouterr().err
