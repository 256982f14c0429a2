"""The models known by name, and facts about them that their files do not state; reads no weights."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from models.quoting import quoted

BUNDLED = Path(__file__).resolve().parent / "bundled"
PARENT = BUNDLED.parent / "bundled_parent"
"""The autoregressive model that the bundled one was adapted from."""

_HUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_LONGEST = 96  # characters of a hub name


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a checkpoint is: a folder here, or a repository on the Hugging Face hub."""

    name: str  # as shown to users and accepted by `find`
    folder: Path | None = None
    parent: Path | None = None  # folder of the autoregressive model that it was adapted from
    repo: str | None = None
    adapted: bool = False  # known to be a diffusion model, whatever its config.json says
    mask_id: int | None = None  # that it was trained with, if known
    context: int | None = None  # tokens that it was adapted on, if fewer than it can read
    parameters: int = 0  # 0: unknown
    tables: int = 0  # number of parameters in embeddings and head, which are never quantised
    about: str = ""


CATALOGUE = {
    source.name: source
    for source in (
        Source(
            name="bundled",
            folder=BUNDLED,
            parent=PARENT,
            adapted=True,
            parameters=15_700_000,
            tables=1_600_000,
            about="simple English stories, ships here",
        ),
        Source(
            name="diffugpt-s",
            repo="diffusionfamily/diffugpt-s",
            adapted=True,
            mask_id=10541,
            context=512,
            parameters=124_000_000,
            tables=39_000_000,
            about="GPT-2 small, adapted on web text",
        ),
        Source(
            name="diffugpt-m",
            repo="diffusionfamily/diffugpt-m",
            adapted=True,
            mask_id=50257,
            context=1024,
            parameters=355_000_000,
            tables=53_000_000,
            about="GPT-2 medium, adapted on web text",
        ),
        Source(
            name="diffullama",
            repo="diffusionfamily/diffullama",
            adapted=True,
            mask_id=811,
            context=2048,
            parameters=6_738_000_000,
            tables=262_000_000,
            about="LLaMA 2 7B, adapted on web text and code",
        ),
    )
}
"""The checkpoints of arXiv:2410.17891 (table 1, appendix B and the released code), after the bundled one."""


def find(name: str) -> Source | None:
    """Find a model by its name in the catalogue, its folder, or its hub name `owner/model`; None is the toy.

    Folders come before hub names. Raises ValueError if it is none of these; a hub name is not looked up.
    """
    if name == "toy":
        return None
    if name in CATALOGUE:
        return CATALOGUE[name]
    folder = Path(name)
    if (folder / "config.json").is_file():
        return CATALOGUE["bundled"] if folder.resolve() == BUNDLED else Source(name=name, folder=folder)
    if _HUB.fullmatch(name) and not folder.exists():
        known = (source for source in CATALOGUE.values() if source.repo == name)
        return next(known, Source(name=name, repo=name))
    near = difflib.get_close_matches(name, [*CATALOGUE, "toy"], n=1)
    raise ValueError(
        f"no model {quoted(name)}{f' (did you mean {near[0]}?)' if near else ''}: give one of {', '.join(CATALOGUE)}, "
        "toy, a checkpoint folder with a config.json, or a hub name (owner/model)"
    )


def is_public_name(name: str) -> bool:
    """Check whether a text is a catalogue entry or has the form of a hub name; asks neither the disk nor the hub."""
    return name in CATALOGUE or (len(name) <= _LONGEST and _HUB.fullmatch(name) is not None)
