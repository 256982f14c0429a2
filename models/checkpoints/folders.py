"""Writing folders completely or not at all: the previous content stays until the new one is complete."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from models.checkpoints.tokenizer import one_line

if TYPE_CHECKING:
    from accelerate import Accelerator


def replace(out: Path, write: Callable[[Path], None], accelerator: Accelerator | None = None) -> None:
    """Fill a new folder with `write`, then replace `out` by it.

    With an accelerator all processes write into the same folder, and the main one replaces `out`. Raises ValueError
    if writing fails; `out` is unchanged then.
    """
    main = accelerator is None or accelerator.is_main_process
    wait = accelerator.wait_for_everyone if accelerator else lambda: None
    fresh = _beside(out, "writing")
    if main:
        shutil.rmtree(fresh, ignore_errors=True)
    wait()
    try:
        write(fresh)
    except Exception as error:  # of any kind: remove the half-written folder
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
    """Restore the previous `out` if a crash between two renames left it under another name."""
    old = _beside(out, "old")
    if old.exists() and not out.exists():
        old.rename(out)


def refuse_other_folders(out: Path) -> None:
    """Raise ValueError if saving into `out` would replace something other than a checkpoint."""
    if out.exists() and not (out / "config.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists and is not a checkpoint folder; choose another --out")


def _beside(out: Path, suffix: str) -> Path:
    return out.with_name(f"{out.name}.{suffix}")
