"""Which files are deployed: in a git repository those that it tracks, elsewhere no links and nothing hidden."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from app.space import contents as module
from app.space import spacefile
from app.space.contents import Contents, contents
from tests.space.test_push import UPLOADED


def git(folder: Path, *arguments: str) -> None:
    own = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *own, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(folder) -> Path:
    """Return the folder as a git repository with one commit, and beside what it tracks a key, notes and weights."""
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "all")
    (folder / "app" / "id_rsa").write_text("a key\n")
    (folder / "models" / "notes_private.txt").write_text("notes\n")
    (folder / ".gitignore").write_text("*.bin\n")
    (folder / "models" / "ignored.bin").write_bytes(bytes(3000))
    return folder


def chosen_in(folder: Path) -> Contents:
    return contents(folder, spacefile.read(folder).deployment())


def test_only_what_git_tracks_is_rendered_and_pushed_and_the_rest_is_named(hub, space, repository, tmp_path):
    said = (
        "left out, because git does not track them: 3 files (app/id_rsa, models/ignored.bin, models/notes_private.txt)"
        "; if the app needs one, `git add` it"
    )
    code, _, err = space("render", "--out", str(tmp_path / "out"))
    assert (code, err) == (0, said + "\n")
    out = tmp_path / "out"
    assert {file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file()} == UPLOADED
    code, out, _ = space("push")
    assert code == 0
    assert said in out
    assert set(hub.spaces["me/play"].files) == {*UPLOADED, ".gitattributes"}


def test_a_folder_inside_a_repository_is_deployed_by_its_own_paths(repository, tmp_path):
    for name in ("app", "models", "assets", "docs"):
        git(repository, "rm", "-r", "--cached", "-q", name)
    git(tmp_path, "init")
    (repository / ".git").rename(tmp_path / "other")
    git(tmp_path, "add", "project/app/one.py", "project/Spacefile")
    assert chosen_in(repository).names == ("Spacefile", "app/one.py")


def test_changes_that_are_not_committed_are_taken_and_told(space, repository):
    (repository / "app" / "one.py").write_text("one = 11\n")
    (repository / "app" / "two.py").write_text("two = 2\n")
    git(repository, "add", "app/two.py")
    chosen = chosen_in(repository)
    assert {"app/one.py", "app/two.py"} <= set(chosen.names)
    assert chosen.changed == ("app/one.py", "app/two.py")
    told = "taken from the folder, though not as in the last commit: 2 files (app/one.py, app/two.py)"
    assert told in space("push", "--dry-run")[1]


def test_before_the_first_commit_everything_differs_from_it(folder):
    git(folder, "init")
    git(folder, "add", "app.py", "Spacefile")
    assert chosen_in(folder).changed == chosen_in(folder).names == ("Spacefile", "app.py")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("../../outside", "app/link.py is a link that leads out of the folder: put the file itself there"),
        ("../../out", "app/link.py is a link that leads out of the folder"),
        ("nowhere", "app/link.py is a link that leads nowhere"),
        ("link.py", "app/link.py is a link that leads nowhere"),
        ("id_rsa", "app/link.py is a link to a file that git does not track"),
        ("../.git/config", "app/link.py is a link to a file that git does not track"),
        ("../models", "app/link.py is a link to a folder, which a Space cannot have"),
    ],
)
def test_a_link_in_git_that_leads_to_anything_else_is_refused_in_a_line(hub, space, repository, target, words):
    (repository.parent / "outside").write_text("not this\n")
    (repository.parent / "out").mkdir()
    (repository / "app" / "link.py").symlink_to(target)
    git(repository, "add", "app/link.py")
    for action in ("render", "push"):
        code, _, err = space(action)
        assert code == 2
        assert err.startswith("error: ")
        assert words in err
        assert err.count("\n") == 1
    assert words in space("check")[1]
    assert hub.requests == []


def test_a_link_between_tracked_files_is_taken_as_the_file(repository):
    (repository / "app" / "link.py").symlink_to("one.py")
    git(repository, "add", "app/link.py")
    assert "app/link.py" in chosen_in(repository).names


def test_links_that_git_does_not_track_are_left_out_whatever_they_lead_to(repository):
    (repository.parent / "out").mkdir()
    (repository.parent / "out" / "far.py").write_text("not this\n")
    (repository / "app" / "far").symlink_to(repository.parent / "out")
    chosen = chosen_in(repository)
    assert set(chosen.names) == UPLOADED
    assert "app/far" in chosen.left_out
    assert not [name for name in chosen.left_out if "far.py" in name]


def test_a_link_in_the_place_of_a_tracked_folder_is_refused(space, repository):
    (repository / "assets").rename(repository.parent / "elsewhere")
    (repository / "assets").symlink_to(repository.parent / "elsewhere")
    assert "assets is a link that leads out of the folder" in space("render")[2]


def test_what_a_space_needs_and_git_does_not_track_is_a_mistake(space, repository):
    git(repository, "rm", "--cached", "-q", "app.py", "assets/page.png")
    code, out, _ = space("check")
    assert code == 2
    assert "a Space needs app.py, which git does not track: run `git add app.py`" in out
    assert "deploy.include: no file that git tracks matches assets/**" in out


def test_without_git_links_and_hidden_files_are_left_out_or_refused(space, edit, folder):
    edit("deploy.exclude", [])
    (folder / "app" / ".config").mkdir()
    (folder / "app" / ".config" / "key.py").write_text("not this\n")
    (folder / "app" / "link.py").symlink_to("one.py")
    chosen = chosen_in(folder)
    assert set(chosen.names) == {*UPLOADED, "app/__pycache__/one.pyc"}
    assert chosen.left_out == ("app/.config/key.py", "app/.hidden", "app/link.py")
    assert "left out, because they are links or hidden: 3 files (app/.config/key.py," in space("render")[2]
    (folder / "app" / "far.py").symlink_to(folder.parent)
    assert "app/far.py is a link that leads out of the folder" in space("render")[2]


def test_a_repository_that_git_cannot_list_is_an_error_and_never_deployed_whole(space, repository, monkeypatch):
    (repository / ".git" / "index").write_bytes(b"damaged")
    assert "git cannot list the files of" in space("render")[2]
    (repository / ".git" / "index").unlink()
    assert "git tracks no file in" in space("render")[2]
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert "git is not installed" in space("render")[2]


def test_the_repository_that_a_hook_names_in_the_environment_does_not_count(repository, tmp_path, monkeypatch):
    git(tmp_path, "init", "elsewhere")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere" / ".git" / "index"))
    assert set(chosen_in(repository).names) == UPLOADED
