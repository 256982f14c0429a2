"""Folders that are written whole or not at all: what was there before stays until the new one is complete."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from models.checkpoints.tokenizer import one_line

if TYPE_CHECKING:
    from accelerate import Accelerator


def replace(out: Path, write: Callable[[Path], None], accelerator: Accelerator | None = None) -> None:
    """Have `write` fill a fresh folder, which then takes the place of `out`.

    With an accelerator all processes write into the same folder, and the main one puts it into its place. Raises
    ValueError where it cannot be written; what was there before is still there then.
    """
    main = accelerator is None or accelerator.is_main_process
    wait = accelerator.wait_for_everyone if accelerator else lambda: None
    fresh = _beside(out, "writing")
    if main:
        shutil.rmtree(fresh, ignore_errors=True)
    wait()
    try:
        write(fresh)
    except Exception as error:  # whatever it was, nothing half-written stays
        shutil.rmtree(fresh, ignore_errors=True)
        kept = f"; the last good one is still in {out}" if out.exists() else ""
        free = shutil.disk_usage(out.parent).free / 1e6
        raise ValueError(f"cannot write {out}: {one_line(error)} ({free:.0f} MB are free){kept}") from error
    wait()
    if main:
        _swap(fresh, out)
    wait()


def _swap(fresh: Path, out: Path) -> None:
    old = _beside(out, "old")
    if out.exists():
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def recover(out: Path) -> None:
    """A crash between two renames left the last good one under another name: bring it back."""
    old = _beside(out, "old")
    if old.exists() and not out.exists():
        old.rename(out)


def refuse_other_folders(out: Path) -> None:
    """Raises ValueError where saving into `out` would put something else than a checkpoint away."""
    if out.exists() and not (out / "config.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists and is not a checkpoint folder; choose another --out")


def _beside(out: Path, suffix: str) -> Path:
    return out.with_name(f"{out.name}.{suffix}")
