"""Masked diffusion language models behind one interface; independent of `app`.

`denoiser` is the interface and `prediction` what it returns. `catalogue` lists the models; `checkpoints` downloads and
reads them, and decides whether they fit into memory; `networks` runs them; `toy` is a tiny exact model without weights.
`serve` shares a model among threads, `adapt` trains models, `evaluate` and `bench` measure them. torch is imported only
when a model other than the toy is loaded.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from models.catalogue import BUNDLED, CATALOGUE, PARENT, Source, find
from models.denoiser import Denoiser

if TYPE_CHECKING:
    from pathlib import Path

    from models.checkpoints.hub import Progress
    from models.checkpoints.placement import Offer
    from models.networks.autoregressive import AutoregressiveModel

__all__ = [
    "ALL",
    "BUNDLED",
    "CATALOGUE",
    "HERE",
    "PARENT",
    "Source",
    "check_offer",
    "fetch",
    "find",
    "folder_of",
    "is_here",
    "load",
    "load_parent",
    "offers",
]

HERE, ALL = "here", "all"
"""What `offers` takes for the published models whose files are on this machine, and for all published ones."""


def load(
    name: str = "bundled",
    *,
    device: str | None = None,
    quantize: str | None = None,
    dtype: str | None = None,
    mask_token_id: int | None = None,
    static: bool = False,
    dual_cache: int | None = None,
    compare_cache: bool = False,
    download: bool = True,
    progress: Progress | None = None,
) -> Denoiser:
    """Load a denoiser: a catalogue entry, `toy` (exact and tiny), a checkpoint folder, or a hub name `owner/model`.

    `device` is cpu, cuda, cuda:1, mps, or spread (over GPUs, memory and disk); the default is the best available.
    `quantize` is int8, nf4 or fp4 (bitsandbytes), `dtype` float32, bfloat16 or float16: see `placement.place`.
    `mask_token_id` overrides the checkpoint and the catalogue. `static` uses only a few shapes (`TransformerDenoiser`);
    `dual_cache` computes all positions only once in that many passes (`DualCacheDenoiser`), which is approximate;
    `compare_cache` spends further passes to measure by how much.
    `download` False takes only what is on this machine and does not ask the hub for a newer version. `progress` is
    called during a download.
    Raises ValueError if the model does not exist, is damaged or of an unsupported kind, if settings exclude each other,
    or if it does not fit into memory or on the disk; the last three before anything is downloaded.
    """
    source = find(name)
    if source is None:
        from models.toy import toy

        if dual_cache is not None:
            raise ValueError("the dual cache needs a transformer, which 'toy' is not; leave out --dual-cache")
        return toy()
    from models.checkpoints.checkpoint import load_denoiser
    from models.checkpoints.hub import remote_weights
    from models.checkpoints.placement import place
    from models.checkpoints.weights import read_weights
    from models.networks.dual_cache import DualCacheDenoiser, check

    if dual_cache is not None:
        check(dual_cache, static=static)
    if not download:
        source = _as_folder(source)
    weights = read_weights(source.folder) if source.folder else remote_weights(source.repo or "")
    placement = place(source.name, weights, device=device, dtype=dtype, quantize=quantize)
    folder = fetch(source, progress=progress)
    if weights is None:  # the hub could not be asked, but the files are here
        placement = place(source.name, read_weights(folder), device=device, dtype=dtype, quantize=quantize)
    judge = functools.partial(load_parent, source.parent) if source.parent else None
    denoiser = load_denoiser(folder, source, placement, mask_token_id=mask_token_id, static=static, judge=judge)
    return denoiser if dual_cache is None else DualCacheDenoiser(denoiser, refresh=dual_cache, compared=compare_cache)


def fetch(source: Source, *, progress: Progress | None = None) -> Path:
    """Return the folder of a source, downloaded first if it is on the hub. Raises ValueError if that fails."""
    if source.folder is not None:
        return source.folder
    from models.checkpoints import hub

    return hub.fetch(source, progress=progress)


def folder_of(name: str) -> Path | None:
    """Return a model's folder on this machine, with its measurements; None for the toy or if it is not downloaded.

    Raises ValueError if there is no such model.
    """
    source = find(name)
    if source is None or source.folder is not None:
        return source and source.folder
    from models.checkpoints.hub import downloaded

    return downloaded(source.repo or "")


def check_offer(name: str) -> None:
    """Raise ValueError unless `offers` takes a name."""
    if name not in (HERE, ALL):
        find(name)


def is_here(name: str) -> bool:
    """Check whether a model needs no download. Raises ValueError if there is no such model."""
    source = find(name)
    if source is None or source.folder is not None:
        return True
    from models.checkpoints import hub

    return hub.downloaded_whole(source.repo or "") is not None


def _as_folder(source: Source) -> Source:
    """Return a source with the folder in which it already is. Raises ValueError if it is not on this machine."""
    if source.folder is not None:
        return source
    from models.checkpoints import hub

    folder = hub.downloaded_whole(source.repo or "")
    if folder is None:
        raise ValueError(f"the files of {source.name} are not on this machine any more; choose another model")
    return replace(source, folder=folder)


def offers(names: Sequence[str] = (ALL,)) -> list[Offer]:
    """List those of the named models that this machine can run, and how; see `models.checkpoints.placement.offers`.

    HERE stands for the published models whose files are on this machine, which are then never downloaded, ALL for the
    whole catalogue. Raises ValueError if there is no such model.
    """
    from models.checkpoints import placement

    sources: dict[str, Source] = {}
    for name in names:
        if name == HERE:
            found = [_as_folder(source) for source in CATALOGUE.values() if is_here(source.name)]
            sources = {source.name: source for source in found} | sources
        else:
            wanted = CATALOGUE.values() if name == ALL else filter(None, [find(name)])
            sources |= {source.name: source for source in wanted}
    offered = placement.offers(sources.values())
    fixed = {name for name, source in sources.items() if source.folder and source.repo}
    toy = placement.Offer(name="toy", settings={}, about="tiny and exact, over letters", gigabytes=0.0)
    return [
        *(
            replace(each, settings={**each.settings, "download": False}) if each.name in fixed else each
            for each in offered
        ),
        *([toy] if "toy" in names else []),
    ]


@functools.cache
def load_parent(folder: Path = PARENT) -> AutoregressiveModel:
    """Load the autoregressive parent of a diffusion model, by default the bundled one's, only once."""
    from models.checkpoints.checkpoint import load_autoregressive

    return load_autoregressive(folder, name="parent")
