"""Masked diffusion language models behind one interface; knows nothing of the application.

`denoiser` is the interface, `prediction` what it returns, `checkpoint` and `transformer` the real thing, `toy` an exact
tiny one, `adapt` how an autoregressive model becomes a diffusion model. torch is imported only when a model is loaded.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from models.denoiser import Denoiser

if TYPE_CHECKING:
    from models.autoregressive import AutoregressiveModel

BUNDLED = Path(__file__).parent / "bundled"
PARENT = Path(__file__).parent / "bundled_parent"
"""The autoregressive model that the bundled one was adapted from."""


def find(name: str) -> Path | None:
    """The folder of a model by name, None for the toy. Raises ValueError if there is no such model."""
    if name == "toy":
        return None
    folder = BUNDLED if name == "bundled" else Path(name)
    if not (folder / "config.json").is_file():
        raise ValueError(f"no model '{name}': give 'bundled', 'toy', or a checkpoint folder with a config.json")
    return folder


def load(name: str = "bundled", *, device: str | None = None) -> Denoiser:
    """A denoiser by name: `bundled` (ships here), `toy` (exact, costs nothing), or the folder of a checkpoint.

    Raises ValueError if there is no such model, or if its folder does not hold one.
    """
    folder = find(name)
    if folder is None:
        from models.toy import toy

        return toy()
    from models.checkpoint import load_folder

    return load_folder(folder, name=name if name == "bundled" else folder.name, device=device)


@functools.cache
def load_parent() -> AutoregressiveModel:
    """The bundled model's autoregressive parent, loaded once."""
    from models import autoregressive

    return autoregressive.load(PARENT, name="parent")
