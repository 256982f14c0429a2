"""`space render`: the exact files of a Space."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from huggingface_hub import SpaceCard

OWN = {
    *("LICENSE", "README.md", "Spacefile", "requirements.txt", "app.py", "app/one.py"),
    *("CONTRIBUTING.md", "CHANGELOG.md", "LOG.md", "docs/one.md"),
    *("assets/page.png", "models/weights.safetensors", "notebooks/one.ipynb"),
}


def written(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_files_are_those_included_and_not_excluded_unchanged(space, folder, tmp_path):
    code, out, _ = space("render", "--profile", "l4", "--out", str(tmp_path / "out"))
    assert (code, out) == (0, f"{len(OWN)} files in {tmp_path / 'out'}\n")
    files = written(tmp_path / "out")
    assert set(files) == OWN
    assert all(content == (folder / name).read_bytes() for name, content in files.items())


def test_the_cpu_profile_uses_torch_without_cuda(space, folder, tmp_path):
    space("render", "--out", str(tmp_path / "out"))
    files = written(tmp_path / "out")
    own = (folder / "requirements.txt").read_text()
    assert files["requirements.txt"].decode() == "--extra-index-url https://download.pytorch.org/whl/cpu\n" + own
    assert files["README.md"] == (folder / "README.md").read_bytes()


def test_zero_gpu_only_changes_the_pins_and_the_python_version(space, folder, tmp_path):
    space("render", "--profile", "zero", "--out", str(tmp_path / "out"))
    files = written(tmp_path / "out")
    assert {name for name in OWN if files[name] != (folder / name).read_bytes()} == {"README.md", "requirements.txt"}
    own, rendered = (folder / "requirements.txt").read_text().splitlines(), files["requirements.txt"].decode()
    assert rendered.splitlines() == ["torch==2.11.0", *own[1:], "spaces>=0.51.3,<0.52"]
    header, body = files["README.md"].decode().removeprefix("---\n").split("---\n", 1)
    wanted = yaml.safe_load((folder / "Spacefile").read_text(encoding="utf-8"))["space"]
    assert yaml.safe_load(header) == {**wanted, "python_version": "3.12.12"}
    assert body == (folder / "README.md").read_text(encoding="utf-8").removeprefix("---\n").split("---\n", 1)[1]
    assert "emoji: 🧩\n" in header


def test_the_hubs_client_can_read_the_header(space, tmp_path):
    space("render", "--profile", "zero", "--out", str(tmp_path / "out"))
    card = SpaceCard.load(tmp_path / "out" / "README.md").data.to_dict()
    assert (card["sdk"], card["sdk_version"], card["python_version"]) == ("gradio", "6.31.0", "3.12.12")
    assert card["startup_duration_timeout"] == "45m"
    assert card["tags"] == ["diffusion-language-model", "infilling", "education"]


def test_without_out_the_list_the_header_and_the_requirements_are_printed(space):
    code, out, _ = space("render", "--profile", "zero")
    assert code == 0
    listed = out.split("\n\n")[0].splitlines()
    assert {line.split()[1] for line in listed} == OWN
    assert "python_version: 3.12.12" in out
    assert "torch==2.11.0" in out


def test_readme_updates_the_header_and_keeps_the_text(space, folder, edit):
    readme = folder / "README.md"
    before = readme.read_text(encoding="utf-8")
    assert space("render", "--readme")[0] == 0
    assert readme.read_text(encoding="utf-8") == before
    edit("space.title", "Other title")
    assert space("check")[0] == 2
    assert space("render", "--readme")[0] == 0
    assert space("check")[0] == 0
    after = readme.read_text(encoding="utf-8")
    assert "title: Other title\n" in after
    assert after.split("---\n", 2)[2] == before.split("---\n", 2)[2]
    readme.write_text("# Only text\n")
    assert space("render", "--readme")[0] == 0
    assert space("check")[0] == 0
    assert readme.read_text(encoding="utf-8").endswith("---\n# Only text\n")


def test_a_missing_readme_cannot_be_updated(space, folder):
    (folder / "README.md").unlink()
    code, _, err = space("render", "--readme")
    assert code == 2
    assert "cannot update" in err


def test_an_unknown_profile_or_an_existing_folder_is_reported(space, tmp_path):
    code, _, err = space("render", "--profile", "zeros")
    assert code == 2
    assert "did you mean 'zero'?" in err
    code, _, err = space("render", "--out", str(tmp_path))
    assert code == 2
    assert "cannot write" in err


@pytest.mark.parametrize("arguments", [["render", "--dry-run"], ["check", "--profile", "cpu"], ["pull"]])
def test_an_unknown_flag_or_action_is_reported(space, arguments):
    code, _, err = space(*arguments)
    assert code == 2
    assert err.startswith("error: ")
