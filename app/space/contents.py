"""Choosing the files of a folder that are deployed: those that git tracks, and none from outside the folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import InfillError
from app.space.spacefile import Deployment

_SHOWN = 3  # names in a message
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""Variables by which git's hooks name their own repository."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The files to deploy, as paths with slashes from the folder, and what to tell the user about the choice."""

    names: tuple[str, ...]
    in_git: bool  # whether the folder is in a git repository; then all of them are tracked
    left_out: tuple[str, ...]  # match the Spacefile's patterns, and are not deployed
    changed: tuple[str, ...]  # deployed as they are in the folder, which is not as in the last commit

    @property
    def notices(self) -> list[str]:
        """What is left out and what differs from the last commit, one line for each."""
        lines = []
        if self.left_out:
            why, cure = "they are links or hidden", ""
            if self.in_git:
                why, cure = "git does not track them", "; if the app needs one, `git add` it"
            lines.append(f"left out, because {why}: {_listed(self.left_out)}{cure}")
        if self.changed:
            lines.append(f"taken from the folder, though not as in the last commit: {_listed(self.changed)}")
        return lines


def contents(folder: Path, deployment: Deployment) -> Contents:
    """Choose the files that match the Spacefile's patterns and, in a git repository, are tracked.

    Outside of one, links and hidden files are left out. Raises InfillError for a link that leads out of the folder or,
    in a repository, to something that git does not track; and if git fails.
    """
    included = {name for pattern in deployment.include for name in matching_files(folder, pattern)}
    matched = included - {name for pattern in deployment.exclude for name in matching_files(folder, pattern)}
    tracked = tracked_files(folder)
    links = {name for name in matched if (folder / name).is_symlink()}
    if tracked is None:
        _refuse(_faults(folder, links, None))
        chosen = {name for name in matched - links if not any(part.startswith(".") for part in name.split("/"))}
        changed: set[str] = set()
    else:
        chosen = matched & tracked
        shadowed = {link for link in links - tracked if any(name.startswith(f"{link}/") for name in tracked)}
        _refuse(_faults(folder, (links & tracked) | shadowed, tracked))
        changed = _changed(folder)
    return Contents(
        names=tuple(sorted(chosen)),
        in_git=tracked is not None,
        left_out=tuple(sorted(matched - chosen)),
        changed=tuple(sorted(changed & chosen)),
    )


def matching_files(folder: Path, pattern: str) -> set[str]:
    """Return the files and links that match a pattern of the Spacefile; a folder stands for everything in it.

    A link stands for itself: nothing behind it is among them.
    """
    found: set[str] = set()
    for path in folder.glob(pattern):
        parts = path.relative_to(folder).parts
        ways = ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
        link = next((way for way in ways if (folder / way).is_symlink()), None)
        if link is not None:
            found.add(link)
        elif path.is_dir():
            found.update(inner.relative_to(folder).as_posix() for inner in _inside(path))
        elif path.is_file():
            found.add("/".join(parts))
    return found


def tracked_files(folder: Path) -> set[str] | None:
    """Return the paths of the files that git tracks in a folder; None if that is not in a repository.

    Raises InfillError if git is missing, fails, or tracks nothing there.
    """
    if shutil.which("git") is None:
        if any((each / ".git").exists() for each in (folder.resolve(), *folder.resolve().parents)):
            raise InfillError("git is not installed: install it, because only files that it tracks are deployed")
        return None
    done = _git(folder, "ls-files", "-z")
    if done.returncode:
        said = os.fsdecode(done.stderr).strip()
        if "not a git repository" in said:
            return None
        raise InfillError(f"git cannot list the files of '{folder}': {' '.join(said.split())[:300]}")
    tracked = _names(done.stdout)
    if not tracked:
        raise InfillError(f"git tracks no file in '{folder}': `git add` those of the app, then try again")
    return tracked


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder. Its hooks name another repository in the environment, and messages are needed in English."""
    own = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    own |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    return subprocess.run(["git", *arguments], cwd=folder, env=own, capture_output=True, check=False)


def _names(listed: bytes) -> set[str]:
    return {os.fsdecode(name) for name in listed.split(b"\0") if name}


def _changed(folder: Path) -> set[str]:
    """Return the tracked files that are not as in the last commit; all of them if there is no commit."""
    done = _git(folder, "diff", "--name-only", "--no-ext-diff", "--relative", "-z", "HEAD", "--", ".")
    return _names(done.stdout if not done.returncode else _git(folder, "ls-files", "-z").stdout)


def _inside(folder: Path) -> Iterator[Path]:
    """Yield all files and links below a folder, and nothing behind the links."""
    for place, folders, files in os.walk(folder, followlinks=False):
        for name in [*folders, *files]:
            path = Path(place, name)
            if path.is_symlink() or (name in files and path.is_file()):
                yield path


def _faults(folder: Path, links: Iterable[str], tracked: set[str] | None) -> Iterator[str]:
    """Yield why links cannot be deployed; outside a repository only those that lead out of the folder."""
    root = folder.resolve()
    for name in sorted(links):
        try:
            target = (folder / name).resolve(strict=True)
        except (OSError, RuntimeError):  # it leads nowhere, or in a circle
            target = None
        if target is not None and not target.is_relative_to(root):
            yield f"{name} is a link that leads out of the folder"
        elif tracked is None:
            continue
        elif target is None:
            yield f"{name} is a link that leads nowhere"
        elif target.is_dir():
            yield f"{name} is a link to a folder, which a Space cannot have"
        elif target.relative_to(root).as_posix() not in tracked:
            yield f"{name} is a link to a file that git does not track"


def _refuse(faults: Iterator[str]) -> None:
    """Raise InfillError for the first fault, if any."""
    if found := list(faults):
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise InfillError(f"{found[0]}{more}: put the file itself there, or name it under exclude in the Spacefile")


def _listed(names: Sequence[str]) -> str:
    """Return the number of files and the first few names."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} {'files' if len(names) > 1 else 'file'} ({', '.join(names[:_SHOWN])}{more})"
